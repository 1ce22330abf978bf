//! Where things are: the workspace, its target folder, and what the verbs leave there for each other.
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::command;

/// The folders of this checkout; all paths are absolute.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Asks cargo, so that `CARGO_TARGET_DIR` and every cargo configuration file count.
    pub(crate) fn find() -> Result<Self> {
        let ours = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let answer = metadata(&ours.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR"))))?;
        let folder = |name: &str| {
            let path = answer[name].as_str().map(PathBuf::from);
            path.with_context(|| format!("`cargo metadata` does not tell `{name}`"))
        };
        Ok(Self { root: folder("workspace_root")?, target: folder("target_directory")? })
    }

    /// What cargo knows about the packages of the workspace.
    pub(crate) fn metadata(&self) -> Result<Value> {
        metadata(&self.root)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// The eBPF object that `build-ebpf` leaves and the agent embeds.
    pub(crate) fn ebpf_object(&self) -> PathBuf {
        self.target.join("ebpf/detector-ebpf.o")
    }

    /// The agent that `build` leaves.
    pub(crate) fn agent(&self) -> PathBuf {
        self.target.join("detector")
    }

    /// `cargo` in the workspace root.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = command::program("cargo");
        cargo.current_dir(&self.root);
        cargo
    }

    /// `cargo` for whatever compiles the agent: its build script is told where the object is.
    pub(crate) fn agent_cargo(&self) -> Command {
        let mut cargo = self.cargo();
        cargo.env("DETECTOR_EBPF_OBJECT", self.ebpf_object());
        cargo
    }

    /// `path` as a person would type it from the workspace root.
    pub(crate) fn short<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}

fn metadata(folder: &Path) -> Result<Value> {
    let mut metadata = command::program("cargo");
    metadata.args(["metadata", "--no-deps", "--format-version=1", "--manifest-path"]);
    let answer = command::ask(metadata.arg(folder.join("Cargo.toml")))?;
    serde_json::from_str(&answer).context("cannot read the answer of `cargo metadata`")
}

/// Copies `from` to `to`, with its rights, as [`write_if_changed`] writes.
pub(crate) fn copy_if_changed(from: &Path, to: &Path) -> Result<bool> {
    let bytes = std::fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    renew(&bytes, to, |beside| std::fs::copy(from, beside).map(drop))
}

/// Writes the bytes to `to` unless it holds the same already: a build that changed nothing keeps the time stamp, and cargo
/// rebuilds nothing. Returns whether it wrote.
pub(crate) fn write_if_changed(bytes: &[u8], to: &Path) -> Result<bool> {
    renew(bytes, to, |beside| std::fs::write(beside, bytes))
}

fn renew(bytes: &[u8], to: &Path, write: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<bool> {
    if std::fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    // Write beside it and rename: an agent that runs from this path right now is not disturbed, and nobody sees half.
    let beside = to.with_extension("new");
    write(&beside)
        .and_then(|()| std::fs::rename(&beside, to))
        .with_context(|| format!("cannot write {}", to.display()))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_keep_their_time_stamp() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let (from, to) = (folder.path().join("from"), folder.path().join("deep/to"));
        std::fs::write(&from, "one")?;
        assert!(copy_if_changed(&from, &to)?);
        let before = to.metadata()?.modified()?;
        assert!(!copy_if_changed(&from, &to)?);
        assert_eq!(to.metadata()?.modified()?, before);
        std::fs::write(&from, "two")?;
        assert!(copy_if_changed(&from, &to)?);
        assert_eq!(std::fs::read_to_string(&to)?, "two");
        Ok(())
    }
}

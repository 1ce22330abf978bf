//! A bpffs of a test's own, for the agent's pins. When the test is over it is taken away with all that is pinned there,
//! and with that the hooks end.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tempfile::TempDir;

/// The mounted bpffs.
pub struct PinPlace {
    folder: TempDir,
}

impl PinPlace {
    /// Mounts it.
    #[track_caller]
    #[must_use]
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap_or_else(|error| panic!("no folder: {error}"));
        let mounted = mount(Some("bpf"), folder.path(), Some("bpf"), MsFlags::empty(), Some("mode=0700"));
        if let Err(errno) = mounted {
            panic!("cannot mount a bpffs: {errno}");
        }
        Self { folder }
    }

    /// Where the agent pins.
    #[must_use]
    pub fn pins(&self) -> PathBuf {
        self.folder.path().join("pins")
    }

    /// The agent's arguments for it.
    #[must_use]
    pub fn arguments(&self) -> [OsString; 4] {
        let path = format!("pin.path={}", self.pins().display());
        ["-o".into(), "pin.enabled=true".into(), "-o".into(), path.into()]
    }

    /// Names of what is pinned, below the agent's folder.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        collect(&self.pins(), "", &mut names);
        names.sort();
        names
    }
}

fn collect(folder: &Path, prefix: &str, into: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        collect(&entry.path(), &format!("{name}/"), into);
        into.push(name);
    }
}

impl Default for PinPlace {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for PinPlace {
    fn drop(&mut self) {
        // An agent that a failed test left may still have it open.
        let _ = umount2(self.folder.path(), MntFlags::MNT_DETACH);
    }
}

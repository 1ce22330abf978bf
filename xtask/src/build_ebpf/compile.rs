//! One compiler run, and its verdict: the object, a fault in our sources (another compiler would find it too), or
//! a fault of this compiler or linker (another way may work).
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Error, Result};
use serde_json::Value;

use super::linker::Linker;
use super::toolchain::Compiler;
use crate::command;
use crate::workspace::Workspace;

/// Why there is no object.
#[derive(Debug)]
pub(super) enum Failure {
    /// Our own sources do not compile.
    Source(String),
    /// This way does not work on this machine, in one line.
    Way(String),
}

impl Failure {
    pub(super) fn way(error: impl Into<Error>) -> Self {
        Self::Way(format!("{:#}", error.into()))
    }
}

/// Where cargo leaves the linked program.
pub(super) fn output(workspace: &Workspace) -> PathBuf {
    folder(workspace).join("bpfel-unknown-none/bpf/detector-ebpf")
}

/// Own target folder: flags and compilers differ from those of the agent, and must not make cargo rebuild it.
fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target().join("ebpf-build")
}

/// Runs cargo; returns the bytes of the linked object.
pub(super) fn compile(
    workspace: &Workspace,
    compiler: &Compiler,
    linker: &Linker,
) -> Result<Vec<u8>, Failure> {
    let mut cargo = command::program("cargo");
    cargo.current_dir(workspace.root());
    // These would win over, or mix with, what is set below.
    for foreign in [
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTC",
        "RUSTC_BOOTSTRAP",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
    ] {
        cargo.env_remove(foreign);
    }
    cargo
        .envs(compiler.env.iter().map(|(name, value)| (*name, value)))
        .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", &linker.path)
        // The debug info becomes the BTF of the object.
        .env("RUSTFLAGS", "-C debuginfo=2 -C link-arg=--btf")
        .args(["build", "--package", "detector-ebpf", "--profile", "bpf", "--target", "bpfel-unknown-none"])
        .arg("--target-dir")
        .arg(folder(workspace));
    if compiler.build_core {
        cargo.args(["-Z", "build-std=core"]);
    }
    command::show(&cargo);
    cargo.arg("--message-format=json");
    let mut child = cargo
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")
        .map_err(Failure::way)?;
    let mut verdict = Verdict::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(text) = verdict.read(&line, workspace.root()) {
                eprint!("{text}");
            }
        }
    }
    let status = child.wait().context("cannot wait for cargo").map_err(Failure::way)?;
    if status.success() {
        let path = output(workspace);
        return std::fs::read(&path)
            .with_context(|| format!("cargo left no object at {}", path.display()))
            .map_err(Failure::way);
    }
    Err(verdict.failure())
}

/// What cargo's messages add up to.
#[derive(Default)]
struct Verdict {
    source_errors: usize,
    first_other_error: Option<String>,
}

impl Verdict {
    /// Takes one line of cargo's JSON; returns the text that a person would have seen.
    fn read(&mut self, line: &str, root: &Path) -> Option<String> {
        let message: Value = serde_json::from_str(line).ok()?;
        if message["reason"] != "compiler-message" {
            return None;
        }
        let of_ours = message["manifest_path"].as_str().is_some_and(|path| Path::new(path).starts_with(root));
        let diagnostic = &message["message"];
        if diagnostic["level"] == "error" {
            let has_place = diagnostic["spans"].as_array().is_some_and(|spans| !spans.is_empty());
            if of_ours && has_place {
                self.source_errors += 1;
            } else if self.first_other_error.is_none() {
                self.first_other_error = Some(in_one_line(diagnostic));
            }
        }
        diagnostic["rendered"].as_str().map(str::to_owned)
    }

    fn failure(self) -> Failure {
        if self.source_errors > 0 {
            return Failure::Source(format!(
                "the eBPF program does not compile: {} error(s) in our own sources, shown above \
                 (`--toolchain` takes another compiler)",
                self.source_errors
            ));
        }
        let reason =
            self.first_other_error.unwrap_or_else(|| "cargo failed, see its message above".to_owned());
        Failure::Way(reason)
    }
}

/// The first line of the message, and the last line of its notes: there a linker says why it failed.
fn in_one_line(diagnostic: &Value) -> String {
    let lines = |value: &Value| value["message"].as_str().unwrap_or_default().to_owned();
    let message = lines(diagnostic).lines().next().unwrap_or_default().trim().to_owned();
    let notes =
        diagnostic["children"].as_array().into_iter().flatten().map(lines).collect::<Vec<_>>().join("\n");
    match notes.lines().rev().find(|line| !line.trim().is_empty()) {
        Some(why) if why.len() < 200 => format!("{message}: {}", why.trim()),
        _ => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(manifest: &str, spans: &str) -> String {
        format!(
            r#"{{"reason":"compiler-message","manifest_path":"{manifest}","message":
            {{"level":"error","message":"it broke\nbadly","spans":[{spans}],"children":[{{"message":"a long story\nno memory\n"}}],"rendered":"error: it broke"}}}}"#
        )
    }

    #[test]
    fn an_error_with_a_place_in_our_sources_stops_the_search() {
        let mut verdict = Verdict::default();
        let shown = verdict.read(&message("/repo/detector-ebpf/Cargo.toml", "{}"), Path::new("/repo"));
        assert_eq!(shown.as_deref(), Some("error: it broke"));
        assert!(matches!(verdict.failure(), Failure::Source(_)));
    }

    #[test]
    fn a_linker_or_a_dependency_that_fails_is_a_fault_of_the_way() {
        for (manifest, spans) in
            [("/repo/detector-ebpf/Cargo.toml", ""), ("/registry/aya-ebpf/Cargo.toml", "{}")]
        {
            let mut verdict = Verdict::default();
            verdict.read(&message(manifest, spans), Path::new("/repo"));
            let Failure::Way(reason) = verdict.failure() else { panic!("{manifest}") };
            assert_eq!(reason, "it broke: no memory");
        }
    }

    #[test]
    fn silence_is_a_fault_of_the_way() {
        let mut verdict = Verdict::default();
        assert_eq!(verdict.read("not json", Path::new("/repo")), None);
        assert!(matches!(verdict.failure(), Failure::Way(_)));
    }
}

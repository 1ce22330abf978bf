//! `cargo xtask lint`: everything that can be said about the sources without running them. All checks run, also
//! after one failed, and the end lists what to repair.
mod licences;
mod rooms;
mod rust_paths;
mod source_files;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::command;
use crate::workspace::Workspace;
use source_files::SourceFile;

/// One thing to repair, and where.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    /// Relative to the workspace root.
    path: PathBuf,
    /// 1-based; 0 when the whole file is meant.
    line: usize,
    /// What is wrong and what to do.
    text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path.display(), self.text),
            line => write!(f, "{}:{line}: {}", self.path.display(), self.text),
        }
    }
}

pub(crate) fn run() -> Result<()> {
    lint(&Workspace::find()?)
}

/// The verb, for other verbs.
pub(crate) fn lint(workspace: &Workspace) -> Result<()> {
    let files = source_files::read(workspace.root())?;
    source_files::print_sizes(&files);
    let checks: [(&str, Check<'_>); 7] = [
        ("format (cargo fmt repairs it)", Box::new(|| format(workspace))),
        ("clippy", Box::new(|| clippy(workspace, &[]))),
        ("clippy of the tests crate", Box::new(|| clippy(workspace, &["--package", "detector-tests"]))),
        ("first lines, sizes, words", Box::new(|| listed(files.iter().flat_map(SourceFile::faults)))),
        ("rooms of the agent", Box::new(|| listed(rooms_of_the_agent(&files)))),
        ("Cargo.lock is current", Box::new(|| lock_is_current(workspace))),
        ("licences and sources of the dependencies", Box::new(|| licences::check(workspace))),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        match check() {
            Ok(()) => println!("lint: ok: {name}"),
            Err(error) => {
                println!("lint: FAILED: {name}: {error:#}");
                failed.push(name);
            }
        }
    }
    if !failed.is_empty() {
        bail!("lint failed: {}", failed.join("; "));
    }
    Ok(())
}

type Check<'a> = Box<dyn Fn() -> Result<()> + 'a>;

fn format(workspace: &Workspace) -> Result<()> {
    command::run(workspace.cargo().args(["fmt", "--all", "--check"]))
}

fn clippy(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    let mut cargo = workspace.agent_cargo();
    cargo.args(["clippy", "--quiet", "--all-targets"]).args(packages).args(["--", "-D", "warnings"]);
    command::run(&mut cargo)
}

fn lock_is_current(workspace: &Workspace) -> Result<()> {
    metadata(workspace).map(drop).context("run `cargo check` and commit Cargo.lock")
}

/// The whole dependency graph as cargo's JSON; fails when Cargo.lock would have to change.
fn metadata(workspace: &Workspace) -> Result<serde_json::Value> {
    let answer = command::ask(workspace.cargo().args(["metadata", "--locked", "--format-version=1"]))?;
    serde_json::from_str(&answer).context("cannot read the answer of `cargo metadata`")
}

fn rooms_of_the_agent(files: &[SourceFile]) -> Vec<Fault> {
    let agent = Path::new("detector/src");
    let of_agent: Vec<_> = files
        .iter()
        .filter_map(|file| Some((file.path.strip_prefix(agent).ok()?, file.text.as_str())))
        .collect();
    let mut faults = rooms::faults(&of_agent);
    for fault in &mut faults {
        fault.path = agent.join(&fault.path);
    }
    faults
}

fn listed(faults: impl IntoIterator<Item = Fault>) -> Result<()> {
    let lines: Vec<_> = faults.into_iter().map(|fault| format!("\n  {fault}")).collect();
    if !lines.is_empty() {
        bail!("{} to repair{}", lines.len(), lines.concat());
    }
    Ok(())
}

//! Man pages and completions: the program that knows the command line makes them.
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::command;
use crate::workspace::Workspace;

/// Writes the folders `man` and `completions`.
pub(super) fn write(workspace: &Workspace, to: &Path) -> Result<()> {
    let mut cargo = workspace.agent_cargo();
    cargo.args(["run", "--quiet", "--package", "detector-manual", "--"]).arg(to);
    command::run(&mut cargo).context("cannot make man pages and completions")
}

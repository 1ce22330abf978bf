//! `cargo xtask run`: builds, and becomes the agent.
use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;
use crate::{build, build_ebpf, command, privilege};

/// Build, and run the agent as root with the default rules; Ctrl-C stops it
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Arguments for the agent, after `--`
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let workspace = Workspace::find()?;
    build::build(&workspace, &build_ebpf::Options::default())?;
    let agent = workspace.agent();
    let program =
        agent.to_str().context("the path of the target folder is no UTF-8: move it with CARGO_TARGET_DIR")?;
    let mut agent = privilege::as_root("the agent", program, &[])?;
    agent.args(&options.arguments);
    command::show(&agent);
    // Replaces this process: signals and the exit code are the agent's own. Returns only when it failed.
    Err(agent.exec()).with_context(|| format!("cannot start {program}"))
}

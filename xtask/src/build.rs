//! `cargo xtask build`: the eBPF object, then the agent around it, one static file at `target/detector`.
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::build_ebpf;
use crate::command;
use crate::workspace::{self, Workspace};

pub(crate) fn run(options: &build_ebpf::Options) -> Result<()> {
    build(&Workspace::find()?, options)
}

/// The verb, for other verbs.
pub(crate) fn build(workspace: &Workspace, options: &build_ebpf::Options) -> Result<()> {
    build_ebpf::build(workspace, options)?;
    let target = agent_target();
    let mut cargo = workspace.agent_cargo();
    cargo.args(["build", "--release", "--package", "detector", "--bin", "detector", "--target", &target]);
    // The cryptography of the http output is partly C and assembly that need no C library: the compiler that links is
    // good enough, and no musl-gcc has to be installed.
    let compiler = format!("CC_{}", target.replace('-', "_"));
    if std::env::var_os(&compiler).is_none() {
        cargo.env(compiler, "cc");
    }
    command::run(cargo.arg("--target-dir").arg(workspace.target())).context("cannot build the agent")?;
    let built = workspace.target().join(&target).join("release/detector");
    let agent = workspace.agent();
    let fresh = workspace::copy_if_changed(&built, &agent)?;
    let size = agent.metadata().map_or(0, |data| data.len());
    println!(
        "agent: {}{} ({target}, {}.{} MB)",
        workspace.short(&agent),
        if fresh { "" } else { " (unchanged)" },
        size / 1_000_000,
        size / 100_000 % 10
    );
    Ok(())
}

/// The static target of this machine; when it cannot be had, the ordinary one, and a line that says so.
fn agent_target() -> String {
    let musl = musl_target();
    match ensure_target(&musl) {
        Ok(()) => musl,
        Err(error) => {
            let gnu = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
            eprintln!(
                "no static build here ({error:#}): the agent will need the C library of this machine ({gnu})"
            );
            gnu
        }
    }
}

/// The target of static programs for this machine.
pub(crate) fn musl_target() -> String {
    format!("{}-unknown-linux-musl", std::env::consts::ARCH)
}

/// Adds a target's libraries to the compiler in use when they are absent.
pub(crate) fn ensure_target(target: &str) -> Result<()> {
    let sysroot = command::ask(command::program("rustc").args(["--print", "sysroot"]))?;
    if Path::new(&sysroot).join("lib/rustlib").join(target).join("lib").is_dir() {
        return Ok(());
    }
    command::find("rustup").with_context(|| format!("no library for {target} and no rustup to add it"))?;
    command::run(command::program("rustup").args(["target", "add", target]))
}

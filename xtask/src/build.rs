//! `cargo xtask build`: the eBPF object, then the agent around it, one static file at `target/detector`; for another
//! architecture at `target/detector-ARCHITECTURE`.
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::command::Pace;
use crate::workspace::{self, Workspace};
use crate::{apt, build_ebpf, command};

/// Build everything: the eBPF program and the agent (release, static) at `target/detector`
///
/// For another architecture than this machine's the agent is cross-built, to `target/detector-x86_64` or
/// `target/detector-aarch64`. The eBPF object is the same for all.
// The flattened options have the same name, and groups must not.
#[derive(clap::Args, Default)]
#[group(skip)]
pub(crate) struct Options {
    #[command(flatten)]
    ebpf: build_ebpf::Options,
    /// The architecture that the agent shall run on; this machine's when not given
    #[arg(long, value_enum)]
    arch: Option<Arch>,
}

/// An architecture that the agent runs on; the short names are Debian's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Arch {
    /// Intel and AMD, 64 bits
    #[value(name = "x86_64", aliases = ["amd64", "x86_64-unknown-linux-musl"])]
    X86_64,
    /// ARM, 64 bits
    #[value(name = "aarch64", aliases = ["arm64", "aarch64-unknown-linux-musl"])]
    Aarch64,
}

impl Arch {
    /// As Rust and the GNU tools call it.
    const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// The packages of Debian with a compiler and a C library for it, where it is not this machine's own.
    const fn cross_packages(self) -> [&'static str; 2] {
        match self {
            Self::X86_64 => ["gcc-x86-64-linux-gnu", "libc6-dev-amd64-cross"],
            Self::Aarch64 => ["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"],
        }
    }

    /// Whether this machine is one, so that it could run the guest itself.
    pub(crate) fn is_ours(self) -> bool {
        self.name() == std::env::consts::ARCH
    }

    /// Cargo's target for static programs.
    pub(crate) fn static_target(self) -> String {
        format!("{}-unknown-linux-musl", self.name())
    }

    /// Where its agent goes.
    pub(crate) fn agent(self, workspace: &Workspace) -> PathBuf {
        if self.is_ours() {
            workspace.agent()
        } else {
            workspace.target().join(format!("detector-{}", self.name()))
        }
    }

    /// Gets what is needed to build static programs for it, and tells cargo which compiler links and compiles.
    pub(crate) fn prepare(self, cargo: &mut Command) -> Result<()> {
        let target = self.static_target();
        ensure_target(&target)?;
        let mut compiler = "cc".to_owned();
        if !self.is_ours() {
            compiler = format!("{}-linux-gnu-gcc", self.name());
            if command::find(&compiler).is_none() {
                apt::ensure(&self.cross_packages(), &format!("build programs for {}", self.name()))?;
            }
            let linker = format!("CARGO_TARGET_{}_LINKER", target.replace('-', "_").to_uppercase());
            set_unless_set(cargo, linker, &compiler);
        }
        // The cryptography of the http output is partly C and assembly that need no C library: the compiler that links
        // is good enough, and no musl-gcc has to be installed.
        set_unless_set(cargo, format!("CC_{}", target.replace('-', "_")), &compiler);
        Ok(())
    }
}

fn set_unless_set(cargo: &mut Command, name: String, value: &str) {
    if std::env::var_os(&name).is_none() {
        cargo.env(name, value);
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let workspace = Workspace::find()?;
    match options.arch {
        Some(arch) if !arch.is_ours() => {
            build_ebpf::build(&workspace, &options.ebpf)?;
            cross_build(&workspace, arch, Pace::Full)
        }
        _ => build(&workspace, &options.ebpf),
    }
}

/// The verb for this machine, for other verbs.
pub(crate) fn build(workspace: &Workspace, options: &build_ebpf::Options) -> Result<()> {
    build_ebpf::build(workspace, options)?;
    let mut cargo = workspace.agent_cargo();
    let target = match ours().context("this machine's architecture").and_then(|arch| {
        arch.prepare(&mut cargo)?;
        Ok(arch.static_target())
    }) {
        Ok(target) => target,
        Err(error) => {
            let gnu = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
            eprintln!(
                "no static build here ({error:#}): the agent will need the C library of this machine ({gnu})"
            );
            gnu
        }
    };
    agent(workspace, cargo, &target, &workspace.agent(), Pace::Full)
}

/// The agent for another architecture; the eBPF object must have been built.
pub(crate) fn cross_build(workspace: &Workspace, arch: Arch, pace: Pace) -> Result<()> {
    let mut cargo = workspace.agent_cargo();
    arch.prepare(&mut cargo)?;
    agent(workspace, cargo, &arch.static_target(), &arch.agent(workspace), pace)
}

fn agent(workspace: &Workspace, mut cargo: Command, target: &str, to: &Path, pace: Pace) -> Result<()> {
    cargo.args(["build", "--release", "--package", "detector", "--bin", "detector", "--target", target]);
    cargo.arg("--target-dir").arg(workspace.target());
    command::run(&mut pace.of(cargo)).context("cannot build the agent")?;
    let built = workspace.target().join(target).join("release/detector");
    let fresh = workspace::copy_if_changed(&built, to)?;
    let size = to.metadata().map_or(0, |data| data.len());
    println!(
        "agent: {}{} ({target}, {}.{} MB)",
        workspace.short(to),
        if fresh { "" } else { " (unchanged)" },
        size / 1_000_000,
        size / 100_000 % 10
    );
    Ok(())
}

/// This machine's architecture, if the agent runs on it.
fn ours() -> Option<Arch> {
    [Arch::X86_64, Arch::Aarch64].into_iter().find(|arch| arch.is_ours())
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

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::Arch;

    #[test]
    fn an_architecture_is_known_by_all_its_names() {
        for name in ["arm64", "aarch64", "aarch64-unknown-linux-musl"] {
            assert_eq!(Arch::from_str(name, false), Ok(Arch::Aarch64), "{name}");
        }
        assert_eq!(
            Arch::from_str("amd64", false).map(Arch::static_target).as_deref(),
            Ok("x86_64-unknown-linux-musl")
        );
    }
}

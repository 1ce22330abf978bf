//! The three ways to a compiler that knows the BPF target. Nothing is assumed: each way is asked what it has, and
//! a way that does not work here says why in one line.
use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{apt, command};

/// A way to compile for `bpfel-unknown-none`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Way {
    /// A rustup nightly with rust-src: builds its own core library
    Nightly,
    /// The stable compiler with rust-src, nightly features unlocked: builds its own core library
    Stable,
    /// The Debian/Ubuntu packages rustc-web and libstd-rust-web-dev-bpf: core library ready-made
    Packages,
}

/// A compiler that is ready: present, with the core library or its sources.
pub(crate) struct Compiler {
    /// What a person calls it: toolchain and version.
    name: String,
    /// Major version of the LLVM inside; bpf-linker must not be older.
    pub(crate) llvm: u32,
    /// Variables that make cargo use it.
    pub(crate) env: Vec<(&'static str, String)>,
    /// Core must be compiled from its sources.
    pub(crate) build_core: bool,
}

const PACKAGES: [&str; 2] = ["rustc-web", "libstd-rust-web-dev-bpf"];

impl Way {
    /// The order of trying: nightly is made for this, stable needs one unlocking variable, packages need apt.
    pub(crate) const IN_ORDER: [Self; 3] = [Self::Nightly, Self::Stable, Self::Packages];

    /// Finds the compiler of this way, and gets what is missing where that needs no new toolchain.
    pub(crate) fn prepare(self) -> Result<Compiler> {
        match self {
            Self::Nightly => nightly(),
            Self::Stable => stable(),
            Self::Packages => packages(),
        }
    }

    /// The command that makes this way possible.
    pub(crate) fn remedy(self) -> &'static str {
        match self {
            Self::Nightly => "rustup toolchain install nightly --profile minimal --component rust-src",
            Self::Stable => "rustup toolchain install stable --component rust-src",
            Self::Packages => {
                "apt-get update && apt-get install --no-install-recommends rustc-web libstd-rust-web-dev-bpf"
            }
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nightly => "A (nightly)",
            Self::Stable => "B (stable)",
            Self::Packages => "C (packages)",
        })
    }
}

impl fmt::Display for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with LLVM {}", self.name, self.llvm)
    }
}

fn nightly() -> Result<Compiler> {
    let toolchains = installed_toolchains()?;
    let nightlies: Vec<_> = toolchains.iter().filter(|name| name.starts_with("nightly")).collect();
    if nightlies.is_empty() {
        bail!("rustup has no nightly toolchain");
    }
    let mut last = None;
    // `nightly` before `nightly-2026-05-20`: the undated one is the newest on a machine that is kept up to date.
    for name in nightlies.iter().rev() {
        let attempt = with_rustup(name, None);
        if attempt.is_ok() {
            return attempt;
        }
        last = Some(attempt);
    }
    last.context("rustup has no nightly toolchain")?
}

fn stable() -> Result<Compiler> {
    let bootstrap = Some("1");
    if command::find("rustup").is_none() {
        // Rust from elsewhere, for instance a distribution: it works when the sources of core lie beside it.
        let compiler = read_version(command::program("rustc"), "Rust without rustup", Vec::new(), bootstrap)?;
        return if has_core_sources(command::program("rustc"))? {
            Ok(compiler)
        } else {
            bail!("{compiler} has no library sources (rust-src) and there is no rustup to add them")
        };
    }
    let toolchains = installed_toolchains()?;
    // The toolchain in use first: its rust-src is the one people have.
    let active =
        command::ask(command::program("rustup").args(["show", "active-toolchain"])).unwrap_or_default();
    let active = active.split_whitespace().next().unwrap_or_default();
    let usable = |name: &str| !name.starts_with("nightly") && !name.is_empty();
    let name = [active]
        .into_iter()
        .chain(toolchains.iter().map(String::as_str).filter(|name| name.starts_with("stable")))
        .chain(toolchains.iter().map(String::as_str))
        .find(|name| usable(name))
        .context("rustup has no stable toolchain")?;
    with_rustup(name, bootstrap)
}

fn packages() -> Result<Compiler> {
    apt::ensure(&PACKAGES, "compile for BPF without rustup")?;
    let rustc = "/usr/bin/rustc";
    let env = vec![("RUSTC", rustc.to_owned())];
    let compiler = read_version(command::program(rustc), "Debian/Ubuntu packages", env, Some("1"))?;
    let sysroot = command::ask(command::program(rustc).args(["--print", "sysroot"]))?;
    let core = PathBuf::from(sysroot).join("lib/rustlib/bpfel-unknown-none/lib");
    if !core.is_dir() {
        bail!("the packages left no core library for bpfel-unknown-none ({} is absent)", core.display());
    }
    Ok(Compiler { build_core: false, ..compiler })
}

fn installed_toolchains() -> Result<Vec<String>> {
    if command::find("rustup").is_none() {
        bail!("there is no rustup on PATH (https://rustup.rs)");
    }
    let list = command::ask(command::program("rustup").args(["toolchain", "list"]))?;
    Ok(list.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

/// A compiler of rustup, with rust-src added when it is absent.
fn with_rustup(toolchain: &str, bootstrap: Option<&str>) -> Result<Compiler> {
    let rustc = || {
        let mut rustc = command::program("rustc");
        rustc.env("RUSTUP_TOOLCHAIN", toolchain).env_remove("RUSTC");
        rustc
    };
    let env = vec![("RUSTUP_TOOLCHAIN", toolchain.to_owned())];
    let compiler = read_version(rustc(), toolchain, env, bootstrap)?;
    if !has_core_sources(rustc())? {
        let mut add = command::program("rustup");
        add.args(["component", "add", "rust-src", "--toolchain", toolchain]);
        command::run(&mut add).with_context(|| format!("`{toolchain}` has no rust-src"))?;
    }
    Ok(compiler)
}

fn read_version(
    mut rustc: Command,
    name: &str,
    mut env: Vec<(&'static str, String)>,
    bootstrap: Option<&str>,
) -> Result<Compiler> {
    let version = command::ask(rustc.arg("-vV"))?;
    let value = |key: &str| version.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    let llvm = value("LLVM version:").and_then(major).context("rustc does not tell its LLVM version")?;
    let release = value("release:").unwrap_or("of unknown version");
    if let Some(bootstrap) = bootstrap {
        // aya-ebpf needs one nightly feature (BPF inline assembly); this unlocks it in a stable compiler.
        env.push(("RUSTC_BOOTSTRAP", bootstrap.to_owned()));
    }
    Ok(Compiler { name: format!("{name}, rustc {release}"), llvm, env, build_core: true })
}

fn has_core_sources(mut rustc: Command) -> Result<bool> {
    let sysroot = command::ask(rustc.args(["--print", "sysroot"]))?;
    Ok(PathBuf::from(sysroot).join("lib/rustlib/src/rust/library/core/Cargo.toml").is_file())
}

/// `22.1.4` is LLVM 22.
pub(super) fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.trim().parse().ok()
}

//! bpf-linker: one on PATH that works is used; otherwise our own is built once into the target folder.
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::toolchain;
use crate::workspace::Workspace;
use crate::{apt, command};

/// The version that the project is tested with.
const VERSION: &str = "0.13.0";
/// LLVM versions that bpf-linker 0.13 can be built for, best first: 22 is the LLVM of rustc 1.95 to 1.97, a newer
/// one reads its bitcode, an older one only that of an older rustc.
const LLVM_VERSIONS: [u32; 3] = [22, 23, 21];

/// A bpf-linker that answered when asked for its version.
#[derive(Clone)]
pub(super) struct Linker {
    pub(super) path: PathBuf,
    version: String,
    /// Major version of its LLVM; unknown when it was linked statically or loads the LLVM of a compiler.
    llvm: Option<u32>,
    own: bool,
}

/// Finds and, when it must, builds linkers; a linker once built is kept.
pub(super) struct Linkers<'a> {
    workspace: &'a Workspace,
    own: Option<Linker>,
}

impl<'a> Linkers<'a> {
    pub(super) fn new(workspace: &'a Workspace) -> Self {
        Self { workspace, own: None }
    }

    /// The linker to try first for bitcode of LLVM `needed`.
    pub(super) fn first_choice(&mut self, needed: u32) -> Result<Linker> {
        if let Some(linker) = command::find("bpf-linker").and_then(|path| probe(&path, false)) {
            if linker.llvm.is_none_or(|llvm| llvm >= needed) {
                return Ok(linker);
            }
            eprintln!("{linker} on PATH cannot read the bitcode of LLVM {needed}: using our own");
        }
        let own = self.own()?;
        if own.llvm.is_some_and(|llvm| llvm < needed) {
            bail!("the compiler has LLVM {needed}, the newest bpf-linker that can be had here only {own}");
        }
        Ok(own)
    }

    /// Our own linker, when the one that failed came from PATH.
    pub(super) fn second_choice(&mut self, failed: &Linker) -> Option<Result<Linker>> {
        (!failed.own).then(|| self.own())
    }

    fn own(&mut self) -> Result<Linker> {
        if let Some(linker) = &self.own {
            return Ok(linker.clone());
        }
        let folder = self.workspace.target().join("tools").join(format!("bpf-linker-{VERSION}"));
        let path = folder.join("bin/bpf-linker");
        let linker = match probe(&path, true) {
            Some(linker) => linker,
            None => install(&folder).and_then(|()| {
                probe(&path, true)
                    .with_context(|| format!("{} was installed but does not run", path.display()))
            })?,
        };
        self.own = Some(linker.clone());
        Ok(linker)
    }
}

impl fmt::Display for Linker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bpf-linker {}", self.version)?;
        match self.llvm {
            Some(llvm) => write!(f, " with LLVM {llvm}"),
            None => write!(f, " with an unknown LLVM"),
        }
    }
}

fn probe(path: &Path, own: bool) -> Option<Linker> {
    let answer = command::ask(command::program(path).arg("--version")).ok()?;
    let version = answer.split_whitespace().nth(1)?.to_owned();
    let libraries = command::ask(command::program("ldd").arg(path)).unwrap_or_default();
    Some(Linker { path: path.to_owned(), version, llvm: llvm_in(&libraries), own })
}

/// The LLVM that a program loads, from the output of ldd: `libLLVM.so.22.1 => ...`, older ones `libLLVM-21.so.1`.
fn llvm_in(libraries: &str) -> Option<u32> {
    let word = libraries.split_whitespace().find(|word| word.starts_with("libLLVM"))?;
    let digits = word.trim_start_matches(|c: char| !c.is_ascii_digit());
    toolchain::major(digits)
}

fn install(folder: &Path) -> Result<()> {
    let llvm = llvm_with_headers()?;
    let prefix = format!("/usr/lib/llvm-{llvm}");
    eprintln!(
        "Building bpf-linker {VERSION} for LLVM {llvm} (about a minute, once; kept in {})",
        folder.display()
    );
    let path = std::env::var("PATH").unwrap_or_default();
    let mut cargo = command::program("cargo");
    for unwanted in ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "CARGO_ENCODED_RUSTFLAGS", "RUSTC"] {
        cargo.env_remove(unwanted);
    }
    cargo
        .env("LLVM_PREFIX", &prefix)
        .env("PATH", format!("{prefix}/bin:{path}"))
        .env("RUSTFLAGS", format!("-L {prefix}/lib"))
        .args(["install", "--quiet", "--locked", "bpf-linker", "--version", VERSION, "--force"])
        .args(["--no-default-features", "--features", &format!("llvm-{llvm}"), "--root"])
        .arg(folder);
    command::run(&mut cargo).with_context(|| {
        format!("cannot build bpf-linker {VERSION}: install one that works on PATH, or see its output above")
    })
}

/// An LLVM with its development files: one that is here, otherwise the best that apt has.
fn llvm_with_headers() -> Result<u32> {
    let why = "build bpf-linker";
    let here = |llvm: &u32| Path::new(&format!("/usr/lib/llvm-{llvm}/include/llvm-c/Core.h")).exists();
    let llvm = LLVM_VERSIONS
        .into_iter()
        .find(here)
        .or_else(|| LLVM_VERSIONS.into_iter().find(|llvm| apt::has(&format!("llvm-{llvm}-dev"))))
        .with_context(|| {
            format!(
                "no bpf-linker on PATH, and none of the LLVM versions {LLVM_VERSIONS:?} to build it with is here or \
                 known to apt: put a bpf-linker on PATH (https://github.com/aya-rs/bpf-linker), or install \
                 llvm-22-dev (https://apt.llvm.org has it for every Debian and Ubuntu)"
            )
        })?;
    if apt::is_here() || !here(&llvm) {
        apt::ensure(&[&format!("llvm-{llvm}-dev"), "zlib1g-dev", "libzstd-dev"], why)?;
    }
    Ok(llvm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_llvm_of_a_linker_is_read_from_its_libraries() {
        assert_eq!(llvm_in("libLLVM.so.22.1 => /usr/lib/llvm-22/lib/libLLVM.so.22.1 (0x1)"), Some(22));
        assert_eq!(
            llvm_in("libc.so.6 => /lib/libc.so.6\n\tlibLLVM-21.so.1 => /usr/lib/libLLVM-21.so.1"),
            Some(21)
        );
        assert_eq!(llvm_in("libc.so.6 => /lib/libc.so.6"), None);
    }
}

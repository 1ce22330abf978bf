//! What makes containers in the guest: programs, each with the libraries that it loads.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::target::Kind;
use super::unpacked::Unpacked;
use crate::{apt, command, containers};

/// What a guest for another processor gets its programs and their libraries from.
pub(super) const PACKAGES: [&str; 4] = ["runc", "libseccomp2", "libc6", "coreutils"];

/// Programs, and the files that they need.
#[derive(Default)]
pub(super) struct Engines {
    /// What each file is called there, by its full path, and where it is here.
    pub(super) files: BTreeMap<PathBuf, PathBuf>,
}

impl Engines {
    /// What a guest of this kind shall have, if it is one of this computer's architecture; installs what is absent here.
    pub(super) fn of(kind: Kind) -> Result<Self> {
        match kind {
            Kind::Plain if command::find("runc").is_none() => {
                apt::ensure(&["runc"], "run containers in other kernels")?;
            }
            Kind::Docker => containers::install_docker()?,
            _ => {}
        }
        let mut engines = Self::default();
        for name in kind.has() {
            let path = command::find(name)
                .with_context(|| format!("there is no `{name}` on PATH to put into the virtual machine"))?;
            engines.files.extend(libraries(&path)?.into_iter().map(|file| (file.clone(), file)));
            engines.files.insert(place(name), path);
        }
        Ok(engines)
    }

    /// The same for a guest of another architecture, out of packages.
    pub(super) fn unpacked(kind: Kind, packages: &Unpacked) -> Result<Self> {
        let mut engines = Self::default();
        for name in kind.has() {
            let path = packages.program(name)?;
            engines.files.extend(packages.libraries(&path)?);
            engines.files.insert(place(name), path);
        }
        Ok(engines)
    }
}

/// Where a guest has its programs.
fn place(name: &str) -> PathBuf {
    Path::new("/bin").join(name)
}

/// What the dynamic loader would load for a program; nothing for a static one.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let output = command::program("ldd")
        .arg(program)
        .env("LC_ALL", "C")
        .output()
        .context("cannot start ldd, which tells the libraries of a program")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let said = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
        anyhow::ensure!(said.contains("not a dynamic executable"), "ldd {}: {said}", program.display());
        return Ok(Vec::new());
    }
    parse(&text).with_context(|| format!("not all libraries of {} are here: {text}", program.display()))
}

/// Lines such as `libc.so.6 => /lib/libc.so.6 (0x0)` and `/lib64/ld.so (0x0)`; the kernel's own has no file.
fn parse(text: &str) -> Option<Vec<PathBuf>> {
    let mut libraries = Vec::new();
    for line in text.lines().map(str::trim) {
        let found = line.split_once(" => ").map_or(line, |(_, found)| found);
        if found.starts_with("not found") {
            return None;
        }
        let path = found.split(' ').next().unwrap_or_default();
        libraries.extend(path.starts_with('/').then(|| PathBuf::from(path)));
    }
    Some(libraries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_those_with_a_file() {
        let text = "\tlinux-vdso.so.1 (0x1)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x2)\n\t/lib64/ld.so (0x3)\n";
        let paths = ["/lib/x/libc.so.6", "/lib64/ld.so"].map(PathBuf::from).to_vec();
        assert_eq!(parse(text), Some(paths));
        assert_eq!(parse("\tstatically linked\n"), Some(Vec::new()));
        assert_eq!(parse("\tliba.so => not found\n"), None);
    }
}

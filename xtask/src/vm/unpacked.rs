//! Programs for another processor than this computer's: out of Debian packages, which are only unpacked here. What a program
//! loads is read from its ELF headers, as nothing here can run it to ask.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use object::elf::{DT_NEEDED, FileHeader64};
use object::endian::Endianness;
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _};

use super::archive::Archive;
use super::kernel::files_below;
use crate::command;

/// Packages of one architecture, each in a folder of its own below one.
pub(super) struct Unpacked {
    packages: Vec<PathBuf>,
}

impl Unpacked {
    /// Downloads and unpacks what is not there yet.
    pub(super) fn get(archive: &Archive, folder: &Path, names: &[&str]) -> Result<Self> {
        let mut packages = Vec::new();
        for name in names {
            let package = folder.join(name);
            if !package.is_dir() {
                std::fs::create_dir_all(folder)
                    .with_context(|| format!("cannot create {}", folder.display()))?;
                // Renamed when it is whole.
                let work = tempfile::tempdir_in(folder).context("cannot make a folder for a download")?;
                if let Err(refusal) = archive.download(&[(*name).to_owned()], work.path())? {
                    anyhow::bail!("the archive refuses {name}: {refusal}");
                }
                let file = files_below(work.path())
                    .pop()
                    .with_context(|| format!("apt downloaded nothing for {name}"))?;
                let tree = work.path().join("tree");
                command::run(command::program("dpkg-deb").arg("-x").arg(file).arg(&tree))?;
                std::fs::rename(&tree, &package)
                    .with_context(|| format!("cannot write {}", package.display()))?;
            }
            packages.push(package);
        }
        Ok(Self { packages })
    }

    /// The program of this name.
    pub(super) fn program(&self, name: &str) -> Result<PathBuf> {
        const FOLDERS: [&str; 4] = ["usr/bin", "bin", "usr/sbin", "sbin"];
        let places =
            self.packages.iter().flat_map(|package| FOLDERS.map(|folder| package.join(folder).join(name)));
        let found = places.into_iter().find(|path| path.is_file());
        found.with_context(|| format!("none of the packages {} has the program `{name}`", self.names()))
    }

    /// All that the dynamic loader would load for the program, itself included: where it looks for it, and the file that has it
    /// here.
    pub(super) fn libraries(&self, program: &Path) -> Result<BTreeMap<PathBuf, PathBuf>> {
        let mut libraries = BTreeMap::new();
        let mut left = vec![program.to_owned()];
        while let Some(file) = left.pop() {
            let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let wanted = Wanted::of(&bytes).with_context(|| format!("in {}", file.display()))?;
            for name in wanted.interpreter.into_iter().chain(wanted.needed) {
                let (place, found) = self.library(&name).with_context(|| {
                    format!(
                        "{} needs `{name}`, which none of the packages {} has",
                        file.display(),
                        self.names()
                    )
                })?;
                if libraries.insert(place, found.clone()).is_none() {
                    left.push(found);
                }
            }
        }
        Ok(libraries)
    }

    /// A library by its name, or a file by its full path; links are followed within the package.
    fn library(&self, name: &str) -> Option<(PathBuf, PathBuf)> {
        self.packages.iter().find_map(|package| {
            if let Some(path) = name.strip_prefix('/') {
                let found = package.join(path).canonicalize().ok()?;
                return found.starts_with(package).then(|| (PathBuf::from(name), found));
            }
            ["lib", "usr/lib"].iter().find_map(|folder| {
                let folders = std::fs::read_dir(package.join(folder)).ok()?;
                folders.flatten().map(|folder| folder.path().join(name)).find(|path| path.is_file()).and_then(
                    |path| {
                        let place = Path::new("/").join(path.strip_prefix(package).ok()?);
                        Some((place, path))
                    },
                )
            })
        })
    }

    fn names(&self) -> String {
        let names = self.packages.iter().filter_map(|package| package.file_name());
        names.map(|name| name.to_string_lossy()).collect::<Vec<_>>().join(", ")
    }
}

/// What an ELF file asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    /// The dynamic loader, by its full path.
    interpreter: Option<String>,
    /// Libraries by name.
    needed: Vec<String>,
}

impl Wanted {
    /// Nothing for a static program.
    fn of(bytes: &[u8]) -> Result<Self> {
        let header = FileHeader64::<Endianness>::parse(bytes).context("it is no ELF file of 64 bits")?;
        let endian = header.endian()?;
        let mut wanted = Self::default();
        for segment in header.program_headers(endian, bytes)? {
            if let Some(path) = segment.interpreter(endian, bytes)? {
                wanted.interpreter = Some(String::from_utf8_lossy(path).into_owned());
            }
        }
        let sections = header.sections(endian, bytes)?;
        let Some((entries, link)) = sections.dynamic(endian, bytes)? else { return Ok(wanted) };
        let strings = sections.strings(endian, bytes, link)?;
        for entry in entries.iter().filter(|entry| entry.tag(endian) == DT_NEEDED) {
            wanted.needed.push(String::from_utf8_lossy(entry.string(endian, strings)?).into_owned());
        }
        Ok(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This test is a program that loads the C library, and the C library needs the loader.
    #[test]
    fn the_libraries_of_a_program_are_found_in_packages() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let ourselves = std::env::current_exe()?;
        let wanted = Wanted::of(&std::fs::read(&ourselves)?)?;
        let loader = wanted.interpreter.context("no interpreter")?;
        let lib = folder.path().join("libc/usr/lib/here");
        std::fs::create_dir_all(&lib)?;
        for name in &wanted.needed {
            // Something that needs nothing more: the loader itself.
            std::fs::copy(&loader, lib.join(name))?;
        }
        let unpacked = Unpacked { packages: vec![folder.path().canonicalize()?.join("libc")] };
        let error = unpacked.libraries(&ourselves).unwrap_err();
        assert!(
            format!("{error:#}").contains(&format!("needs `{loader}`, which none of the packages libc has"))
        );
        let place = folder.path().join("libc").join(loader.trim_start_matches('/'));
        std::fs::create_dir_all(place.parent().context("a folder")?)?;
        std::os::unix::fs::symlink(lib.canonicalize()?.join(&wanted.needed[0]), &place)?;
        let libraries = unpacked.libraries(&ourselves)?;
        assert!(libraries.contains_key(Path::new(&loader)), "{libraries:?}");
        for name in &wanted.needed {
            assert!(libraries.contains_key(&Path::new("/usr/lib/here").join(name)), "{libraries:?}");
        }
        assert!(unpacked.program("runc").is_err());
        Ok(())
    }

    #[test]
    fn what_is_no_program_is_refused() {
        assert!(Wanted::of(b"#!/bin/sh\n").is_err());
    }
}

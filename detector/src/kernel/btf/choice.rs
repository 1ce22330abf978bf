//! Which BTF describes the running kernel: the kernel's own, a file that the user names, or an archive of BTF files for
//! kernels that were built without.
//!
//! The archive's layout is the usual one: `DISTRIBUTION/VERSION/ARCHITECTURE/RELEASE.btf`, each file also as
//! `.btf.tar.xz`, by the names of `os-release` and `uname`. A folder with the files themselves is understood, too.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    archive_file,
    error::BtfError,
    source::{KERNEL_BTF, MAX_BTF_BYTES, read_kernel_btf},
};

/// Where to look; the default is the kernel alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BtfChoice {
    /// This file and no other, whatever the kernel shows.
    pub file: Option<PathBuf>,
    /// Searched when the kernel shows none.
    pub folder: Option<PathBuf>,
}

/// What names a kernel in the archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct System {
    /// `ID` of os-release; empty when it is not there.
    distribution: String,
    /// `VERSION_ID` of os-release.
    version: String,
    /// `uname -m`
    architecture: String,
    /// `uname -r`
    release: String,
}

impl BtfChoice {
    /// The bytes of the BTF that was chosen.
    pub fn read(&self) -> Result<Vec<u8>, BtfError> {
        let path = self.path()?;
        if archive_file::is_packed(&path) {
            return archive_file::unpack(&path, MAX_BTF_BYTES);
        }
        read_kernel_btf(&path).map_err(|error| match error {
            // The remedy for a kernel without BTF is no remedy for a name with a mistake in it.
            BtfError::NotThere { path } if self.file.is_some() => BtfError::NoSuchFile { path },
            other => other,
        })
    }

    /// The file that is read.
    pub fn path(&self) -> Result<PathBuf, BtfError> {
        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        let own = Path::new(KERNEL_BTF);
        match &self.folder {
            Some(folder) if !own.exists() => {
                let system = System::look();
                system.find(folder).ok_or_else(|| BtfError::NotInArchive {
                    folder: folder.clone(),
                    looked_for: system.candidates().join(", "),
                })
            }
            _ => Ok(own.to_owned()),
        }
    }
}

impl System {
    /// This one. Inside a container the host's os-release is meant, which `HOST_ROOT` leads to.
    fn look() -> Self {
        let root = std::env::var_os("HOST_ROOT").map(PathBuf::from).unwrap_or_default();
        let read = |file: &str| fs::read_to_string(root.join(file)).ok();
        // With an empty root the paths are relative, so both begin at the real one.
        let text = if root.as_os_str().is_empty() {
            fs::read_to_string("/etc/os-release").or_else(|_| fs::read_to_string("/usr/lib/os-release")).ok()
        } else {
            read("etc/os-release").or_else(|| read("usr/lib/os-release"))
        };
        let text = text.unwrap_or_default();
        let mut system = Self {
            distribution: os_release(&text, "ID"),
            version: os_release(&text, "VERSION_ID"),
            ..Self::default()
        };
        if let Ok(name) = nix::sys::utsname::uname() {
            system.architecture = name.machine().to_string_lossy().into_owned();
            system.release = name.release().to_string_lossy().into_owned();
        }
        system
    }

    /// Paths below the archive, the most exact first. A distribution's version may have a point release that the
    /// archive's folder has not.
    fn candidates(&self) -> Vec<String> {
        let file = &self.release;
        let mut folders = Vec::new();
        if !self.distribution.is_empty() {
            let mut version = self.version.as_str();
            while !version.is_empty() {
                folders.push(format!("{}/{version}/{}/", self.distribution, self.architecture));
                version = version.rsplit_once('.').map_or("", |(major, _)| major);
            }
        }
        folders.push(String::new());
        folders
            .iter()
            .flat_map(|folder| [".btf", ".btf.tar.xz"].map(|end| format!("{folder}{file}{end}")))
            .collect()
    }

    fn find(&self, folder: &Path) -> Option<PathBuf> {
        self.candidates().into_iter().map(|name| folder.join(name)).find(|path| path.is_file())
    }
}

/// A value of os-release, without its quotes.
fn os_release(text: &str, key: &str) -> String {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    value.unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::{BtfChoice, BtfError, System, os_release};

    fn system() -> System {
        System {
            distribution: "centos".to_owned(),
            version: "7.9.2".to_owned(),
            architecture: "x86_64".to_owned(),
            release: "3.10.0-1160".to_owned(),
        }
    }

    #[test]
    fn an_archive_is_searched_from_the_most_exact_place_on() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(system().find(folder.path()), None);
        let mut last = None;
        for (place, file) in [
            ("", "3.10.0-1160.btf.tar.xz"),
            ("", "3.10.0-1160.btf"),
            ("centos/7/x86_64", "3.10.0-1160.btf.tar.xz"),
        ] {
            let place = folder.path().join(place);
            std::fs::create_dir_all(&place).unwrap();
            std::fs::write(place.join(file), "").unwrap();
            let found = system().find(folder.path());
            assert_eq!(found, Some(place.join(file)));
            assert_ne!(found, last);
            last = found;
        }
    }

    #[test]
    fn a_file_that_is_named_is_the_one() {
        let choice = BtfChoice { file: Some("/x/y".into()), folder: Some("/z".into()) };
        assert_eq!(choice.path().unwrap(), std::path::Path::new("/x/y"));
        let error = choice.read().unwrap_err();
        assert!(
            matches!(error, BtfError::NoSuchFile { .. }) && error.to_string().contains("/x/y"),
            "{error}"
        );
    }

    #[test]
    fn os_release_is_read_with_and_without_quotes() {
        let text = "NAME=\"x\"\nID=debian\nVERSION_ID=\"12\"\nID_LIKE=other\n";
        assert_eq!((os_release(text, "ID"), os_release(text, "VERSION_ID")), ("debian".into(), "12".into()));
        assert_eq!(os_release("", "ID"), "");
    }
}

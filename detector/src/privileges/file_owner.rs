//! Whoever can write the rules of an agent that runs as root decides what it sees and where it tells it: files that
//! others could have written are refused.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use nix::sys::statvfs::{FsFlags, statvfs};

/// A file that somebody else than root could have written.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{path} {what}, so others than root could steer the agent; make it safe: chown root:root {path} && chmod go-w {path}"
)]
pub struct UnsafeFile {
    path: PathBuf,
    what: String,
}

/// Who may write what the agent reads.
#[derive(Clone, Copy, Debug)]
pub struct Trusted {
    /// Besides root: who called sudo, and is root by that.
    user: Option<u32>,
    group: Option<u32>,
}

impl Trusted {
    /// For an agent that runs as root; `None` for any other, whose rights are those of the files' readers.
    #[must_use]
    pub fn find() -> Option<Self> {
        let number = |name: &str| std::env::var(name).ok()?.parse().ok();
        nix::unistd::geteuid().is_root().then(|| Self { user: number("SUDO_UID"), group: number("SUDO_GID") })
    }

    /// Looks at files, and at folders with the files in them. What does not exist is nobody's: who reads it says so.
    pub fn check<'a>(self, paths: impl IntoIterator<Item = &'a Path>) -> Result<(), UnsafeFile> {
        for path in paths {
            let Ok(data) = fs::metadata(path) else { continue };
            self.check_one(path, &data)?;
            if data.is_dir() {
                for entry in fs::read_dir(path).into_iter().flatten().flatten() {
                    if let Ok(data) = fs::metadata(entry.path())
                        && data.is_file()
                    {
                        self.check_one(&entry.path(), &data)?;
                    }
                }
            } else if data.is_file()
                && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
                && let Ok(data) = fs::metadata(folder)
                // In a folder like /tmp others cannot replace the file.
                && data.mode() & libc::S_ISVTX == 0
            {
                self.check_one(folder, &data)?;
            }
        }
        Ok(())
    }

    fn check_one(self, path: &Path, data: &Metadata) -> Result<(), UnsafeFile> {
        let fault = self.fault(data.uid(), data.gid(), data.mode());
        // Whoever mounts something for the agent to read answers for it. Kubernetes makes the folders of ConfigMaps
        // writable for everybody, and mounts them read-only.
        let fault =
            fault.filter(|_| !statvfs(path).is_ok_and(|mount| mount.flags().contains(FsFlags::ST_RDONLY)));
        fault.map_or(Ok(()), |what| Err(UnsafeFile { path: path.to_path_buf(), what }))
    }

    fn fault(self, user: u32, group: u32, mode: u32) -> Option<String> {
        if user != 0 && Some(user) != self.user {
            Some(format!("belongs to the user {user}"))
        } else if mode & libc::S_IWOTH != 0 {
            Some("can be written by everybody".to_owned())
        } else if mode & libc::S_IWGRP != 0 && group != 0 && Some(group) != self.group {
            Some(format!("can be written by the group {group}"))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

    use super::Trusted;

    const ROOT: Trusted = Trusted { user: None, group: None };

    #[test]
    fn root_and_who_called_sudo_may_write() {
        let sudo = Trusted { user: Some(1000), group: Some(1000) };
        for (user, group, mode, plain, with_sudo) in [
            (0, 0, 0o644, true, true),
            (0, 0, 0o664, true, true),
            (0, 0, 0o646, false, false),
            (0, 7, 0o664, false, false),
            (0, 7, 0o644, true, true),
            (1000, 1000, 0o664, false, true),
            (1001, 0, 0o600, false, false),
        ] {
            assert_eq!(ROOT.fault(user, group, mode).is_none(), plain, "{user} {group} {mode:o}");
            assert_eq!(sudo.fault(user, group, mode).is_none(), with_sudo, "{user} {group} {mode:o}");
        }
    }

    #[test]
    fn a_folder_is_as_safe_as_what_is_in_it() {
        // Whoever runs the tests stands for root.
        let me = Trusted {
            user: Some(nix::unistd::getuid().as_raw()),
            group: Some(nix::unistd::getgid().as_raw()),
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.yaml");
        fs::write(&file, "").unwrap();
        let allow = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(me.check([folder.path(), &file, Path::new("/no/such/file")]), Ok(()));
        allow(&file, 0o666);
        for path in [folder.path(), &file] {
            let text = me.check([path]).unwrap_err().to_string();
            assert!(
                text.contains("rules.yaml can be written by everybody") && text.contains("chmod go-w"),
                "{text}"
            );
        }
        allow(&file, 0o600);
        allow(folder.path(), 0o777);
        assert!(me.check([file.as_path()]).is_err());
        // As /tmp is.
        allow(folder.path(), 0o1777);
        assert_eq!(me.check([file.as_path()]), Ok(()));
    }
}

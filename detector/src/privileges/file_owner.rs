//! Whoever can write the rules of an agent that runs as root decides what it sees and where it tells it: files that
//! others could have written are refused, and so are files on whose way something is that others could exchange: a folder
//! above them, or a link. With all of the way in safe hands nobody else can put another file in its place between this
//! look and the reading.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs::{self, Metadata},
    os::unix::fs::MetadataExt as _,
    path::{Component, Path, PathBuf},
};

use nix::sys::statvfs::{FsFlags, statvfs};

/// Links on one way, as many as the kernel follows.
const LINKS: usize = 40;

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
            self.check_way(path)?;
            let Ok(data) = fs::metadata(path) else { continue };
            self.check_one(path, &data)?;
            if data.is_dir() {
                for entry in fs::read_dir(path).into_iter().flatten().flatten() {
                    let entry = entry.path();
                    if let Ok(data) = fs::metadata(&entry)
                        && data.is_file()
                    {
                        self.check_way(&entry)?;
                        self.check_one(&entry, &data)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Looks at all folders and links on the way to a file, one after the other from the root on, as the kernel does.
    fn check_way(self, path: &Path) -> Result<(), UnsafeFile> {
        let Ok(path) = std::path::absolute(path) else { return Ok(()) };
        let mut ahead: VecDeque<OsString> = names(&path).collect();
        let mut here = PathBuf::from("/");
        let mut links = 0;
        loop {
            // What is not there ends the way.
            let Ok(data) = fs::symlink_metadata(&here) else { return Ok(()) };
            if data.is_symlink() {
                // Nobody else can put another link there in a folder that is safe, but in one like /tmp it may be theirs.
                if let Some(what) = self.owner_fault(data.uid()) {
                    return Err(UnsafeFile { path: here, what });
                }
                links += 1;
                let Ok(target) = fs::read_link(&here) else { return Ok(()) };
                if links > LINKS {
                    return Ok(());
                }
                here.pop();
                if target.is_absolute() {
                    here = PathBuf::from("/");
                }
                names(&target).rev().for_each(|name| ahead.push_front(name));
            } else if !ahead.is_empty() && data.mode() & libc::S_ISVTX == 0 {
                // In a folder like /tmp others cannot exchange what is not theirs.
                self.check_one(&here, &data)?;
            } else if !ahead.is_empty()
                && let Some(what) = self.owner_fault(data.uid())
            {
                return Err(UnsafeFile { path: here, what });
            }
            match ahead.pop_front() {
                None => return Ok(()),
                Some(name) if name == ".." => drop(here.pop()),
                Some(name) => here.push(name),
            }
        }
    }

    fn check_one(self, path: &Path, data: &Metadata) -> Result<(), UnsafeFile> {
        let fault = self.fault(data.uid(), data.gid(), data.mode());
        // Whoever mounts something for the agent to read answers for it. Kubernetes makes the folders of ConfigMaps
        // writable for everybody, and mounts them read-only.
        let fault =
            fault.filter(|_| !statvfs(path).is_ok_and(|mount| mount.flags().contains(FsFlags::ST_RDONLY)));
        fault.map_or(Ok(()), |what| Err(UnsafeFile { path: path.to_path_buf(), what }))
    }

    fn owner_fault(self, user: u32) -> Option<String> {
        (user != 0 && Some(user) != self.user).then(|| format!("belongs to the user {user}"))
    }

    fn fault(self, user: u32, group: u32, mode: u32) -> Option<String> {
        if let Some(fault) = self.owner_fault(user) {
            Some(fault)
        } else if mode & libc::S_IWOTH != 0 {
            Some("can be written by everybody".to_owned())
        } else if mode & libc::S_IWGRP != 0 && group != 0 && Some(group) != self.group {
            Some(format!("can be written by the group {group}"))
        } else {
            None
        }
    }
}

/// The names on a way.
fn names(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    let names: Vec<OsString> = path
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            _ => None,
        })
        .collect();
    names.into_iter()
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
        path::Path,
    };

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
    /// An attacker who may write a folder far above the file moves the safe folder away, and puts another in its place.
    #[test]
    fn the_whole_way_must_be_safe() {
        let me = Trusted {
            user: Some(nix::unistd::getuid().as_raw()),
            group: Some(nix::unistd::getgid().as_raw()),
        };
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        fs::create_dir_all(&deep).unwrap();
        let file = deep.join("rules.yaml");
        fs::write(&file, "").unwrap();
        let allow = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let by_link = folder.path().join("link");
        symlink("a/../a/b/c", &by_link).unwrap();
        for path in [&file, &deep, &by_link.join("rules.yaml"), &by_link] {
            allow(&folder.path().join("a"), 0o755);
            assert_eq!(me.check([path.as_path()]), Ok(()), "{path:?}");
            allow(&folder.path().join("a"), 0o777);
            let error = me.check([path.as_path()]).unwrap_err();
            assert!(error.path.ends_with("a"), "{path:?}: {error}");
        }
        // Without an end.
        symlink("round", folder.path().join("round")).unwrap();
        assert_eq!(me.check([folder.path().join("round").as_path()]), Ok(()));
    }

    /// The link itself may be an attacker's, in /tmp, and be turned to another file after the look.
    #[test]
    fn a_link_of_somebody_else_is_refused_wherever_it_leads() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.yaml");
        fs::write(&file, "").unwrap();
        let link = folder.path().join("link");
        symlink(&file, &link).unwrap();
        assert_eq!(ROOT.check([link.as_path()]), Ok(()));
        std::os::unix::fs::lchown(&link, Some(1000), None).unwrap();
        assert!(ROOT.check([link.as_path()]).unwrap_err().to_string().contains("belongs to the user 1000"));
        assert!(ROOT.check([folder.path()]).is_err(), "in a folder of rules, too");
    }
}

//! Reads small files of places that others write to: never more than asked for, never something else than a regular
//! file, never a file outside of the place.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2},
    sys::stat::Mode,
};

use crate::event::MissingReason;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// It is not there.
    #[error("there is no such file")]
    Absent,
    /// A link leads out of the place, or there is a link where none may be.
    #[error("a link leads out of the place that it must stay in")]
    Outside,
    /// A fifo, a device, a socket, a directory.
    #[error("not a regular file")]
    NotRegular,
    /// Longer than its bound.
    #[error("longer than {bound} bytes")]
    TooLarge {
        /// The bound.
        bound: usize,
    },
    /// Its content is not what it should be.
    #[error("the content cannot be understood: {0}")]
    Garbage(String),
    /// Anything else.
    #[error("{0}")]
    Io(#[source] io::Error),
}

impl ReadError {
    /// What an alert says about it.
    pub(super) const fn reason(&self) -> MissingReason {
        match self {
            Self::Absent => MissingReason::NotFound,
            Self::TooLarge { .. } => MissingReason::TooLarge,
            Self::Garbage(_) | Self::NotRegular => MissingReason::Garbage,
            Self::Outside | Self::Io(_) => MissingReason::Unreadable,
        }
    }
}

impl From<Errno> for ReadError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::ENOENT | Errno::ENOTDIR | Errno::ESRCH => Self::Absent,
            Errno::ELOOP | Errno::EXDEV => Self::Outside,
            // A socket, or a device that nobody serves.
            Errno::ENXIO | Errno::ENODEV => Self::NotRegular,
            other => Self::Io(other.into()),
        }
    }
}

/// How links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    /// Not at all.
    Refuse,
    /// As a process would whose root directory the place is: none leads out.
    InRoot,
}

/// Opens a directory to read below.
pub(super) fn open_place(path: &Path) -> Result<OwnedFd, ReadError> {
    Ok(open(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?)
}

/// The whole content of a regular file below `place` that has at most `bound` bytes.
pub(super) fn read_below(
    place: BorrowedFd<'_>,
    path: &Path,
    links: Links,
    bound: usize,
) -> Result<Vec<u8>, ReadError> {
    // Links are resolved below the place, so an absolute path starts there.
    let path = path.strip_prefix("/").unwrap_or(path);
    let resolve = ResolveFlag::RESOLVE_NO_MAGICLINKS
        | match links {
            Links::Refuse => ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS,
            Links::InRoot => ResolveFlag::RESOLVE_IN_ROOT,
        };
    // Without O_NONBLOCK the opening of a fifo would wait for a writer. A device may do anything when it is opened, so
    // first only the name is taken (O_PATH) and looked at.
    let how = |flags| OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(resolve);
    let found = File::from(openat2(place, path, how(OFlag::O_PATH))?);
    if !found.metadata().map_err(ReadError::Io)?.is_file() {
        return Err(ReadError::NotRegular);
    }
    let file = File::from(openat2(place, path, how(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY))?);
    // The name may mean another file by now.
    let metadata = file.metadata().map_err(ReadError::Io)?;
    if !metadata.is_file() {
        return Err(ReadError::NotRegular);
    }
    if usize::try_from(metadata.len()).map_or(true, |length| length > bound) {
        return Err(ReadError::TooLarge { bound });
    }
    read_all(file, bound)
}

/// Whether this name below `place` is a link, wherever it leads.
pub(super) fn is_link(place: BorrowedFd<'_>, path: &Path) -> bool {
    let path = path.strip_prefix("/").unwrap_or(path);
    let resolve = ResolveFlag::RESOLVE_NO_MAGICLINKS | ResolveFlag::RESOLVE_IN_ROOT;
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC).resolve(resolve);
    let found = openat2(place, path, how).ok().map(File::from);
    found.and_then(|file| file.metadata().ok()).is_some_and(|metadata| metadata.is_symlink())
}

/// As [`read_below`], for a place by its path; no links below it.
pub(super) fn read_in(place: &Path, path: impl AsRef<Path>, bound: usize) -> Result<Vec<u8>, ReadError> {
    read_below(open_place(place)?.as_fd(), path.as_ref(), Links::Refuse, bound)
}

/// A file of procfs: its size is not known before it is read. `path` is made by the agent alone.
pub(super) fn read_proc(path: &Path, bound: usize) -> Result<Vec<u8>, ReadError> {
    let file = open(path, OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())?;
    read_all(File::from(file), bound)
}

/// Files can grow, and those of procfs do not know their size: the bound holds for what is read.
fn read_all(file: File, bound: usize) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(bound).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(|error| match error.raw_os_error() {
        Some(libc::ESRCH) => ReadError::Absent,
        _ => ReadError::Io(error),
    })?;
    if bytes.len() > bound {
        return Err(ReadError::TooLarge { bound });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::{fd::AsFd, unix::fs::symlink, unix::net::UnixListener},
        path::Path,
    };

    use nix::{sys::stat::Mode, unistd::mkfifo};

    use super::{Links, ReadError, open_place, read_below, read_in, read_proc};

    fn in_root(place: &Path, path: &str) -> Result<Vec<u8>, ReadError> {
        read_below(open_place(place).unwrap().as_fd(), Path::new(path), Links::InRoot, 100)
    }

    #[test]
    fn a_file_is_read_whole_up_to_its_bound() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("f"), [b'x'; 100]).unwrap();
        assert_eq!(read_in(place.path(), "f", 100).unwrap().len(), 100);
        assert!(matches!(read_in(place.path(), "f", 99), Err(ReadError::TooLarge { bound: 99 })));
        assert!(matches!(read_in(place.path(), "g", 99), Err(ReadError::Absent)));
        assert!(matches!(read_in(place.path(), "f/g", 99), Err(ReadError::Absent)));
    }

    #[test]
    fn a_sparse_giant_is_refused_by_its_size() {
        let place = tempfile::tempdir().unwrap();
        fs::File::create(place.path().join("f")).unwrap().set_len(1 << 40).unwrap();
        assert!(matches!(read_in(place.path(), "f", 1 << 20), Err(ReadError::TooLarge { .. })));
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting() {
        let place = tempfile::tempdir().unwrap();
        mkfifo(&place.path().join("fifo"), Mode::S_IRWXU).unwrap();
        let _listener = UnixListener::bind(place.path().join("socket")).unwrap();
        fs::create_dir(place.path().join("folder")).unwrap();
        for name in ["fifo", "socket", "folder"] {
            let read = read_in(place.path(), name, 100);
            assert!(matches!(read, Err(ReadError::NotRegular)), "{name}: {read:?}");
        }
        assert!(matches!(in_root(Path::new("/"), "/dev/null"), Err(ReadError::NotRegular)));
    }

    #[test]
    fn links_stay_in_the_place() {
        let outer = tempfile::tempdir().unwrap();
        fs::write(outer.path().join("secret"), "of the host").unwrap();
        let place = outer.path().join("root");
        fs::create_dir_all(place.join("etc")).unwrap();
        fs::write(place.join("etc/real"), "of the container").unwrap();
        symlink("/etc/real", place.join("etc/absolute")).unwrap();
        symlink("../../../etc/real", place.join("etc/up")).unwrap();
        symlink(outer.path().join("secret"), place.join("etc/host")).unwrap();
        symlink("../../secret", place.join("etc/above")).unwrap();
        symlink("loop", place.join("etc/loop")).unwrap();
        for name in ["etc/absolute", "etc/up"] {
            assert_eq!(in_root(&place, name).unwrap(), b"of the container", "{name}");
            assert!(matches!(read_in(&place, name, 100), Err(ReadError::Outside)), "{name}");
        }
        for name in ["etc/host", "etc/above"] {
            assert!(matches!(in_root(&place, name), Err(ReadError::Absent)), "{name}");
        }
        assert!(matches!(in_root(&place, "etc/loop"), Err(ReadError::Outside)));
        assert!(matches!(read_in(&place, "../secret", 100), Err(ReadError::Outside)));
    }

    #[test]
    fn magic_links_of_procfs_are_refused() {
        let read = in_root(Path::new("/proc"), "self/root/etc/passwd");
        assert!(matches!(read, Err(ReadError::Outside)), "{read:?}");
    }

    #[test]
    fn procfs_is_read_though_its_files_have_no_size() {
        assert!(!read_proc(Path::new("/proc/self/status"), 1 << 16).unwrap().is_empty());
        assert!(matches!(read_proc(Path::new("/proc/self/status"), 10), Err(ReadError::TooLarge { .. })));
        assert!(matches!(read_proc(Path::new("/proc/4194305/status"), 10), Err(ReadError::Absent)));
    }
}

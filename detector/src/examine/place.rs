//! A container as it can still be reached: by the process of the event, by one above it in the same mount namespace, or by
//! any other there.

use std::{
    fs::File,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2},
    sys::stat::{Mode, fstat, major, minor},
};

use super::{
    mount_table::{self, Mount},
    neighbour::{Neighbours, lives_in},
};
use crate::event::{ExecEvent, Finding, Gap};

/// `OVERLAYFS_SUPER_MAGIC`
const OVERLAY_MAGIC: u64 = 0x794c_7630;
/// Bytes of `mountinfo` that are read.
const MOUNTS: u64 = 4 << 20;
/// Bytes of `fdinfo` that are read.
const FD_INFO: u64 = 4096;

/// The way in.
pub(super) struct Place {
    /// Root directory of the process that is the way in.
    root: OwnedFd,
    /// What is mounted where.
    pub(super) mounts: Vec<Mount>,
}

impl Place {
    /// The first process that lives and is in the event's mount namespace, with its root directory on the same overlay.
    pub(super) fn of(event: &ExecEvent, proc: &Path, neighbours: &Neighbours) -> Option<Self> {
        let mut own = std::iter::once(event.process.pid).chain(event.ancestors.iter().map(|one| one.pid));
        let namespace = event.namespaces.mnt;
        let by = |pid| Self::by_process(pid, namespace, proc).filter(|place| place.may_be_root_of(event));
        own.find_map(by).or_else(|| neighbours.of(namespace, proc).and_then(by))
    }

    fn by_process(pid: u32, namespace: u32, proc: &Path) -> Option<Self> {
        if !lives_in(pid, namespace, proc) {
            return None;
        }
        let folder = proc.join(pid.to_string());
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = open(&folder.join("root"), flags, Mode::empty()).ok()?;
        let mounts = mount_table::parse(&read_some(&folder.join("mountinfo"), MOUNTS)?);
        // The number may be another process's by now; then what was opened may be another root.
        lives_in(pid, namespace, proc).then_some(Self { root, mounts })
    }

    /// Whether the event's process may have had this root directory. Elsewhere than on overlays directories show other devices
    /// than their file system has.
    fn may_be_root_of(&self, event: &ExecEvent) -> bool {
        let Some((device, OVERLAY_MAGIC)) = event.file.root else { return true };
        fstat(&self.root).is_ok_and(|data| {
            (major(data.st_dev), minor(data.st_dev))
                == (u64::from(device >> 20), u64::from(device & 0xf_ffff))
        })
    }

    /// Opens a file as a process of the container would: links stay inside.
    pub(super) fn open(&self, path: &Path) -> Finding<File> {
        let path = path.strip_prefix("/").unwrap_or(path);
        let how = |flags| {
            OpenHow::new()
                .flags(flags | OFlag::O_CLOEXEC)
                .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS)
        };
        // First only the name: what opening a device or a fifo does is not ours to start.
        let named = File::from(openat2(&self.root, path, how(OFlag::O_PATH)).map_err(gap)?);
        if !named.metadata().map_err(|_| Gap::Unreadable)?.is_file() {
            return Err(Gap::NotRegular);
        }
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = File::from(openat2(&self.root, path, how(flags)).map_err(gap)?);
        if file.metadata().map_err(|_| Gap::Unreadable)?.is_file() { Ok(file) } else { Err(Gap::NotRegular) }
    }

    /// The mount that an open file lies on, as the container numbers it.
    pub(super) fn mount_of(&self, file: &File) -> Option<&Mount> {
        let text = read_some(Path::new(&format!("/proc/self/fdinfo/{}", file.as_raw_fd())), FD_INFO)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let id = text.lines().find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse::<u64>().ok())?;
        self.mounts.iter().find(|mount| mount.id == id)
    }
}

fn gap(error: nix::Error) -> Gap {
    match error {
        nix::Error::ENOENT | nix::Error::ENOTDIR => Gap::Gone,
        nix::Error::ENXIO | nix::Error::ENODEV => Gap::NotRegular,
        _ => Gap::Unreadable,
    }
}

fn read_some(path: &Path, bound: u64) -> Option<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(bound).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// The path of an open file from the top of its mount namespace, links resolved; `None` when it has no name any more.
pub(super) fn path_of(file: &File) -> Option<PathBuf> {
    let path = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    (path.is_absolute() && !path.as_os_str().as_bytes().ends_with(b" (deleted)")).then_some(path)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

    use super::{Neighbours, OVERLAY_MAGIC, Place, major, minor, path_of};
    use crate::event::{Gap, example};

    fn own_namespace() -> u32 {
        let link = fs::read_link("/proc/self/ns/mnt").unwrap().into_os_string().into_string().unwrap();
        link["mnt:[".len()..link.len() - 1].parse().unwrap()
    }

    fn own() -> Place {
        let mut event = example::exec();
        event.process.pid = std::process::id();
        event.namespaces.mnt = own_namespace();
        event.file.root = None;
        Place::of(&event, Path::new("/proc"), &Neighbours::default()).unwrap()
    }

    #[test]
    fn a_living_process_of_the_namespace_is_the_way_in() {
        let place = own();
        let file = place.open(&std::env::current_exe().unwrap()).unwrap();
        assert_eq!(path_of(&file), Some(std::env::current_exe().unwrap().canonicalize().unwrap()));
        assert!(place.mount_of(&file).is_some());
    }

    #[test]
    fn a_process_of_another_namespace_is_none() {
        let mut event = example::exec();
        event.process.pid = std::process::id();
        event.namespaces.mnt = 1;
        event.file.root = None;
        assert!(Place::of(&event, Path::new("/proc"), &Neighbours::default()).is_none());
    }

    #[test]
    fn of_processes_that_are_gone_a_neighbour_is_the_way_in() {
        let mut event = example::exec();
        event.process.pid = u32::MAX;
        event.ancestors.clear();
        event.namespaces.mnt = own_namespace();
        event.file.root = None;
        assert!(Place::of(&event, Path::new("/proc"), &Neighbours::default()).is_some());
    }

    /// A shell that has gone into an overlay of its own by chroot: what lies under the same names there is something else.
    #[test]
    fn a_root_on_another_overlay_is_no_way_in() {
        let mut event = example::exec();
        event.process.pid = std::process::id();
        event.namespaces.mnt = own_namespace();
        let device = fs::metadata("/").unwrap().dev();
        let own = u32::try_from((major(device) << 20) | minor(device)).unwrap();
        let found = |event: &crate::event::ExecEvent| {
            Place::of(event, Path::new("/proc"), &Neighbours::default()).is_some()
        };
        for (root, expected) in [
            (Some((own, OVERLAY_MAGIC)), true),
            (Some((own + 1, OVERLAY_MAGIC)), false),
            (Some((own + 1, 0xef53)), true),
            (None, true),
        ] {
            event.file.root = root;
            assert_eq!(found(&event), expected, "{root:?}");
        }
    }

    #[test]
    fn what_is_no_file_is_not_opened() {
        let place = own();
        let error = |path: &str| place.open(Path::new(path)).map(|_| ()).unwrap_err();
        assert_eq!(error("/nowhere/x"), Gap::Gone);
        assert_eq!(error("/dev/null"), Gap::NotRegular);
        assert_eq!(error("/tmp"), Gap::NotRegular);
    }
}

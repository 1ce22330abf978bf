//! Sees that a file of the configuration or of the rules has changed. Asleep until the kernel says so.
//!
//! Editors replace files, packages rename them, and Kubernetes swaps a link above them. So folders are watched, and the
//! files themselves behind their links.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    io,
    os::fd::{AsFd, AsRawFd, RawFd},
    path::{Path, PathBuf},
};

use log::warn;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};
use tokio::io::{Interest, unix::AsyncFd};

/// The link that Kubernetes swaps when a `ConfigMap` changes.
const SWAPPED_LINK: &str = "..data";

/// Which names of a watched folder matter.
enum Names {
    Yaml,
    These(Vec<OsString>),
}

impl Names {
    fn has(&self, name: &OsStr) -> bool {
        match self {
            Self::Yaml => {
                let extension = Path::new(name).extension();
                extension.is_some_and(|extension| extension == "yaml" || extension == "yml")
            }
            Self::These(names) => names.iter().any(|one| one == name),
        }
    }
}

struct Fd(Inotify);

impl AsRawFd for Fd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// The watched files.
pub(super) struct Watch {
    inotify: AsyncFd<Fd>,
    folders: HashMap<WatchDescriptor, Names>,
}

impl Watch {
    /// Watches these files and folders, there or not; must be called inside the runtime.
    pub(super) fn new(paths: &[PathBuf]) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        // SAFETY: the descriptor belongs to the `Inotify` inside, which lives as long as the AsyncFd and is never replaced.
        let inotify = unsafe { AsyncFd::register_with_interest(Fd(inotify), Interest::READABLE) }?;
        let mut watch = Self { inotify, folders: HashMap::new() };
        for path in paths {
            watch.add(path);
        }
        Ok(watch)
    }

    fn add(&mut self, path: &Path) {
        if path.is_dir() {
            self.folder(path, Names::Yaml);
            return;
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.folder(folder, Names::These(path.file_name().map(OsStr::to_owned).into_iter().collect()));
        let file =
            AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_MOVE_SELF | AddWatchFlags::IN_DELETE_SELF;
        // Not there yet: the folder will tell.
        let _ = self.inotify.get_ref().0.add_watch(path, file);
    }

    fn folder(&mut self, folder: &Path, names: Names) {
        let flags = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_MOVED_TO;
        match self.inotify.get_ref().0.add_watch(folder, flags) {
            Ok(descriptor) => match (self.folders.get_mut(&descriptor), names) {
                (Some(Names::These(known)), Names::These(more)) => known.extend(more),
                (Some(Names::Yaml), _) => {}
                (_, names) => drop(self.folders.insert(descriptor, names)),
            },
            Err(nix::errno::Errno::ENOENT) => {}
            Err(errno) => warn!(
                "cannot watch {}: {errno}; its changes need a SIGHUP (is fs.inotify.max_user_watches reached?)",
                folder.display()
            ),
        }
    }

    /// Waits until something that matters has changed.
    pub(super) async fn changed(&mut self) -> io::Result<()> {
        loop {
            let mut guard = self.inotify.readable_mut().await?;
            guard.clear_ready();
            let mut matters = false;
            loop {
                match guard.get_inner_mut().0.read_events() {
                    Ok(events) => matters |= events.iter().any(|event| says_change(&self.folders, event)),
                    Err(nix::errno::Errno::EINTR) => {}
                    Err(nix::errno::Errno::EAGAIN) => break,
                    Err(errno) => return Err(errno.into()),
                }
            }
            if matters {
                return Ok(());
            }
        }
    }
}

fn says_change(folders: &HashMap<WatchDescriptor, Names>, event: &InotifyEvent) -> bool {
    match &event.name {
        Some(name) => name == SWAPPED_LINK || folders.get(&event.wd).is_some_and(|names| names.has(name)),
        // A file itself, or more news than the kernel keeps. A watch that ends says nothing new.
        None => !event.mask.contains(AddWatchFlags::IN_IGNORED),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::PathBuf, time::Duration};

    use super::Watch;

    /// Whether a change is seen. The kernel tells before the call that changes something returns.
    fn seen(paths: &[PathBuf], change: impl FnOnce()) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut watch = Watch::new(paths).unwrap();
            change();
            tokio::time::timeout(Duration::from_millis(200), watch.changed()).await.is_ok()
        })
    }

    #[test]
    fn files_are_seen_however_they_change() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a.yaml"), "1").unwrap();
        let paths = [at("a.yaml")];
        assert!(seen(&paths, || fs::write(at("a.yaml"), "2").unwrap()));
        fs::write(at("b"), "3").unwrap();
        assert!(!seen(&paths, || fs::write(at("b"), "4").unwrap()), "another file");
        assert!(seen(&paths, || fs::rename(at("b"), at("a.yaml")).unwrap()));
        assert!(seen(&paths, || fs::remove_file(at("a.yaml")).unwrap()));
        assert!(seen(&paths, || fs::write(at("a.yaml"), "5").unwrap()), "it comes back");
    }

    #[test]
    fn folders_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let paths = [folder.path().to_owned()];
        assert!(seen(&paths, || fs::write(folder.path().join("r.yml"), "1").unwrap()));
        assert!(!seen(&paths, || fs::write(folder.path().join(".r.yml.swp"), "1").unwrap()));
        assert!(seen(&paths, || fs::remove_file(folder.path().join("r.yml")).unwrap()));
    }

    #[test]
    fn a_swapped_link_of_kubernetes_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for version in ["v1", "v2"] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("a.yaml"), version).unwrap();
        }
        symlink("v1", at("..data")).unwrap();
        symlink("..data/a.yaml", at("a.yaml")).unwrap();
        symlink("v2", at("..tmp")).unwrap();
        assert!(seen(&[at("a.yaml")], || fs::rename(at("..tmp"), at("..data")).unwrap()));
    }
}

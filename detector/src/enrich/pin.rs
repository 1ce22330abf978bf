//! The root directory of a container, opened the moment an event arrives: its process can be gone a millisecond later,
//! and with it the last way to the container's files.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::bounded_read::open_place;
use crate::event::ExecEvent;

/// Roots that are held open at the same time. Far below the usual limit of 1024 descriptors.
const PINS: usize = 256;

/// An open root directory.
#[derive(Debug)]
pub(super) struct Pin {
    root: OwnedFd,
    open: Arc<AtomicUsize>,
}

impl Pin {
    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Opens roots, so many at the same time.
#[derive(Debug, Default)]
pub(super) struct Pins {
    open: Arc<AtomicUsize>,
}

impl Pins {
    /// The root directory of the topmost process that lives in the mount namespace of this event; `None` when all of
    /// them are gone, or too many roots are open. `proc`: where procfs is mounted.
    ///
    /// Opening it (`O_PATH`) asks nothing of the container's file system, so it cannot hang there.
    pub(super) fn pin(&self, event: &ExecEvent, proc: &Path) -> Option<Pin> {
        let taken = self
            .open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| (open < PINS).then_some(open + 1));
        taken.ok()?;
        let root = root_of(event, proc);
        if root.is_none() {
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
        root.map(|root| Pin { root, open: Arc::clone(&self.open) })
    }
}

/// The topmost one counts, because a process can change its own root to show other files.
fn root_of(event: &ExecEvent, proc: &Path) -> Option<OwnedFd> {
    let namespace = format!("mnt:[{}]", event.namespaces.mnt);
    let above = event.ancestors.iter().rev().map(|ancestor| ancestor.pid);
    above.chain([event.process.pid]).find_map(|pid| {
        let folder = proc.join(pid.to_string());
        let is_there = || {
            let link = std::fs::read_link(folder.join("ns/mnt")).ok()?;
            (link.as_os_str() == namespace.as_str()).then_some(())
        };
        is_there()?;
        let root = open_place(&folder.join("root")).ok()?;
        // The number may belong to another process by now; then what was opened may be another root.
        is_there().map(|()| root)
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt, path::Path};

    use super::{PINS, Pins};
    use crate::{enrich::sample::container, event::ExecEvent};

    /// An event of this very process.
    fn own() -> ExecEvent {
        let inode = fs::metadata("/proc/self/ns/mnt").unwrap().ino();
        let mut event = container(u32::try_from(inode).unwrap(), "/");
        event.process.pid = std::process::id();
        event
    }

    #[test]
    fn a_root_is_open_until_it_is_dropped_and_their_number_is_bounded() {
        let pins = Pins::default();
        let open: Vec<_> = (0..PINS).map(|_| pins.pin(&own(), Path::new("/proc")).unwrap()).collect();
        assert!(pins.pin(&own(), Path::new("/proc")).is_none());
        drop(open);
        assert!(pins.pin(&own(), Path::new("/proc")).is_some());
    }

    #[test]
    fn what_is_gone_takes_no_place() {
        let pins = Pins::default();
        let mut other = own();
        other.namespaces.mnt += 1;
        for _ in 0..=PINS {
            assert!(pins.pin(&other, Path::new("/proc")).is_none());
        }
        assert!(pins.pin(&own(), Path::new("/proc")).is_some());
    }
}

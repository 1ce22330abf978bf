//! Events for the tests of this room.

use crate::event::{Cgroup, Cgroups, Container, ExecEvent, Names, example};

/// The host's mount namespace in these events.
pub(super) const HOST_MNT: u32 = 4_026_531_841;
/// `OVERLAYFS_SUPER_MAGIC`
pub(super) const OVERLAY: u64 = 0x794c_7630;
/// `EXT4_SUPER_MAGIC`
pub(super) const EXT4: u64 = 0xef53;

/// A process of the host in the root cgroup, number 4711, nothing above it, nobody logged in.
pub(super) fn host() -> ExecEvent {
    let mut event = example::exec();
    event.process.pid = 4711;
    event.process.pidns_level = 0;
    event.process.loginuid = None;
    event.process.pidns_start_ns = Some(1_600_000_000_000_000_000);
    event.namespaces.mnt = HOST_MNT;
    event.namespaces.host_mnt = HOST_MNT;
    event.file.root = Some((8 << 20 | 1, EXT4));
    event.ancestors = Vec::new();
    event.cgroups = cgroups("/");
    event.container = Container::default();
    event.names = Names::default();
    event
}

/// A process of an ordinary container: own mounts, own pids, overlay root.
pub(super) fn container(mnt: u32, path: &str) -> ExecEvent {
    let mut event = host();
    event.namespaces.mnt = mnt;
    event.process.pidns_level = 1;
    event.process.pidns_start_ns = Some(1_700_000_000_000_000_000 + u64::from(mnt));
    event.file.root = Some((mnt, OVERLAY));
    event.cgroups = cgroups(path);
    event
}

/// An ancestor with this name, started 1 s after boot.
pub(super) fn ancestor(pid: u32, comm: &str) -> crate::event::Ancestor {
    crate::event::Ancestor {
        pid,
        tid: pid,
        vpid: pid,
        comm: comm.as_bytes().to_vec(),
        start_boot_ns: 1_000_000_000,
        exe_path: None,
        details: None,
        ..example::exec().ancestors[2].clone()
    }
}

/// One path in all hierarchies.
pub(super) fn cgroups(path: &str) -> Cgroups {
    let cgroup = |controller| Cgroup { controller, path: path.as_bytes().to_vec(), complete: true };
    Cgroups(["", "memory", "pids"].map(cgroup).to_vec())
}

//! Events for the tests of this room.

use crate::event::{
    Arguments, Cgroup, Cgroups, Completeness, Container, Credentials, ExeFlags, ExecEvent, ExecKind,
    ExecutedFile, HostFacts, Names, Namespaces, Origin, Process, Stream, Usage,
};

/// The host's mount namespace in these events.
pub(super) const HOST_MNT: u32 = 4_026_531_841;
/// `OVERLAYFS_SUPER_MAGIC`
pub(super) const OVERLAY: u64 = 0x794c_7630;
/// `EXT4_SUPER_MAGIC`
pub(super) const EXT4: u64 = 0xef53;

/// A process of the host in the root cgroup.
pub(super) fn host() -> ExecEvent {
    ExecEvent {
        number: 1,
        time_ns: 1_700_000_000_000_000_000,
        boot_ns: 1_000_000_000,
        cpu: 0,
        kind: ExecKind::Exec,
        process: Process {
            pid: 4711,
            old_tid: 4711,
            vpid: Some(4711),
            pvpid: Some(1),
            pgid: 4711,
            vpgid: Some(4711),
            sid: 4711,
            vsid: Some(4711),
            pidns_level: 0,
            comm: b"x".to_vec(),
            arguments: Arguments::default(),
            env: None,
            cwd: None,
            filename: None,
            interpreter: None,
            tty: None,
            loginuid: None,
            start_ns: 1_700_000_000_000_000_000,
            pidns_start_ns: Some(1_600_000_000_000_000_000),
            nr_threads: 1,
        },
        credentials: Credentials {
            uid: 0,
            euid: 0,
            gid: 0,
            egid: 0,
            inner: Some((0, 0)),
            user_ns_level: 0,
            cap_permitted: None,
            cap_effective: None,
            cap_inheritable: 0,
        },
        namespaces: Namespaces {
            mnt: HOST_MNT,
            pid: 1,
            user: 1,
            net: 1,
            uts: 1,
            ipc: 1,
            cgroup: 1,
            host_mnt: HOST_MNT,
        },
        stdio: None,
        usage: Usage::default(),
        file: ExecutedFile {
            path: None,
            origin: Origin::New,
            flags: ExeFlags(0),
            ino: 1,
            dev: 8 << 20 | 1,
            size: 1,
            ctime_ns: None,
            mtime_ns: None,
            mode: 0o100_755,
            nlink: 1,
            uid: 0,
            gid: 0,
            sb_magic: EXT4,
            root: Some((8 << 20 | 1, EXT4)),
            upper_ino: None,
        },
        ancestors: Vec::new(),
        cgroups: cgroups("/"),
        container: Container::default(),
        names: Names::default(),
        host: HostFacts::unknown(),
        stream: Stream { first_ns: 0, previous_ns: 0 },
        completeness: Completeness::default(),
    }
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

/// One path in all hierarchies.
pub(super) fn cgroups(path: &str) -> Cgroups {
    let cgroup = |controller| Cgroup { controller, path: path.as_bytes().to_vec(), complete: true };
    Cgroups(["", "memory", "pids"].map(cgroup).to_vec())
}

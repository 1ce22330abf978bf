//! An event to test with: a file that was dropped to /tmp of a Docker container and executed by the container's shell.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Account, Ancestor, Arguments, Cgroup, Cgroups, Completeness, Container, ContainerId, ContainerMetadata,
    Credentials, ExeFlags, ExecEvent, ExecKind, ExecutedFile, HostFacts, Metadata, Mount, Names, Namespaces,
    Origin, Path, Pod, Process, ProcessDetails, Runtime, StdioFile, StdioKind, Stream, Usage,
};

/// 2024-10-05T12:03:22.000456789Z
pub(crate) const TIME_NS: u64 = 1_728_129_802_000_456_789;
/// When the process was cloned.
const START_NS: u64 = TIME_NS - 215_580;
/// When the file was changed.
pub(crate) const CTIME_NS: u64 = START_NS - 2_959_488;
/// When the file was written.
pub(crate) const MTIME_NS: u64 = CTIME_NS - 4_000_000;
/// Id of the container.
pub(crate) const CONTAINER: &str = "3b2c1d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff001";

/// The event.
pub(crate) fn exec() -> ExecEvent {
    ExecEvent {
        number: 7,
        time_ns: TIME_NS,
        boot_ns: 1_000_000_000_000,
        cpu: 3,
        kind: ExecKind::Exec,
        process: process(),
        credentials: Credentials {
            uid: 0,
            euid: 0,
            gid: 0,
            egid: 0,
            inner: Some((0, 0)),
            user_ns_level: 0,
            cap_permitted: Some(0xa804_25fb),
            cap_effective: Some(0xa804_25fb),
            cap_inheritable: 0,
        },
        namespaces: Namespaces {
            mnt: 4_026_532_000,
            pid: 4_026_532_001,
            user: 4_026_531_837,
            net: 4_026_532_002,
            uts: 4_026_532_003,
            ipc: 4_026_532_004,
            cgroup: 4_026_532_005,
            host_mnt: 4_026_531_841,
        },
        stdio: Some([
            StdioFile { kind: StdioKind::File, name: Some(b"/dev/pts/0".to_vec()) },
            StdioFile { kind: StdioKind::Ipv4, name: None },
            StdioFile { kind: StdioKind::Closed, name: None },
        ]),
        usage: Usage {
            major_faults: 1,
            minor_faults: 25,
            vm_size_kb: 4096,
            rss_kb: Some(512),
            swap_kb: Some(8),
            fd_open: Some(3),
            fd_limit: 1024,
        },
        file: ExecutedFile {
            path: path("/tmp/dropped"),
            origin: Origin::New,
            flags: ExeFlags(ExeFlags::WRITABLE | ExeFlags::UPPER_LAYER),
            ino: 1_262_045,
            dev: 41,
            size: 900_000,
            ctime_ns: Some(CTIME_NS),
            mtime_ns: Some(MTIME_NS),
            mode: 0o100_755,
            nlink: 1,
            uid: 0,
            gid: 0,
            sb_magic: 0x794c_7630,
            root: Some((41, 0x794c_7630)),
            upper_ino: Some(1_262_045),
        },
        mapped: None,
        script_file: None,
        ancestors: ancestors(),
        cgroups: Cgroups(["", "cpuset", "cpu", "cpuacct", "blkio", "memory", "pids"].map(cgroup).to_vec()),
        container: container(),
        names: Names {
            user: Some(account("root", "/root", "/bin/sh")),
            login: Some(account("alice", "/home/alice", "/bin/bash")),
            group: Some(b"root".to_vec()),
        },
        examination: None,
        dropper: None,
        host: Arc::new(HostFacts { hostname: "node-1".to_owned(), ..HostFacts::default() }),
        stream: Stream { first_ns: TIME_NS - 5_000_000_001, previous_ns: TIME_NS - 2000 },
        completeness: Completeness::default(),
    }
}

fn process() -> Process {
    Process {
        pid: 30_312,
        old_tid: 30_312,
        vpid: Some(9),
        pvpid: Some(1),
        pgid: 30_276,
        vpgid: Some(1),
        sid: 30_276,
        vsid: Some(1),
        pidns_level: 1,
        comm: b"dropped".to_vec(),
        arguments: area(b"/tmp/dropped\0echo\0a b\0\0\"c\"\0", 5),
        env: Some(area(b"HOME=/root\0EMPTY=\0PADDED= x \0", 3)),
        cwd: path("/tmp"),
        filename: Some(b"./dropped".to_vec()),
        interpreter: Some(b"./dropped".to_vec()),
        tty: Some(34_816),
        loginuid: Some(1000),
        start_ns: START_NS,
        pidns_start_ns: Some(TIME_NS - 752_631_383),
        nr_threads: 1,
    }
}

/// The container's shell, whose details were looked up; the shim, whose path the kernel told; and systemd.
fn ancestors() -> Vec<Ancestor> {
    let ancestor = |pid, comm: &str, exe: Option<&str>| Ancestor {
        pid,
        tid: pid,
        vpid: pid,
        sid: pid,
        pgid: pid,
        euid: 0,
        comm: comm.as_bytes().to_vec(),
        start_ns: TIME_NS - 658_377_807,
        start_boot_ns: 999_000_000_000,
        exe_path: exe.and_then(path),
        details: None,
    };
    let shell = Ancestor {
        vpid: 1,
        details: Some(ProcessDetails {
            arguments: area(b"/bin/sh\0-c\0cp; run\0", 3),
            env: Some(area(b"HOME=/\0ONLY=above\0", 2)),
            cwd: path("/"),
            exe_path: None,
        }),
        ..ancestor(30_276, "sh", Some("/bin/busybox"))
    };
    vec![
        shell,
        ancestor(30_256, "containerd-shim", Some("/usr/bin/containerd-shim-runc-v2")),
        ancestor(1, "systemd", None),
    ]
}

fn container() -> Container {
    let text = |text: &str| Some(text.to_owned());
    let labels = |labels: &[(&str, &str)]| {
        let owned = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Some(owned.collect::<BTreeMap<_, _>>())
    };
    let facts = ContainerMetadata {
        id: CONTAINER.to_owned(),
        runtime: Runtime::Docker,
        name: text("web"),
        image: text("registry.example/shop/web:1.2"),
        image_id: text("6855583b1b19"),
        image_repository: text("registry.example/shop/web"),
        image_tag: text("1.2"),
        image_digest: text(""),
        privileged: Some(false),
        mounts: Some(vec![
            Mount {
                source: "/proc".to_owned(),
                destination: "/host/proc".to_owned(),
                mode: "ro".to_owned(),
                writable: false,
                propagation: "rprivate".to_owned(),
            },
            Mount {
                source: "/var/run/x.sock".to_owned(),
                destination: "/x.sock".to_owned(),
                writable: true,
                ..Mount::default()
            },
        ]),
        labels: labels(&[("tier", "front"), ("owner", "shop"), ("io.kubernetes.pod.name", "web-7")]),
        ip: text("172.17.0.2"),
        host_pid: Some(false),
        host_network: Some(true),
        host_ipc: Some(false),
        pod: Some(Pod {
            name: text("web-7"),
            namespace: text("shop"),
            uid: text("11-22"),
            sandbox_id: text("0123456789abcdef"),
            labels: labels(&[("app", "web")]),
            ip: text("10.0.0.7"),
        }),
        ..ContainerMetadata::default()
    };
    Container {
        id: ContainerId::named(CONTAINER, Runtime::Docker),
        metadata: Metadata { facts: Some(Arc::new(facts)), ..Metadata::default() },
    }
}

#[expect(clippy::unnecessary_wraps, reason = "paths of events are optional")]
fn path(text: &str) -> Option<Path> {
    Some(Path { bytes: text.as_bytes().to_vec(), complete: true })
}

fn area(bytes: &[u8], given: u32) -> Arguments {
    Arguments { area: bytes.to_vec(), given, truncated: false }
}

fn account(name: &str, home: &str, shell: &str) -> Account {
    Account { name: name.into(), home: home.into(), shell: shell.into() }
}

fn cgroup(controller: &'static str) -> Cgroup {
    Cgroup { controller, path: b"/docker/x".to_vec(), complete: true }
}

//! The recording that all golden files start from: made anew for each run, byte for byte the same.

use std::{collections::BTreeMap, sync::Arc};

use detector::{
    event::{
        Account, Arguments, Container, ContainerId, ContainerMetadata, Metadata, MetadataState, Mount, Names,
        Pod, ProcessDetails, Runtime, Whereabouts,
    },
    recording::Recorder,
};
use detector_common::{
    exe_flags,
    record::exec::{Origin, SectionKind, StdioFacts, Writer, known, section_status, writer},
};
use serde_json::json;
use zerocopy::IntoBytes as _;

use crate::synthetic::{BOOT_NS, CLOCK, CONTAINER, Record, leaf_first};

/// The container that wrote the file.
const OTHER_CONTAINER: &str = "9c2c1d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff002";

/// The recording as a file's content.
pub(crate) fn recording() -> Vec<u8> {
    let events = [known_drop(), odd_arguments(), without_metadata(), hardly_known()];
    let mut bytes = Vec::new();
    let mut recorder = Recorder::new(&mut bytes).expect("memory takes all");
    for (record, context) in events {
        recorder.add(CLOCK.boot_at_ns, &record.bytes(), &context).expect("memory takes all");
    }
    bytes
}

/// With everything that a record and its enrichment can have.
fn known_drop() -> (Record, Vec<u8>) {
    let mut record = Record::drop_in_docker()
        .with(SectionKind::Env, b"HOME=/root\0EMPTY=\0PADDED= x \0")
        .with(SectionKind::AncestorExe0, &leaf_first(&["bin", "busybox"]))
        .with(SectionKind::AncestorExe1, &leaf_first(&["usr", "bin", "containerd-shim-runc-v2"]))
        .with(SectionKind::CgroupCpu, &leaf_first(&["docker", CONTAINER]))
        .with(SectionKind::CgroupMemory, &leaf_first(&["docker", CONTAINER]))
        .with(SectionKind::StdinPath, &leaf_first(&["dev", "pts", "0"]))
        .with(SectionKind::StdoutPath, b"pipe:[81]\0")
        .with(SectionKind::Dropper, &writer());
    let fixed = &mut record.fixed;
    fixed.known |= known::STDIO | known::RSS | known::FD_OPEN;
    fixed.task.envc = 3;
    fixed.task.tty = 34_816;
    fixed.task.loginuid = 1000;
    fixed.task.cpu = 3;
    // The shell above it leads both.
    (fixed.task.sid, fixed.task.pgid) = (30_280, 30_280);
    (fixed.credentials.cap_permitted, fixed.credentials.cap_effective) = (0xa804_25fb, 0xa804_25fb);
    fixed.stdio[0] = StdioFacts { ino: 3, sb_magic: 0x1cd1, mode: 0o020_620, family: 0 };
    fixed.stdio[1] = StdioFacts { ino: 81, sb_magic: 0x5049_5045, mode: 0o010_600, family: 0 };
    fixed.stdio[2] = StdioFacts { ino: 82, sb_magic: 0x534f_434b, mode: 0o140_777, family: 2 };
    let usage = &mut fixed.usage;
    (usage.major_faults, usage.minor_faults, usage.total_vm_pages) = (1, 25, 1024);
    (usage.rss_file_pages, usage.rss_anon_pages, usage.swap_pages) = (100, 28, 2);
    (usage.fd_open, usage.fd_limit) = (3, 1024);
    let mut context: serde_json::Value =
        serde_json::from_slice(&context(&container(Some(facts())), &root(), true)).expect("it is JSON");
    context["writer"] =
        json!([Whereabouts::OtherContainer, ContainerId::named(OTHER_CONTAINER, Runtime::Containerd)]);
    (record, context.to_string().into_bytes())
}

/// Who wrote the file, with the names of its cgroups.
fn writer() -> Vec<u8> {
    let mut writer = Writer {
        start_boot_ns: BOOT_NS - 3_000_000_000,
        boot_ns: BOOT_NS - 2_000_000_000,
        pidns_start_boot_ns: BOOT_NS - 4_000_000_000,
        pid: 4711,
        mnt_ns: 7,
        pid_ns: 8,
        pidns_level: 1,
        argv_bytes: 10,
        // O_WRONLY, O_CREAT, O_TRUNC
        open_flags: 0o1101 | writer::CREATED,
        ..Writer::NOBODY
    };
    writer.comm[..4].copy_from_slice(b"curl");
    writer.exe_name[..4].copy_from_slice(b"curl");
    writer.argv[..10].copy_from_slice(b"curl\0-sO\0x");
    [writer.as_bytes(), format!("cri-containerd-{OTHER_CONTAINER}.scope\0").as_bytes()].concat()
}

/// What arguments can be, from a user of the container's own, on a file whose inode number a float cannot hold, and
/// which was changed after the process had been started.
fn odd_arguments() -> (Record, Vec<u8>) {
    let mut record = Record::drop_in_docker().with(
        SectionKind::Argv,
        b"./dropped\0\0a b\0\"quoted\" 'q' back\\slash /\0line\nbreak\ttab\rreturn\0\x01\x1b[31mred\x7f\0\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x9a\0\xff\xfe\xc3\0\xc2\x9b\xe2\x80\xa8\0%proc.name %<20>x\0",
    );
    let fixed = &mut record.fixed;
    fixed.header.boot_ns = BOOT_NS + 1_000_000_000;
    fixed.task.argc = 10;
    fixed.exe.ino = (1 << 53) + 1;
    fixed.exe.flags = exe_flags::EXE_UPPER_LAYER;
    fixed.exe.ctime_sec += 1;
    fixed.credentials.euid = 1000;
    fixed.credentials.egid = 1000;
    fixed.task.comm = *b"d\xc3\xa4\x1b\"\\rop\0\0\0\0\0\0\0";
    (record, context(&container(Some(facts())), &Names::default(), false))
}

/// The container's id and nothing else of it; the record was cut.
fn without_metadata() -> (Record, Vec<u8>) {
    let mut record = Record::drop_in_docker();
    let fixed = &mut record.fixed;
    fixed.header.boot_ns = BOOT_NS + 2_000_000_000;
    fixed.sections[SectionKind::Argv as usize].status = section_status::TRUNCATED;
    fixed.exe.origin = Origin::Modified as u8;
    (record, context(&container(None), &Names::default(), false))
}

/// Only that the file is in an upper layer; no context was recorded either.
fn hardly_known() -> (Record, Vec<u8>) {
    let mut record = Record::blank();
    record.fixed.header.boot_ns = BOOT_NS + 3_000_000_000;
    record.fixed.known = known::LAYER;
    record.fixed.exe.flags = exe_flags::EXE_UPPER_LAYER;
    (record, Vec::new())
}

/// Context as a recording keeps it.
fn context(container: &Container, names: &Names, details: bool) -> Vec<u8> {
    let shell = ProcessDetails {
        arguments: Arguments { area: b"/bin/sh\0-c\0cp; run\0".to_vec(), given: 3, truncated: false },
        env: Some(Arguments { area: b"HOME=/\0ONLY=above\0".to_vec(), given: 2, truncated: false }),
        ..ProcessDetails::default()
    };
    let ancestors = [details.then_some(shell), None, None];
    json!({ "container": container, "names": names, "ancestors": ancestors }).to_string().into_bytes()
}

fn root() -> Names {
    let account = |name: &str, home: &str| {
        Some(Account { name: name.into(), home: home.into(), shell: b"/bin/sh".to_vec() })
    };
    Names {
        user: account("root", "/root"),
        login: account("alice", "/home/alice"),
        group: Some(b"root".to_vec()),
    }
}

fn container(facts: Option<ContainerMetadata>) -> Container {
    let state = if facts.is_some() { MetadataState::Complete } else { MetadataState::default() };
    Container {
        id: ContainerId::named(CONTAINER, Runtime::Docker),
        metadata: Metadata { facts: facts.map(Arc::new), state },
    }
}

fn facts() -> ContainerMetadata {
    let text = |text: &str| Some(text.to_owned());
    let labels = |name: &str, value: &str| Some(BTreeMap::from([(name.to_owned(), value.to_owned())]));
    ContainerMetadata {
        name: text("web"),
        image: text("registry.example/shop/web:1.2"),
        image_id: text("6855583b1b19"),
        image_repository: text("registry.example/shop/web"),
        image_tag: text("1.2"),
        image_digest: text(""),
        privileged: Some(false),
        mounts: Some(vec![Mount {
            source: "/proc".to_owned(),
            destination: "/host/proc".to_owned(),
            mode: "ro".to_owned(),
            writable: false,
            propagation: "rprivate".to_owned(),
        }]),
        labels: labels("tier", "front \"end\""),
        ip: text("172.17.0.2"),
        host_pid: Some(false),
        host_network: Some(true),
        host_ipc: Some(false),
        pod: Some(Pod {
            name: text("web-7"),
            namespace: text("shop"),
            uid: text("11-22"),
            sandbox_id: text("0123456789abcdef"),
            labels: labels("app", "web"),
            ip: text("10.0.0.7"),
        }),
        ..ContainerMetadata::new(CONTAINER, Runtime::Docker)
    }
}

/// A use of every field of exec events: with each kind of argument that it takes.
pub(crate) fn every_field() -> Vec<String> {
    use detector::rules::fields::{Subject, Takes, catalogue};
    let mut all = Vec::new();
    for entry in catalogue().filter(|entry| entry.subject == Subject::Exec) {
        let name = entry.name;
        let arguments: &[&str] = match (name, entry.takes) {
            ("container.label", _) => &["[tier]"],
            ("k8s.pod.label", _) => &["[app]"],
            ("static", _) => &[".rack"],
            ("thread.cgroup", _) => &["[memory]"],
            ("evt.arg" | "evt.rawarg", _) | (_, Takes::Nothing) => &[""],
            (_, Takes::OptionalIndex) => &["", "[0]", "[1]", "[9]"],
            (_, Takes::OptionalName) => &["", "[HOME]"],
            (_, Takes::OptionalIndexOrName) => &["", "[1]", "[ONLY]"],
            (_, Takes::Name) => &["[x]"],
            (_, Takes::NameOrIndex) => &["[0]", "[/proc]"],
        };
        if matches!(name, "evt.arg" | "evt.rawarg") {
            all.extend((0..=30).map(|index| format!("{name}[{index}]")));
        } else {
            all.extend(arguments.iter().map(|argument| format!("{name}{argument}")));
        }
    }
    all
}

//! Records made by hand, whole and damaged.

use detector_common::{
    ABI_VERSION,
    record::{
        RecordHeader, RecordKind,
        exec::{
            Ancestor, ExecRecord, Origin as RecordOrigin, Section, SectionKind, StdioFacts, Subject, Writer,
            known, section_status,
        },
    },
};
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use zerocopy::{FromZeros, IntoBytes};

use super::{DecodeError, decode};
use crate::event::{BootClock, ExecEvent, ExecKind, Origin, StdioKind};

const CLOCK: BootClock = BootClock { boot_at_ns: 1_000_000_000 };

/// A record that grows section by section.
struct Record {
    fixed: ExecRecord,
    tail: Vec<u8>,
}

impl Record {
    fn new() -> Self {
        let mut fixed = ExecRecord::new_zeroed();
        fixed.header = RecordHeader { abi: ABI_VERSION, kind: RecordKind::Exec as u16, size: 0, boot_ns: 5 };
        fixed.exe.origin = 2;
        Self { fixed, tail: Vec::new() }
    }

    fn with(mut self, kind: SectionKind, status: u16, bytes: &[u8]) -> Self {
        let offset = u16::try_from(self.tail.len()).unwrap();
        let len = u16::try_from(bytes.len()).unwrap();
        self.fixed.sections[kind as usize] = Section { offset, len, status, same_as: 0 };
        self.tail.extend_from_slice(bytes);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.fixed.as_bytes().to_vec();
        bytes.extend_from_slice(&self.tail);
        let mut header = self.fixed.header;
        header.size = u32::try_from(bytes.len()).unwrap();
        bytes[..size_of::<RecordHeader>()].copy_from_slice(header.as_bytes());
        bytes
    }

    fn decode(&self) -> Result<ExecEvent, DecodeError> {
        decode(&self.bytes(), CLOCK, 1)
    }
}

fn ancestors(pids: &[u32]) -> Vec<u8> {
    let one = |pid: &u32| {
        let mut ancestor = Ancestor::new_zeroed();
        ancestor.pid = *pid;
        ancestor.as_bytes().to_vec()
    };
    pids.iter().flat_map(one).collect()
}

#[test]
fn a_writer_is_followed_by_names_of_its_cgroups() {
    let mut writer = Writer { pid: 7, boot_ns: 3, start_boot_ns: 2, open_flags: 1, ..Writer::NOBODY };
    writer.comm[..2].copy_from_slice(b"cp");
    let decoded = |names: &[u8]| {
        let bytes = [writer.as_bytes(), names].concat();
        let record = Record::new().with(SectionKind::Dropper, section_status::COMPLETE, &bytes);
        *record.decode().unwrap().dropper.unwrap()
    };
    let found = decoded(b"docker.service\0cri-containerd-1.scope\0");
    assert_eq!((found.pid, found.comm.as_slice()), (7, &b"cp"[..]));
    assert_eq!((found.start_ns, found.time_ns), (1_000_000_002, 1_000_000_003));
    assert_eq!(found.open_flags.unwrap().text(), "O_WRONLY");
    assert_eq!(found.cgroups, [b"docker.service".to_vec(), b"cri-containerd-1.scope".to_vec()]);
    assert_eq!(decoded(b"").cgroups, Vec::<Vec<u8>>::new());
    assert_eq!(decoded(b"\0cut").cgroups, [b"cut".to_vec()]);
    let cut = Record::new().with(SectionKind::Dropper, section_status::COMPLETE, &writer.as_bytes()[1..]);
    assert_eq!(cut.decode().unwrap().dropper, None);
}

#[test]
fn the_second_file_of_a_record_is_the_script_of_an_exec_and_the_mapped_one_of_a_mapping() {
    let mut subject = Subject::new_zeroed();
    (subject.known, subject.file.origin, subject.file.ino) = (known::LAYER, RecordOrigin::New as u8, 77);
    let mut record = Record::new()
        .with(SectionKind::Filename, section_status::COMPLETE, b"./x.sh")
        .with(SectionKind::Interp, section_status::COMPLETE, b"/bin/sh")
        .with(SectionKind::Subject, section_status::COMPLETE, subject.as_bytes());
    let event = record.decode().unwrap();
    let script = event.script_file.as_deref().unwrap();
    assert_eq!((event.kind, script.origin, script.ino), (ExecKind::Script, Origin::New, 77));
    assert!(event.mapped.is_none());
    record.fixed.header.kind = RecordKind::ExecMap as u16;
    let event = record.decode().unwrap();
    assert_eq!((event.kind, event.subject().ino), (ExecKind::ExecMap, 77));
    assert!(event.script_file.is_none());
    // One of which nothing is known, and none at all.
    let cut = Record::new().with(SectionKind::Subject, section_status::TRUNCATED, b"");
    assert_eq!(cut.decode().unwrap().script_file, None);
    assert_eq!(Record::new().decode().unwrap().script_file, None);
}

#[test]
fn each_ancestor_gets_its_own_path() {
    let event = Record::new()
        .with(SectionKind::Ancestors, section_status::COMPLETE, &ancestors(&[30, 20, 10]))
        .with(SectionKind::AncestorExe0, section_status::COMPLETE, b"sh\0bin\0")
        .with(SectionKind::AncestorExe2, section_status::TRUNCATED, b"x\0deep\0")
        .decode()
        .unwrap();
    let seen: Vec<_> = event
        .ancestors
        .iter()
        .map(|one| {
            (one.pid, one.exe_path.as_ref().map(|path| String::from_utf8_lossy(&path.bytes).into_owned()))
        })
        .collect();
    assert_eq!(seen, [(30, Some("/bin/sh".into())), (20, None), (10, Some(".../deep/x".into()))]);
    assert_eq!(event.completeness.truncated, ["ancestor_exe"]);
}

#[test]
fn a_path_without_its_ancestor_is_ignored() {
    let event = Record::new()
        .with(SectionKind::Ancestors, section_status::COMPLETE, &ancestors(&[30]))
        .with(SectionKind::AncestorExe5, section_status::COMPLETE, b"sh\0bin\0")
        .decode()
        .unwrap();
    assert_eq!(event.ancestors.len(), 1);
    assert_eq!(event.ancestors[0].exe_path, None);
}

#[test]
fn descriptors_are_known_or_not_as_a_whole() {
    let mut record = Record::new().with(SectionKind::StdinPath, section_status::COMPLETE, b"null\0dev\0");
    record.fixed.stdio[0] = StdioFacts { ino: 1, sb_magic: 2, mode: 0o020_666, family: 0 };
    assert_eq!(record.decode().unwrap().stdio, None);
    record.fixed.known = known::STDIO;
    let stdio = record.decode().unwrap().stdio.unwrap();
    assert_eq!((stdio[0].kind, stdio[0].name.as_deref()), (StdioKind::File, Some(&b"/dev/null"[..])));
    assert_eq!((stdio[1].kind, stdio[2].kind), (StdioKind::Closed, StdioKind::Closed));
}

#[test]
fn figures_are_known_or_not() {
    let mut record = Record::new();
    record.fixed.usage.rss_file_pages = 3;
    record.fixed.usage.rss_anon_pages = -1;
    record.fixed.usage.rss_shmem_pages = 1;
    record.fixed.usage.swap_pages = 2;
    record.fixed.usage.fd_open = 9;
    let usage = record.decode().unwrap().usage;
    assert_eq!((usage.rss_kb, usage.swap_kb, usage.fd_open), (None, None, None));
    record.fixed.known = known::RSS | known::FD_OPEN;
    let usage = record.decode().unwrap().usage;
    assert_eq!((usage.rss_kb, usage.swap_kb, usage.fd_open), (Some(16), Some(8), Some(9)));
}

#[test]
fn a_section_beyond_the_record_is_refused() {
    let mut record = Record::new().with(SectionKind::AncestorExe0, section_status::COMPLETE, b"sh\0");
    record.fixed.sections[SectionKind::AncestorExe0 as usize].len = 4;
    record.fixed.sections[SectionKind::Ancestors as usize].status = section_status::COMPLETE;
    // Without an ancestor nobody looks for its path.
    assert!(record.decode().is_ok());
    record.fixed.sections[SectionKind::StdinPath as usize] =
        Section { offset: 1, len: 9, status: section_status::COMPLETE, same_as: 0 };
    assert!(matches!(record.decode(), Err(DecodeError::SectionOutside { section: "stdin", .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any damage gives an event or an error.
    #[test]
    fn damage_never_panics(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = Record::new()
            .with(SectionKind::Ancestors, section_status::COMPLETE, &ancestors(&[30, 20, 10]))
            .with(SectionKind::AncestorExe0, section_status::COMPLETE, b"sh\0bin\0")
            .with(SectionKind::StdinPath, section_status::FAILED, b"null\0dev\0")
            .with(SectionKind::Argv, section_status::TRUNCATED, b"x\0y")
            .bytes();
        let header = size_of::<RecordHeader>();
        for (at, value) in damage {
            let at = header + at.index(bytes.len() - header);
            bytes[at] = value;
        }
        bytes.truncate(header + cut.index(bytes.len() - header) + 1);
        let size = u32::try_from(bytes.len()).unwrap();
        bytes[4..8].copy_from_slice(&size.to_le_bytes());
        let _ = decode(&bytes, CLOCK, 1);
        bytes.truncate(3);
        assert!(decode(&bytes, CLOCK, 1).is_err());
    }
}

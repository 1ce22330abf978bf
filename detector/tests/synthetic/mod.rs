//! Records made by hand, in the layout that the kernel side writes: what golden files, properties and benchmarks
//! start from, so that they go the whole way from bytes.

use detector::{
    decode::decode,
    enrich::identify,
    event::{BootClock, ExecEvent},
};
use detector_common::{
    ABI_VERSION, exe_flags,
    record::{
        RecordHeader, RecordKind,
        exec::{Ancestor, ExecRecord, Origin, Section, SectionKind, known, section_status},
    },
};
use zerocopy::{FromZeros, IntoBytes};

/// `OVERLAYFS_SUPER_MAGIC`
pub(crate) const OVERLAY_MAGIC: u64 = 0x794c_7630;
/// The host booted at 2024-10-05T11:46:42Z.
pub(crate) const CLOCK: BootClock = BootClock { boot_at_ns: 1_728_128_802_000_000_000 };
/// The exec: 1000.123456789 seconds later.
pub(crate) const BOOT_NS: u64 = 1_000_123_456_789;
/// Id of the container.
pub(crate) const CONTAINER: &str = "3b2c1d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff001";

/// A record that grows section by section.
#[derive(Clone)]
pub(crate) struct Record {
    /// The part that every record has.
    pub(crate) fixed: ExecRecord,
    tail: Vec<u8>,
}

impl Record {
    /// A record of which nothing is known.
    pub(crate) fn blank() -> Self {
        let mut fixed = ExecRecord::new_zeroed();
        fixed.header =
            RecordHeader { abi: ABI_VERSION, kind: RecordKind::Exec as u16, size: 0, boot_ns: BOOT_NS };
        Self { fixed, tail: Vec::new() }
    }

    /// A file that was dropped into a Docker container by its shell, and runs there as root.
    pub(crate) fn drop_in_docker() -> Self {
        let mut record = Self::blank()
            .with(SectionKind::Filename, b"./dropped")
            .with(SectionKind::Interp, b"./dropped")
            .with(SectionKind::ExePath, b"dropped\0tmp\0")
            .with(SectionKind::Cwd, b"tmp\0")
            .with(SectionKind::Argv, b"./dropped\0a b\0\0")
            .with(SectionKind::Ancestors, &ancestors(&["sh", "containerd-shim", "systemd"]))
            .with(SectionKind::CgroupUnified, &leaf_first(&["docker", CONTAINER]));
        let fixed = &mut record.fixed;
        fixed.known = known::LAYER
            | known::WRITABLE
            | known::LOGINUID
            | known::TTY
            | known::VPIDS
            | known::PIDNS_START
            | known::CAPS
            | known::INNER_IDS
            | known::TIMES
            | known::ROOT
            | known::IDS
            | known::INODE;
        let task = &mut fixed.task;
        (task.pid, task.old_tid, task.vpid, task.pvpid) = (30_312, 30_312, 9, 1);
        (task.pgid, task.vpgid, task.sid, task.vsid) = (30_276, 1, 30_276, 1);
        task.pidns_level = 1;
        task.start_boot_ns = BOOT_NS - 215_580;
        task.pidns_init_start_boot_ns = BOOT_NS - 752_631_383;
        (task.loginuid, task.session_id) = (u32::MAX, u32::MAX);
        (task.nr_threads, task.argc) = (1, 3);
        task.comm[..7].copy_from_slice(b"dropped");
        fixed.namespaces.mnt = 4_026_532_000;
        fixed.namespaces.pid = 4_026_532_001;
        fixed.namespaces.host_mnt = 4_026_531_841;
        let exe = &mut fixed.exe;
        exe.origin = Origin::New as u8;
        exe.flags = exe_flags::EXE_WRITABLE | exe_flags::EXE_UPPER_LAYER;
        (exe.sb_magic, exe.root_sb_magic, exe.dev, exe.root_dev) = (OVERLAY_MAGIC, OVERLAY_MAGIC, 41, 41);
        (exe.ino, exe.upper_ino, exe.size, exe.nlink, exe.mode) =
            (1_262_045, 1_262_045, 900_000, 1, 0o100_755);
        (exe.ctime_sec, exe.ctime_nsec) = (1_728_129_802, 120_000_000);
        (exe.mtime_sec, exe.mtime_nsec) = (1_728_129_802, 116_000_000);
        record
    }

    /// Adds a whole section.
    pub(crate) fn with(mut self, kind: SectionKind, bytes: &[u8]) -> Self {
        let size = |length: usize| u16::try_from(length).unwrap_or(u16::MAX);
        self.fixed.sections[kind as usize] = Section {
            offset: size(self.tail.len()),
            len: size(bytes.len()),
            status: section_status::COMPLETE,
            same_as: 0,
        };
        self.tail.extend_from_slice(bytes);
        self
    }

    /// As it crosses the ring buffer.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut fixed = self.fixed;
        fixed.header.size = u32::try_from(size_of::<ExecRecord>() + self.tail.len()).unwrap_or(u32::MAX);
        [fixed.as_bytes(), &self.tail].concat()
    }

    /// The event that user space makes of it without looking anything up.
    pub(crate) fn event(&self) -> ExecEvent {
        let mut event = match decode(&self.bytes(), CLOCK, 1) {
            Ok(event) => event,
            Err(error) => panic!("the record made by hand cannot be decoded: {error}"),
        };
        event.container.id = identify(&event);
        event
    }
}

/// Ancestors with these names, parent first.
pub(crate) fn ancestors(names: &[&str]) -> Vec<u8> {
    let mut pid = 30_300;
    let one = |name: &&str| {
        let mut ancestor = Ancestor::new_zeroed();
        pid -= 20;
        (ancestor.pid, ancestor.tid, ancestor.vpid, ancestor.sid, ancestor.pgid) = (pid, pid, pid, pid, pid);
        ancestor.start_boot_ns = BOOT_NS - 658_377_807;
        ancestor.comm[..name.len()].copy_from_slice(name.as_bytes());
        ancestor.as_bytes().to_vec()
    };
    names.iter().flat_map(one).collect()
}

/// A path as the kernel side sends it: the last component first, each with its NUL.
pub(crate) fn leaf_first(components: &[&str]) -> Vec<u8> {
    components.iter().rev().flat_map(|name| [name.as_bytes(), b"\0"].concat()).collect()
}

//! An exec record to an event.

use detector_common::{
    exe_flags,
    record::exec::{self as record, ExecRecord, SectionKind, known},
};
use zerocopy::FromBytes;

use super::{DecodeError, sections::Sections};
use crate::event::{
    Arguments, BootClock, Container, Credentials, ExeFlags, ExecEvent, ExecKind, ExecutedFile, Names,
    Namespaces, Origin, Path, Process, Stream, Usage,
};

const _: () = assert!(
    ExeFlags::WRITABLE == exe_flags::EXE_WRITABLE
        && ExeFlags::UPPER_LAYER == exe_flags::EXE_UPPER_LAYER
        && ExeFlags::FROM_MEMFD == exe_flags::EXE_FROM_MEMFD
        && ExeFlags::LOWER_LAYER == exe_flags::EXE_LOWER_LAYER,
    "the flags of the record are those of the event"
);

/// `OVERLAYFS_SUPER_MAGIC`
const OVERLAY_MAGIC: u64 = 0x794c_7630;
/// Bytes of a page: `total_vm` counts them. The same on every kernel this agent supports.
const PAGE_KB: u64 = 4;

/// Decodes a record whose header has been checked.
pub(super) fn decode_exec(
    spare: ExecEvent,
    bytes: &[u8],
    clock: BootClock,
    number: u64,
) -> Result<ExecEvent, DecodeError> {
    let (fixed, tail) = ExecRecord::read_from_prefix(bytes)
        .map_err(|_| DecodeError::TooShort { needed: size_of::<ExecRecord>(), found: bytes.len() })?;
    let mut completeness = spare.completeness;
    completeness.truncated.clear();
    completeness.failed.clear();
    let mut sections = Sections { fixed: &fixed, tail, completeness };

    let old = spare.process;
    let filename = sections.bytes(SectionKind::Filename, old.filename)?;
    let interpreter = sections.bytes(SectionKind::Interp, old.interpreter)?;
    let exe_path = sections.path(SectionKind::ExePath, spare.file.path)?;
    let cwd = sections.path(SectionKind::Cwd, old.cwd)?;
    let arguments = sections.arguments(SectionKind::Argv, fixed.task.argc, Some(old.arguments))?;
    let env = sections.arguments(SectionKind::Env, fixed.task.envc, old.env)?;
    let ancestors = sections.ancestors(clock, spare.ancestors)?;
    let stdio = sections.stdio(spare.stdio)?;
    let cgroups = sections.cgroups(spare.cgroups)?;
    let completeness = sections.completeness;
    let texts = Texts {
        comm: padded(old.comm, &fixed.task.comm),
        arguments: arguments.unwrap_or_default(),
        env,
        cwd,
        filename,
        interpreter,
    };

    let time_ns = clock.time_of(fixed.header.boot_ns);
    Ok(ExecEvent {
        number,
        time_ns,
        boot_ns: fixed.header.boot_ns,
        cpu: fixed.task.cpu,
        kind: texts.kind(),
        process: process(&fixed, clock, texts),
        credentials: credentials(&fixed),
        namespaces: namespaces(&fixed.namespaces),
        stdio: stdio.filter(|_| has(&fixed, known::STDIO)),
        usage: Usage {
            major_faults: fixed.usage.major_faults,
            minor_faults: fixed.usage.minor_faults,
            vm_size_kb: fixed.usage.total_vm_pages.saturating_mul(PAGE_KB),
            rss_kb: has(&fixed, known::RSS).then(|| resident(&fixed.usage)),
            swap_kb: has(&fixed, known::RSS).then(|| pages(fixed.usage.swap_pages)),
            fd_open: has(&fixed, known::FD_OPEN).then_some(fixed.usage.fd_open),
            fd_limit: fixed.usage.fd_limit,
        },
        file: file(&fixed, exe_path)?,
        ancestors,
        cgroups,
        container: Container::default(),
        names: Names::default(),
        examination: None,
        dropper: None,
        host: spare.host,
        stream: Stream { first_ns: time_ns, previous_ns: time_ns },
        completeness,
    })
}

const fn has(fixed: &ExecRecord, bit: u64) -> bool {
    fixed.known & bit != 0
}

/// These bytes in the memory of others.
pub(super) fn refilled(mut spare: Vec<u8>, bytes: &[u8]) -> Vec<u8> {
    spare.clear();
    spare.extend_from_slice(bytes);
    spare
}

/// Text up to the first NUL.
pub(super) fn padded(spare: Vec<u8>, bytes: &[u8]) -> Vec<u8> {
    refilled(spare, bytes.split(|byte| *byte == 0).next().unwrap_or_default())
}

/// The texts of a process.
struct Texts {
    comm: Vec<u8>,
    arguments: Arguments,
    env: Option<Arguments>,
    cwd: Option<Path>,
    filename: Option<Vec<u8>>,
    interpreter: Option<Vec<u8>>,
}

impl Texts {
    fn kind(&self) -> ExecKind {
        if self.filename.is_some() && self.interpreter.is_some() && self.filename != self.interpreter {
            ExecKind::Script
        } else {
            ExecKind::Exec
        }
    }
}

fn process(fixed: &ExecRecord, clock: BootClock, texts: Texts) -> Process {
    let Texts { comm, arguments, env, cwd, filename, interpreter } = texts;
    let task = &fixed.task;
    let virtual_id = |id: u32| has(fixed, known::VPIDS).then_some(id);
    Process {
        pid: task.pid,
        old_tid: task.old_tid,
        vpid: virtual_id(task.vpid),
        pvpid: virtual_id(task.pvpid),
        pgid: task.pgid,
        vpgid: virtual_id(task.vpgid),
        sid: task.sid,
        vsid: virtual_id(task.vsid),
        pidns_level: task.pidns_level,
        comm,
        arguments,
        env,
        cwd,
        filename,
        interpreter,
        tty: has(fixed, known::TTY).then_some(task.tty),
        loginuid: has(fixed, known::LOGINUID).then_some(task.loginuid),
        start_ns: clock.time_of(task.start_boot_ns),
        pidns_start_ns: has(fixed, known::PIDNS_START).then(|| clock.time_of(task.pidns_init_start_boot_ns)),
        nr_threads: task.nr_threads,
    }
}

fn credentials(fixed: &ExecRecord) -> Credentials {
    let from = &fixed.credentials;
    let caps = |bits: u64| has(fixed, known::CAPS).then_some(bits);
    Credentials {
        uid: from.uid,
        euid: from.euid,
        gid: from.gid,
        egid: from.egid,
        inner: has(fixed, known::INNER_IDS).then_some((from.inner_uid, from.inner_gid)),
        user_ns_level: from.user_ns_level,
        cap_permitted: caps(from.cap_permitted),
        cap_effective: caps(from.cap_effective),
        cap_inheritable: from.cap_inheritable,
    }
}

const fn namespaces(from: &record::Namespaces) -> Namespaces {
    Namespaces {
        mnt: from.mnt,
        pid: from.pid,
        user: from.user,
        net: from.net,
        uts: from.uts,
        ipc: from.ipc,
        cgroup: from.cgroup,
        host_mnt: from.host_mnt,
    }
}

/// Kilobytes of a page count; the kernel's counts are approximate and can be below zero.
fn pages(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0).saturating_mul(PAGE_KB)
}

fn resident(from: &record::Usage) -> u64 {
    [from.rss_file_pages, from.rss_anon_pages, from.rss_shmem_pages]
        .into_iter()
        .fold(0, |sum: u64, count| sum.saturating_add(pages(count)))
}

/// The origin by where the file lies: what is said about layers is about those of the container's root only.
fn placed(fixed: &ExecRecord, origin: Origin) -> Origin {
    let own_root = has(fixed, known::NS_ROOT) && has(fixed, known::OWN_NS_ROOT);
    match origin {
        Origin::Image | Origin::New | Origin::Modified | Origin::MetadataOnly | Origin::Unknown
            if own_root && fixed.exe.sb_magic == OVERLAY_MAGIC && fixed.exe.dev != fixed.exe.ns_root_dev =>
        {
            Origin::ForeignOverlay
        }
        Origin::NotOverlay if own_root && !has(fixed, known::ON_NS_ROOT) => Origin::Volume,
        other => other,
    }
}

fn file(fixed: &ExecRecord, path: Option<Path>) -> Result<ExecutedFile, DecodeError> {
    let from = &fixed.exe;
    let origin =
        record::Origin::from_number(from.origin).ok_or(DecodeError::UnknownOrigin { origin: from.origin })?;
    let time = |sec: i64, nsec: u32| {
        let sec = u64::try_from(sec).ok().filter(|_| has(fixed, known::TIMES))?;
        sec.checked_mul(1_000_000_000)?.checked_add(u64::from(nsec))
    };
    Ok(ExecutedFile {
        path,
        origin: placed(
            fixed,
            match origin {
                record::Origin::Unknown => Origin::Unknown,
                record::Origin::Image => Origin::Image,
                record::Origin::New => Origin::New,
                record::Origin::Modified => Origin::Modified,
                record::Origin::MetadataOnly => Origin::MetadataOnly,
                record::Origin::Memfd => Origin::Memfd,
                record::Origin::Tmpfs => Origin::Tmpfs,
                record::Origin::NotOverlay => Origin::NotOverlay,
            },
        ),
        flags: ExeFlags(from.flags),
        ino: from.ino,
        dev: from.dev,
        size: from.size,
        ctime_ns: time(from.ctime_sec, from.ctime_nsec),
        mtime_ns: time(from.mtime_sec, from.mtime_nsec),
        mode: from.mode,
        nlink: from.nlink,
        uid: from.uid,
        gid: from.gid,
        sb_magic: from.sb_magic,
        root: has(fixed, known::ROOT).then_some((from.root_dev, from.root_sb_magic)),
        upper_ino: (from.upper_ino != 0).then_some(from.upper_ino),
    })
}

//! An exec record to an event.

use std::mem;

use detector_common::{
    exe_flags,
    record::{
        RecordKind,
        exec::{self as record, ExecRecord, FileFacts, SectionKind, known},
    },
};
use zerocopy::FromBytes;

use super::{DecodeError, sections::Sections, writer};
use crate::event::{
    BootClock, Container, Credentials, ExeFlags, ExecEvent, ExecKind, ExecutedFile, Names, Namespaces,
    Origin, Path, Process, Stream, Usage,
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

/// Decodes a record whose header has been checked into `event`, in place: an event is large, and moving it would cost
/// as much as decoding it.
pub(super) fn decode_exec(
    record_kind: RecordKind,
    event: &mut ExecEvent,
    bytes: &[u8],
    clock: BootClock,
    event_number: u64,
) -> Result<(), DecodeError> {
    let (fixed, tail) = ExecRecord::read_from_prefix(bytes)
        .map_err(|_| DecodeError::TooShort { needed: size_of::<ExecRecord>(), found: bytes.len() })?;
    // Without `..`, so that no field can keep what the event before had.
    let ExecEvent {
        number,
        time_ns,
        boot_ns,
        cpu,
        kind,
        process,
        credentials: ids,
        namespaces: spaces,
        stdio,
        usage,
        file: executed,
        mapped,
        script_file,
        ancestors,
        cgroups,
        container,
        names,
        examination,
        dropper,
        host: _,
        stream,
        completeness,
    } = event;
    let mut spare = mem::take(completeness);
    spare.truncated.clear();
    spare.failed.clear();
    let mut sections = Sections { fixed: &fixed, tail, completeness: spare };

    let path = sections.path(SectionKind::ExePath, executed.path.take())?;
    *executed = file(fixed.known, &fixed.exe, path)?;
    let subject = subject(&mut sections)?;
    (*mapped, *script_file) = match record_kind {
        RecordKind::Exec => (None, subject),
        RecordKind::ExecMap => (Some(subject.unwrap_or_default()), None),
    };
    decode_process(process, &mut sections, clock)?;
    sections.ancestors(clock, ancestors)?;
    *dropper = writer::decode(&mut sections, clock, ancestors)?;
    *stdio = sections.stdio(stdio.take())?.filter(|_| has(&fixed, known::STDIO));
    sections.cgroups(cgroups)?;
    *completeness = sections.completeness;

    *number = event_number;
    *boot_ns = fixed.header.boot_ns;
    *time_ns = clock.time_of(fixed.header.boot_ns);
    *stream = Stream { first_ns: *time_ns, previous_ns: *time_ns };
    *cpu = fixed.task.cpu;
    *kind = if record_kind == RecordKind::ExecMap {
        ExecKind::ExecMap
    } else if process.filename.is_some()
        && process.interpreter.is_some()
        && process.filename != process.interpreter
    {
        ExecKind::Script
    } else {
        ExecKind::Exec
    };
    *ids = credentials(&fixed);
    *spaces = namespaces(&fixed.namespaces);
    *usage = self::usage(&fixed);
    // What a record does not know is not left from the event before either.
    *container = Container::default();
    *names = Names::default();
    *examination = None;
    Ok(())
}

/// The file that was mapped, or the script; `None` where the record has none, or had no room for it.
fn subject(sections: &mut Sections<'_>) -> Result<Option<Box<ExecutedFile>>, DecodeError> {
    let path = sections.path(SectionKind::SubjectPath, None)?;
    let Some((bytes, _)) = sections.part(SectionKind::Subject)? else {
        return Ok(path.map(|path| Box::new(ExecutedFile { path: Some(path), ..ExecutedFile::default() })));
    };
    match record::Subject::read_from_prefix(bytes) {
        Ok((subject, _)) => Ok(Some(Box::new(file(subject.known, &subject.file, path)?))),
        Err(_) => Ok(None),
    }
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

fn decode_process(
    process: &mut Process,
    sections: &mut Sections<'_>,
    clock: BootClock,
) -> Result<(), DecodeError> {
    let fixed = sections.fixed;
    let task = &fixed.task;
    let virtual_id = |id: u32| has(fixed, known::VPIDS).then_some(id);
    let Process {
        pid,
        old_tid,
        vpid,
        pvpid,
        pgid,
        vpgid,
        sid,
        vsid,
        pidns_level,
        comm,
        arguments,
        env,
        cwd,
        filename,
        interpreter,
        tty,
        loginuid,
        start_ns,
        pidns_start_ns,
        nr_threads,
    } = process;
    *pid = task.pid;
    *old_tid = task.old_tid;
    *vpid = virtual_id(task.vpid);
    *pvpid = virtual_id(task.pvpid);
    *pgid = task.pgid;
    *vpgid = virtual_id(task.vpgid);
    *sid = task.sid;
    *vsid = virtual_id(task.vsid);
    *pidns_level = task.pidns_level;
    *comm = padded(mem::take(comm), &task.comm);
    *filename = sections.bytes(SectionKind::Filename, filename.take())?;
    *interpreter = sections.bytes(SectionKind::Interp, interpreter.take())?;
    *cwd = sections.path(SectionKind::Cwd, cwd.take())?;
    let spare = Some(mem::take(arguments));
    *arguments = sections.arguments(SectionKind::Argv, task.argc, spare)?.unwrap_or_default();
    *env = sections.arguments(SectionKind::Env, task.envc, env.take())?;
    *tty = has(fixed, known::TTY).then_some(task.tty);
    *loginuid = has(fixed, known::LOGINUID).then_some(task.loginuid);
    *start_ns = clock.time_of(task.start_boot_ns);
    *pidns_start_ns = has(fixed, known::PIDNS_START).then(|| clock.time_of(task.pidns_init_start_boot_ns));
    *nr_threads = task.nr_threads;
    Ok(())
}

fn usage(fixed: &ExecRecord) -> Usage {
    let from = &fixed.usage;
    Usage {
        major_faults: from.major_faults,
        minor_faults: from.minor_faults,
        vm_size_kb: from.total_vm_pages.saturating_mul(PAGE_KB),
        rss_kb: has(fixed, known::RSS).then(|| resident(from)),
        swap_kb: has(fixed, known::RSS).then(|| pages(from.swap_pages)),
        fd_open: has(fixed, known::FD_OPEN).then_some(from.fd_open),
        fd_limit: from.fd_limit,
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
fn placed(known: u64, file: &FileFacts, origin: Origin) -> Origin {
    const OWN_ROOT: u64 = known::NS_ROOT | known::OWN_NS_ROOT;
    let own_root = known & OWN_ROOT == OWN_ROOT;
    match origin {
        Origin::Image | Origin::New | Origin::Modified | Origin::MetadataOnly | Origin::Unknown
            if own_root && file.sb_magic == OVERLAY_MAGIC && file.dev != file.ns_root_dev =>
        {
            Origin::ForeignOverlay
        }
        Origin::NotOverlay if own_root && known & known::ON_NS_ROOT == 0 => Origin::Volume,
        other => other,
    }
}

fn file(known: u64, from: &FileFacts, path: Option<Path>) -> Result<ExecutedFile, DecodeError> {
    let origin =
        record::Origin::from_number(from.origin).ok_or(DecodeError::UnknownOrigin { origin: from.origin })?;
    let time = |sec: i64, nsec: u32| {
        let sec = u64::try_from(sec).ok().filter(|_| known & known::TIMES != 0)?;
        sec.checked_mul(1_000_000_000)?.checked_add(u64::from(nsec))
    };
    Ok(ExecutedFile {
        path,
        origin: placed(
            known,
            from,
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
        root: (known & known::ROOT != 0).then_some((from.root_dev, from.root_sb_magic)),
        upper_ino: (from.upper_ino != 0).then_some(from.upper_ino),
    })
}

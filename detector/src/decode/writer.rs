//! Who wrote the file, and where that is as seen from the one who executed it.

use detector_common::record::exec::{self as record, ExecRecord, SectionKind, known, writer::CREATED};
use zerocopy::FromBytes as _;

use super::{DecodeError, exec::padded, sections::Sections};
use crate::event::{Ancestor, Arguments, BootClock, Dropper, OpenFlags, Path, Whereabouts};

/// `None` where nobody was seen.
pub(super) fn decode(
    sections: &mut Sections<'_>,
    clock: BootClock,
    ancestors: &[Ancestor],
) -> Result<Option<Box<Dropper>>, DecodeError> {
    let Some((bytes, _)) = sections.part(SectionKind::Dropper)? else { return Ok(None) };
    let Ok((from, names)) = record::Writer::read_from_prefix(bytes) else { return Ok(None) };
    let used = usize::try_from(from.argv_bytes).unwrap_or(usize::MAX).min(from.argv.len());
    let arguments =
        Arguments { area: from.argv[..used].to_vec(), given: 0, truncated: used == from.argv.len() };
    let is_it = |one: &&Ancestor| one.pid == from.pid && one.start_boot_ns == from.start_boot_ns;
    let name = padded(Vec::new(), &from.exe_name);
    let by_name = (!name.is_empty()).then_some(Path { bytes: name, complete: false });
    let cgroups = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(Some(Box::new(Dropper {
        pid: from.pid,
        start_boot_ns: from.start_boot_ns,
        start_ns: clock.time_of(from.start_boot_ns),
        time_ns: clock.time_of(from.boot_ns),
        open_flags: OpenFlags::new(from.open_flags & !CREATED, from.open_flags & CREATED != 0),
        comm: padded(Vec::new(), &from.comm),
        whereabouts: whereabouts(&from, sections.fixed),
        container: None,
        mnt_ns: from.mnt_ns,
        pidns_level: from.pidns_level,
        pidns_start_boot_ns: from.pidns_start_boot_ns,
        cgroups: cgroups.map(<[u8]>::to_vec).collect(),
        exe: ancestors.iter().find(is_it).and_then(|one| one.exe_path.clone()).or(by_name),
        cmdline: (used > 0).then(|| arguments.spaced()),
    })))
}

/// Engines copy files into a container from a mount namespace that is neither's, but they live among the host's processes; what
/// shares the processes of the container is in it. Numbers of namespaces are given again as soon as they are free: that of the
/// one who wrote may be another's by the time of the exec.
fn whereabouts(writer: &record::Writer, executed: &ExecRecord) -> Option<Whereabouts> {
    if writer.mnt_ns == 0 || writer.pid_ns == 0 {
        return None;
    }
    let (spaces, task) = (&executed.namespaces, &executed.task);
    let since = (executed.known & known::PIDNS_START != 0).then_some(task.pidns_init_start_boot_ns);
    let began_alike =
        since.is_none_or(|since| writer.pidns_start_boot_ns == 0 || writer.pidns_start_boot_ns == since);
    let same_processes = writer.pid_ns == spaces.pid && began_alike;
    // From then on the one who executed held the number of its mount namespace.
    let held = since.is_none_or(|since| writer.boot_ns >= since);
    let deeper = writer.pidns_level > 0 && task.pidns_level > writer.pidns_level;
    let same_mounts = writer.mnt_ns == spaces.mnt && (same_processes || held || deeper);
    let of_host = writer.pidns_level == 0;
    Some(if same_mounts && of_host && writer.mnt_ns == spaces.host_mnt {
        Whereabouts::Host
    } else if same_mounts {
        Whereabouts::SameContainer
    } else if of_host {
        Whereabouts::Host
    } else if same_processes {
        Whereabouts::SameContainer
    } else {
        Whereabouts::OtherContainer
    })
}

#[cfg(test)]
mod tests {
    use detector_common::record::exec::{ExecRecord, Namespaces, Writer, known};
    use zerocopy::FromZeros as _;

    use super::whereabouts;
    use crate::event::Whereabouts;

    /// An exec in a container that began at 100.
    fn executed(pidns_level: u32) -> ExecRecord {
        let mut executed = ExecRecord::new_zeroed();
        executed.known = known::PIDNS_START;
        executed.namespaces = Namespaces { mnt: 7, pid: 8, host_mnt: 1, ..Namespaces::new_zeroed() };
        executed.task.pidns_level = pidns_level;
        executed.task.pidns_init_start_boot_ns = 100;
        executed
    }

    #[test]
    fn writers_are_placed_by_their_namespaces() {
        for ((mnt_ns, pid_ns, pidns_level), expected) in [
            ((7, 8, 1), Some(Whereabouts::SameContainer)),
            // Another mount namespace inside of the container.
            ((9, 8, 1), Some(Whereabouts::SameContainer)),
            // Processes of their own inside of the container.
            ((7, 9, 2), Some(Whereabouts::SameContainer)),
            // A process of the host that entered the mounts.
            ((7, 2, 0), Some(Whereabouts::SameContainer)),
            ((1, 2, 0), Some(Whereabouts::Host)),
            // `docker cp`: mounts of its own, processes of the host.
            ((9, 2, 0), Some(Whereabouts::Host)),
            ((9, 10, 1), Some(Whereabouts::OtherContainer)),
            ((0, 8, 1), None),
        ] {
            let start = if pid_ns == 8 { 100 } else { 5 };
            let writer = Writer {
                mnt_ns,
                pid_ns,
                pidns_level,
                pidns_start_boot_ns: start,
                boot_ns: 200,
                ..Writer::NOBODY
            };
            assert_eq!(whereabouts(&writer, &executed(1)), expected, "{mnt_ns} {pid_ns}");
        }
    }

    /// An init container that writes to a volume and ends, `docker cp` into a container that is started afterwards: the
    /// container that executes may have their numbers.
    #[test]
    fn numbers_of_namespaces_that_have_ended_are_nobodys() {
        let writer = |mnt_ns, pid_ns, pidns_level, pidns_start_boot_ns| Writer {
            mnt_ns,
            pid_ns,
            pidns_level,
            pidns_start_boot_ns,
            boot_ns: 60,
            ..Writer::NOBODY
        };
        for (writer, level, expected) in [
            (writer(7, 8, 1, 50), 1, Whereabouts::OtherContainer),
            (writer(7, 9, 1, 50), 1, Whereabouts::OtherContainer),
            (writer(9, 8, 1, 50), 1, Whereabouts::OtherContainer),
            (writer(7, 2, 0, 1), 1, Whereabouts::Host),
            // The one who executed has made processes of its own meanwhile.
            (writer(7, 9, 1, 50), 2, Whereabouts::SameContainer),
            // Nobody knows when those began.
            (writer(7, 8, 1, 0), 1, Whereabouts::SameContainer),
        ] {
            assert_eq!(whereabouts(&writer, &executed(level)), Some(expected), "{writer:?}");
        }
        let mut unknown = executed(1);
        unknown.known = 0;
        assert_eq!(whereabouts(&writer(7, 8, 1, 50), &unknown), Some(Whereabouts::SameContainer));
    }

    #[test]
    fn a_process_of_the_host_is_in_no_container_when_the_host_executes() {
        let mut executed = executed(0);
        executed.namespaces.mnt = 1;
        let writer = Writer { mnt_ns: 1, pid_ns: 8, boot_ns: 200, ..Writer::NOBODY };
        assert_eq!(whereabouts(&writer, &executed), Some(Whereabouts::Host));
    }
}

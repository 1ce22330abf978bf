//! A process by which its container is looked up: that of an event, or one that runs.

use std::path::Path;

use super::{
    bounded_read::read_proc,
    proc_stat::{Stat, TICK_NS},
};
use crate::event::ExecEvent;

/// Processes above one that are looked at; as many as a record carries.
const ABOVE: usize = 20;
/// Bytes of `status` that are read.
const STATUS_BYTES: usize = 64 * 1024;

/// A process above the subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Above {
    pub(super) pid: u32,
    pub(super) comm: Vec<u8>,
    pub(super) start_ticks: u64,
}

/// The process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Subject {
    /// Its number, initial pid namespace; 0 = of no process in particular.
    pub(super) pid: u32,
    /// Number of its mount namespace; 0 = unknown.
    pub(super) mnt: u32,
    /// Those above it, parent first.
    pub(super) above: Vec<Above>,
}

impl Subject {
    /// That of an event.
    pub(super) fn of(event: &ExecEvent) -> Self {
        let above = event.ancestors.iter().map(|ancestor| Above {
            pid: ancestor.pid,
            comm: ancestor.comm.clone(),
            start_ticks: ancestor.start_boot_ns / TICK_NS,
        });
        Self { pid: event.process.pid, mnt: event.namespaces.mnt, above: above.collect() }
    }

    /// One that runs; `None` when it does not any more. `proc`: where procfs is mounted.
    pub(super) fn of_running(proc: &Path, pid: u32) -> Option<Self> {
        let mnt = namespace(proc, pid, "mnt")?;
        let mut above = Vec::new();
        let mut next = Stat::read(proc, pid).ok()?.parent;
        while next > 0 && above.len() < ABOVE {
            let Ok(stat) = Stat::read(proc, next) else { break };
            above.push(Above { pid: next, comm: stat.comm, start_ticks: stat.start_ticks });
            next = stat.parent;
        }
        Some(Self { pid, mnt, above })
    }
}

/// Start of the first process of the event's pid namespace, in clock ticks since boot; 0 in that of the host. With it
/// the number of a namespace, which the kernel gives again, stands for one namespace only.
pub(super) fn pid_namespace_since(event: &ExecEvent) -> u64 {
    let boot_at = event.time_ns.saturating_sub(event.boot_ns);
    let since = event.process.pidns_start_ns.filter(|_| event.process.pidns_level > 0);
    since.map_or(0, |since| since.wrapping_sub(boot_at) / TICK_NS)
}

/// Number of a process's namespace.
pub(super) fn namespace(proc: &Path, pid: u32, kind: &str) -> Option<u32> {
    let link = std::fs::read_link(proc.join(pid.to_string()).join("ns").join(kind)).ok()?;
    link.to_str()?.strip_prefix(kind)?.strip_prefix(":[")?.strip_suffix(']')?.parse().ok()
}

/// The numbers of a process in its pid namespaces, the host's first.
pub(super) fn pids(proc: &Path, pid: u32) -> Option<Vec<u32>> {
    let status = read_proc(&proc.join(pid.to_string()).join("status"), STATUS_BYTES).ok()?;
    let line = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"NSpid:"))?;
    std::str::from_utf8(line).ok()?.split_ascii_whitespace().map(|word| word.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Subject, namespace, pids};

    #[test]
    fn this_process_is_one() {
        let proc = Path::new("/proc");
        let own = Subject::of_running(proc, std::process::id()).unwrap();
        assert_eq!(own.above[0].pid, std::os::unix::process::parent_id());
        assert_eq!(Some(own.mnt), namespace(proc, std::process::id(), "mnt"));
        assert_eq!(pids(proc, std::process::id()).unwrap()[0], std::process::id());
        assert_eq!(Subject::of_running(proc, u32::MAX / 2), None);
    }
}

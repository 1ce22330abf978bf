//! The containers that run when the agent starts, by the processes of the host: for each mount namespace that is not the
//! host's its eldest process. No engine needs to be asked, so a container of an engine that is down is found, too.

use std::{collections::HashMap, path::Path};

use super::{
    bounded_read::read_proc,
    cgroup_name::{Strength, claim},
    proc_stat::Stat,
    subject::{Subject, namespace, pids},
};
use crate::event::{Cgroup, Cgroups, Runtime};

/// Processes that are looked at.
const PROCESSES: usize = 65_536;
/// Bytes of `cgroup` that are read.
const CGROUP_BYTES: usize = 64 * 1024;

/// A container that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Running {
    pub(super) subject: Subject,
    /// Start of the first process of its pid namespace, clock ticks since boot; 0 in that of the host.
    pub(super) since: u64,
    /// Its id and who gave it, where its cgroup tells and nobody else names cgroups so.
    pub(super) named: Option<(String, Runtime)>,
}

/// All of them. Reads a few files of procfs for each process: not for the thread that takes records.
pub(super) fn running(proc: &Path) -> Vec<Running> {
    // The first process may have more rights than the agent, which then may not ask it; the second is the kernel's.
    let host = namespace(proc, 1, "mnt").or_else(|| namespace(proc, 2, "mnt"));
    let mut eldest: HashMap<u32, (u64, u32)> = HashMap::new();
    let entries = std::fs::read_dir(proc).into_iter().flatten().flatten();
    let all = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    for pid in all.take(PROCESSES) {
        let Some(mnt) = namespace(proc, pid, "mnt").filter(|mnt| Some(*mnt) != host) else { continue };
        let Ok(stat) = Stat::read(proc, pid) else { continue };
        let entry = eldest.entry(mnt).or_insert((stat.start_ticks, pid));
        *entry = (*entry).min((stat.start_ticks, pid));
    }
    let found = eldest.into_values().filter_map(|(_, pid)| of_process(proc, pid));
    // Without knowing which is the host's: nothing there is named so that nobody else can be, nor has pids of its own.
    found.filter(|running| host.is_some() || running.named.is_some() || running.since > 0).collect()
}

/// The container of a process.
pub(super) fn of_process(proc: &Path, pid: u32) -> Option<Running> {
    let subject = Subject::of_running(proc, pid)?;
    let since = pid_namespace_since(proc, &subject)?;
    let named = claim(&cgroups(proc, pid)).filter(|claim| claim.strength == Strength::Certain);
    Some(Running { subject, since, named: named.map(|claim| (claim.id, claim.runtime)) })
}

/// The topmost process of the same pid namespace that is number 1 in there.
fn pid_namespace_since(proc: &Path, subject: &Subject) -> Option<u64> {
    let levels = pids(proc, subject.pid)?.len();
    if levels < 2 {
        return Some(0);
    }
    let own = namespace(proc, subject.pid, "pid")?;
    let chain = [subject.pid].into_iter().chain(subject.above.iter().map(|above| above.pid));
    let first = chain.into_iter().find(|pid| {
        namespace(proc, *pid, "pid") == Some(own)
            && pids(proc, *pid).is_some_and(|pids| pids.last() == Some(&1))
    })?;
    Stat::read(proc, first).ok().map(|stat| stat.start_ticks)
}

/// The cgroups of a process, the unified hierarchy first as in a record.
fn cgroups(proc: &Path, pid: u32) -> Cgroups {
    let file = read_proc(&proc.join(pid.to_string()).join("cgroup"), CGROUP_BYTES).unwrap_or_default();
    // ID:CONTROLLERS:PATH
    let lines = file.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut parts = line.splitn(3, |byte| *byte == b':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let controller = if controllers.is_empty() { "" } else { "v1" };
        Some(Cgroup { controller, path: path.to_vec(), complete: true })
    });
    let mut all: Vec<Cgroup> = lines.collect();
    all.sort_by_key(|cgroup| !cgroup.controller.is_empty());
    Cgroups(all)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use super::{Running, running};
    use crate::{
        enrich::subject::{Above, Subject},
        event::Runtime,
    };

    const ID: &str = "3b2c1d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff001";

    fn process(
        proc: &Path,
        (pid, parent, ticks): (u32, u32, u32),
        (mnt, pidns): (u32, u32),
        nspid: &str,
        cgroup: &str,
    ) {
        let folder = proc.join(pid.to_string());
        fs::create_dir_all(folder.join("ns")).unwrap();
        symlink(format!("mnt:[{mnt}]"), folder.join("ns/mnt")).unwrap();
        symlink(format!("pid:[{pidns}]"), folder.join("ns/pid")).unwrap();
        let fields: Vec<String> = (5..22).map(|number| number.to_string()).collect();
        fs::write(folder.join("stat"), format!("{pid} (p) S {parent} {} {ticks} 0", fields.join(" ")))
            .unwrap();
        fs::write(folder.join("status"), format!("Name:\tp\nNSpid:\t{nspid}\n")).unwrap();
        fs::write(folder.join("cgroup"), format!("5:memory:{cgroup}\n0::{cgroup}\n")).unwrap();
    }

    #[test]
    fn each_container_is_found_once_by_its_eldest_process() {
        let proc = tempfile::tempdir().unwrap();
        let proc = proc.path();
        process(proc, (1, 0, 1), (9, 8), "1", "/init");
        process(proc, (40, 1, 100), (9, 8), "40", "/shim");
        process(proc, (71, 40, 200), (7, 6), "71\t1", &format!("/docker/{ID}"));
        process(proc, (72, 71, 300), (7, 6), "72\t9", &format!("/docker/{ID}/sub"));
        // A service of the host with mounts of its own.
        process(proc, (80, 1, 50), (5, 8), "80", "/system.slice/a.service");
        fs::create_dir(proc.join("self")).unwrap();
        let mut found = running(proc);
        found.sort_by_key(|running| running.subject.pid);
        let above = |pid, start_ticks| Above { pid, comm: b"p".to_vec(), start_ticks };
        let container = Running {
            subject: Subject { pid: 71, mnt: 7, above: vec![above(40, 100), above(1, 1)] },
            since: 200,
            named: Some((ID.to_owned(), Runtime::Docker)),
        };
        assert_eq!(found[0], container);
        assert_eq!((found.len(), found[1].subject.pid, found[1].since, &found[1].named), (2, 80, 0, &None));
    }

    #[test]
    fn a_first_process_that_may_not_be_asked_hides_no_container() {
        let proc = tempfile::tempdir().unwrap();
        let proc = proc.path();
        process(proc, (40, 1, 100), (9, 8), "40", "/3b2c1d4e5f60718293a4b5c6d7e8f901");
        process(proc, (71, 40, 200), (7, 6), "71\t1", &format!("/docker/{ID}"));
        let found = running(proc);
        assert_eq!(found.iter().map(|running| running.subject.pid).collect::<Vec<_>>(), [71]);
    }

    #[test]
    fn this_host_is_looked_through() {
        let own = running(Path::new("/proc"));
        assert!(own.iter().all(|running| running.subject.mnt != 0));
        assert_eq!(running(Path::new("/nowhere")), []);
    }
}

//! What the processes above an executed file are: their arguments, folders and files, which the kernel does not show
//! at the exec. Read from procfs as soon as the event is here, and believed only where the process is still the one of
//! the record: the same start, the same name, before and after. What earlier events told is remembered, and what ran
//! when the agent started is read then, because a parent can be gone before it is asked.
//!
//! No record of each fork and exit: with the usual rules the kernel sends nothing at all in steady state, and a record
//! for each process of the host would be the whole cost of the agent.

use std::{
    collections::{HashMap, VecDeque},
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    bounded_read::{ReadError, read_proc},
    proc_stat::{Stat, TICK_NS},
};
use crate::event::{Ancestor, Arguments, ExecEvent, Path as EventPath, ProcessDetails};

/// Processes that are remembered; the oldest goes first.
const PROCESSES: usize = 4096;
/// Bytes of arguments that are kept, as many as a record carries of the process itself.
const ARGUMENT_BYTES: usize = 4096;
/// Bytes of an environment that are kept.
const ENVIRONMENT_BYTES: usize = 4096;
/// Bytes of arguments or environment that are read to be cut: the kernel's own bound is 2 MiB and more.
const READ_BYTES: usize = 8 << 20;

/// A process: number and start in clock ticks since boot.
type Identity = (u32, u64);

/// What is remembered of one.
struct Known {
    comm: Vec<u8>,
    details: ProcessDetails,
}

/// The processes that are known.
pub(super) struct Processes {
    proc: PathBuf,
    environments: AtomicBool,
    known: Mutex<(HashMap<Identity, Known>, VecDeque<Identity>)>,
}

impl Processes {
    /// `proc`: where procfs is mounted.
    pub(super) fn new(proc: PathBuf) -> Self {
        Self { proc, environments: AtomicBool::new(false), known: Mutex::default() }
    }

    /// Whether environments are read, too.
    pub(super) fn want_environments(&self, wanted: bool) {
        self.environments.store(wanted, Ordering::Relaxed);
    }

    /// Reads the processes that run now.
    pub(super) fn seed(&self) {
        let entries = std::fs::read_dir(&self.proc).into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        for pid in pids.take(PROCESSES) {
            let Ok(stat) = Stat::read(&self.proc, pid) else { continue };
            if let Some(details) = self.read(pid, stat.start_ticks, &stat.comm) {
                self.remember((pid, stat.start_ticks), Known::of(stat.comm, details));
            }
        }
    }

    /// Fills what is remembered of the ancestors of an event, and remembers its own process. Whether anything is left
    /// to be read.
    pub(super) fn fill(&self, event: &mut ExecEvent) -> bool {
        let mut left = false;
        for ancestor in &mut event.ancestors {
            if ancestor.details.is_none() && !is_kernel_thread(ancestor) {
                ancestor.details = self.remembered(ancestor);
                left |= ancestor.details.is_none();
            }
        }
        let process = &event.process;
        let boot_ns = process.start_ns.saturating_sub(event.time_ns.saturating_sub(event.boot_ns));
        let details = ProcessDetails {
            arguments: process.arguments.clone(),
            env: process.env.clone(),
            cwd: process.cwd.clone(),
            exe_path: event.file.path.clone(),
        };
        self.remember((process.pid, boot_ns / TICK_NS), Known::of(process.comm.clone(), details));
        left
    }

    /// Reads what is left of the ancestors of an event, one answer for each of them; `None` = nothing to be had, or
    /// nothing was left. May hang where a process's memory does.
    pub(super) fn look_up(&self, event: &ExecEvent) -> Vec<Option<ProcessDetails>> {
        let each = event.ancestors.iter().map(|ancestor| {
            if ancestor.details.is_some() || is_kernel_thread(ancestor) {
                return None;
            }
            // Another event may have brought it meanwhile.
            if let Some(details) = self.remembered(ancestor) {
                return Some(details);
            }
            let (pid, ticks) = identity(ancestor);
            let details = self.read(pid, ticks, &ancestor.comm)?;
            let known = Known::of(ancestor.comm.clone(), details.clone());
            // One that became another program of the same name meanwhile is not the one of the record.
            let is_it = known.is(ancestor);
            self.remember((pid, ticks), known);
            is_it.then_some(details)
        });
        each.collect()
    }

    fn remembered(&self, ancestor: &Ancestor) -> Option<ProcessDetails> {
        let known = self.known();
        let found = known.0.get(&identity(ancestor)).filter(|known| known.is(ancestor))?;
        Some(ProcessDetails::clone(&found.details))
    }

    /// A process of procfs, if it is the one with this start and name.
    fn read(&self, pid: u32, start_ticks: u64, comm: &[u8]) -> Option<ProcessDetails> {
        let is_same = || {
            Stat::read(&self.proc, pid).is_ok_and(|stat| stat.start_ticks == start_ticks && stat.comm == comm)
        };
        is_same().then_some(())?;
        let folder = self.proc.join(pid.to_string());
        // One that is half-way through its exec has a name and no arguments yet, one that ended has none any more.
        let arguments =
            area(&folder, "cmdline", ARGUMENT_BYTES).filter(|arguments| !arguments.area.is_empty())?;
        let wanted = self.environments.load(Ordering::Relaxed);
        let env = if wanted { area(&folder, "environ", ENVIRONMENT_BYTES) } else { None };
        let link = |name: &str| {
            let path = std::fs::read_link(folder.join(name)).ok()?.into_os_string().into_vec();
            let path = path.strip_suffix(b" (deleted)".as_slice()).map(<[u8]>::to_vec).unwrap_or(path);
            Some(EventPath { bytes: path, complete: true })
        };
        let details = ProcessDetails { arguments, env, cwd: link("cwd"), exe_path: link("exe") };
        // It may have become another program, or another process, while it was read.
        is_same().then_some(details)
    }

    fn remember(&self, identity: Identity, known: Known) {
        let mut table = self.known();
        let (known_processes, order) = &mut *table;
        if known_processes.insert(identity, known).is_some() {
            return;
        }
        order.push_back(identity);
        if order.len() > PROCESSES
            && let Some(oldest) = order.pop_front()
        {
            known_processes.remove(&oldest);
        }
    }

    fn known(&self) -> MutexGuard<'_, (HashMap<Identity, Known>, VecDeque<Identity>)> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn of(comm: Vec<u8>, details: ProcessDetails) -> Self {
        Self { comm, details }
    }

    /// Whether this ancestor still runs the program that was remembered: an exec changes neither number nor start.
    fn is(&self, ancestor: &Ancestor) -> bool {
        let same_file = match (&self.details.exe_path, &ancestor.exe_path) {
            (Some(known), Some(of_record)) if of_record.complete => {
                is_same_file(&known.bytes, &of_record.bytes)
            }
            _ => true,
        };
        self.comm == ancestor.comm && same_file
    }
}

/// The kernel's path starts at the process's own root directory, that of procfs at the root of its mounts: of a process
/// that changed its root the longer one ends like the shorter.
fn is_same_file(of_procfs: &[u8], of_record: &[u8]) -> bool {
    of_procfs.ends_with(of_record)
}

fn identity(ancestor: &Ancestor) -> Identity {
    (ancestor.pid, ancestor.start_boot_ns / TICK_NS)
}

/// Kernel threads have no memory and no file; pid 2 is above all of them.
fn is_kernel_thread(ancestor: &Ancestor) -> bool {
    ancestor.pid == 0 || ancestor.pid == 2
}

/// A file of texts with NUL between.
fn area(folder: &Path, name: &str, bound: usize) -> Option<Arguments> {
    let mut area = match read_proc(&folder.join(name), READ_BYTES) {
        Ok(area) => area,
        Err(ReadError::TooLarge { .. } | ReadError::Absent) => return None,
        Err(error) => {
            log::debug!("{name} of a process cannot be read: {error}");
            return None;
        }
    };
    let ends = usize::from(area.ends_with(b"\0"));
    let given = area.split(|byte| *byte == 0).count() - ends;
    let given = u32::try_from(given).unwrap_or(u32::MAX);
    let truncated = area.len() > bound;
    area.truncate(bound);
    Some(Arguments { area, given, truncated })
}

#[cfg(test)]
mod tests {
    use std::{
        path::PathBuf,
        process::{Child, Command, Stdio},
    };

    use super::Processes;
    use crate::{
        enrich::{
            proc_stat::{Stat, TICK_NS},
            sample::{ancestor, host},
        },
        event::{ExecEvent, Path},
    };

    /// A shell that waits.
    struct Waiting(Child);

    impl Waiting {
        fn start() -> Self {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", "read line", "one", "t w o"]).env("ONLY", "here").current_dir("/");
            let child = Self(command.stdin(Stdio::piped()).spawn().unwrap());
            // Started means forked; the shell is there when its arguments are.
            let cmdline = format!("/proc/{}/cmdline", child.0.id());
            while !std::fs::read(&cmdline).unwrap().ends_with(b"t w o\0") {
                std::thread::yield_now();
            }
            child
        }

        /// An event of something below it.
        fn event(&self) -> ExecEvent {
            let stat = Stat::read("/proc".as_ref(), self.0.id()).unwrap();
            let mut event = host();
            event.ancestors = vec![ancestor(self.0.id(), "sh")];
            event.ancestors[0].start_boot_ns = stat.start_ticks * TICK_NS + 5;
            event
        }

        fn end(mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    impl Drop for Waiting {
        fn drop(&mut self) {
            let _ = (self.0.kill(), self.0.wait());
        }
    }

    fn processes() -> Processes {
        Processes::new(PathBuf::from("/proc"))
    }

    #[test]
    fn an_ancestor_that_runs_is_read() {
        let parent = Waiting::start();
        let processes = processes();
        processes.want_environments(true);
        let mut event = parent.event();
        assert!(processes.fill(&mut event), "nothing is known yet");
        let details = processes.look_up(&event).remove(0).unwrap();
        assert_eq!(details.arguments.joined(), b"-c read line one t w o");
        assert_eq!(details.cwd.unwrap().bytes, b"/");
        assert_eq!(details.env.unwrap().variable(b"ONLY"), Some(&b"here"[..]));
        assert!(details.exe_path.is_some());
    }

    #[test]
    fn what_was_read_is_known_when_the_process_is_gone() {
        for seeded in [false, true] {
            let parent = Waiting::start();
            let processes = processes();
            let mut event = parent.event();
            if seeded {
                processes.seed();
            } else {
                let _ = processes.look_up(&event);
            }
            parent.end();
            assert!(!processes.fill(&mut event), "seeded: {seeded}");
            let details = event.ancestors[0].details.as_ref().unwrap();
            assert_eq!(
                (details.arguments.joined(), &details.env),
                (b"-c read line one t w o".to_vec(), &None)
            );
        }
    }

    #[test]
    fn another_process_or_program_with_the_number_is_not_believed() {
        let parent = Waiting::start();
        let changes: [fn(&mut ExecEvent); 4] = [
            |event| event.ancestors[0].start_boot_ns += TICK_NS,
            |event| event.ancestors[0].comm = b"bash".to_vec(),
            |event| {
                event.ancestors[0].exe_path = Some(Path { bytes: b"/bin/other".to_vec(), complete: true });
            },
            |event| event.ancestors[0].pid = u32::MAX / 2,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let processes = processes();
            let mut event = parent.event();
            change(&mut event);
            assert_eq!(processes.look_up(&event), [None], "change {number}");
            processes.seed();
            assert!(processes.fill(&mut event), "change {number}");
        }
    }

    #[test]
    fn the_process_of_an_event_is_known_as_the_parent_of_the_next() {
        let processes = processes();
        let mut first = host();
        let _ = processes.fill(&mut first);
        let mut second = host();
        let boot_ns = first.process.start_ns - (first.time_ns - first.boot_ns);
        second.ancestors = vec![ancestor(first.process.pid, "dropped")];
        second.ancestors[0].start_boot_ns = boot_ns;
        assert!(!processes.fill(&mut second));
        let details = second.ancestors[0].details.as_ref().unwrap();
        assert_eq!(details.arguments, first.process.arguments);
    }
}

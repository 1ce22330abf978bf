//! The pinned process that executes: a job in, the nanoseconds of each spawn+wait out.
//!
//! It is its own small process, so that what is measured does not depend on the threads and memory of the program that
//! measures, and it is the same one on the host and inside a container.

use std::ffi::{CString, OsString};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, posix_spawn};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::{Outcome, machine, no_op};

/// What to execute, how often, where.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    /// The file that is there already, and runs whenever nothing is dropped.
    pub(crate) file: PathBuf,
    pub(crate) drops: Drops,
    /// Ends after so many executions,
    pub(crate) count: u64,
    /// or after so many seconds.
    pub(crate) seconds: f64,
    /// Executions per second; as fast as possible without.
    pub(crate) rate: Option<f64>,
    /// The CPU that it and its children stay on.
    pub(crate) cpu: usize,
    /// Whether nothing else may have that CPU meanwhile: real-time priority. Not for jobs that the agent, at ordinary
    /// priority, must keep up with.
    pub(crate) alone: bool,
}

/// Which executions are of dropped files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Drops {
    /// None.
    None,
    /// This file is written once and runs each time.
    One(PathBuf),
    /// Every n-th execution is of a file of its own, written right before and removed right after:
    /// `prefix`-0, `prefix`-1 and so on.
    Each { prefix: PathBuf, nth: u64 },
}

impl Job {
    /// `count` executions of `file` without a pause.
    pub(crate) fn quiet(file: impl Into<PathBuf>, count: u64, cpu: usize) -> Self {
        Self {
            file: file.into(),
            drops: Drops::None,
            count,
            seconds: f64::MAX,
            rate: None,
            cpu,
            alone: false,
        }
    }

    pub(crate) fn drops(self, drops: Drops) -> Self {
        Self { drops, ..self }
    }

    pub(crate) fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    pub(crate) fn rate(self, per_second: f64) -> Self {
        Self { rate: Some(per_second), ..self }
    }

    pub(crate) fn seconds(self, seconds: f64) -> Self {
        Self { seconds, count: u64::MAX, ..self }
    }

    /// As the argument of the spawner.
    pub(crate) fn argument(&self) -> Outcome<String> {
        Ok(serde_json::to_string(self)?)
    }
}

/// What the spawner printed: nanoseconds per execution, in order.
pub(crate) fn read_output(bytes: &[u8]) -> Vec<f64> {
    let (numbers, _) = bytes.as_chunks::<8>();
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a spawn, far below 2^53")]
    numbers.iter().map(|number| u64::from_le_bytes(*number) as f64).collect()
}

/// The verb: does the job and prints the durations.
pub(crate) fn run(job: &str) -> Outcome<()> {
    let job: Job = serde_json::from_str(job)?;
    pin(job.cpu)?;
    if job.alone {
        machine::go_first();
    }
    let mut lasted = Vec::new();
    if let Drops::One(file) = &job.drops {
        write_program(file)?;
    }
    let start = Instant::now();
    let mut index: u64 = 0;
    while index < job.count && start.elapsed().as_secs_f64() < job.seconds {
        if let Some(rate) = job.rate {
            #[expect(clippy::cast_precision_loss, reason = "a count of executions, far below 2^53")]
            let due = start + Duration::from_secs_f64(index as f64 / rate);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        let nanoseconds = match &job.drops {
            Drops::One(file) => spawn_and_wait(file)?,
            Drops::Each { prefix, nth } if (index + 1).is_multiple_of(*nth) => {
                let mut name: OsString = prefix.clone().into();
                name.push(format!("-{}", index / nth));
                let file = PathBuf::from(name);
                write_program(&file)?;
                let nanoseconds = spawn_and_wait(&file)?;
                std::fs::remove_file(&file)?;
                nanoseconds
            }
            Drops::None | Drops::Each { .. } => spawn_and_wait(&job.file)?,
        };
        lasted.extend(nanoseconds.to_le_bytes());
        index += 1;
    }
    std::io::stdout().write_all(&lasted)?;
    Ok(())
}

/// Becomes `program`, tied to a CPU that it has for itself.
pub(crate) fn alone(cpu: &str, program: &str, arguments: &[&str]) -> Outcome<()> {
    pin(cpu.parse()?)?;
    machine::go_first();
    Err(std::process::Command::new(program).args(arguments).exec().into())
}

/// Ties this process and all its children to one CPU.
fn pin(cpu: usize) -> Outcome<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &set).map_err(|error| format!("cannot pin to CPU {cpu}: {error}"))?;
    Ok(())
}

/// Writes the no-op program as a new executable file.
pub(crate) fn write_program(file: &Path) -> Outcome<()> {
    let opened = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(file);
    let written = opened.and_then(|mut open| open.write_all(&no_op::program()));
    written.map_err(|error| format!("cannot write {}: {error}", file.display()).into())
}

/// One execution, from before the spawn to after the wait.
fn spawn_and_wait(file: &Path) -> Outcome<u64> {
    let path = CString::new(file.as_os_str().as_bytes())?;
    let (actions, attributes) = (PosixSpawnFileActions::init()?, PosixSpawnAttr::init()?);
    let start = Instant::now();
    let child = posix_spawn(path.as_c_str(), &actions, &attributes, &[&path], &[c""; 0])
        .map_err(|error| format!("cannot execute {}: {error}", file.display()))?;
    match waitpid(child, None)? {
        WaitStatus::Exited(_, 0) => Ok(u64::try_from(start.elapsed().as_nanos())?),
        status => Err(format!("{} ended with {status:?}", file.display()).into()),
    }
}

//! What the figures share: the agent's program, the time they have, the CPUs, and where jobs run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use detector_tests::{BareContainer, process, program_copy};
use tempfile::TempDir;

use crate::agent::Agent;
use crate::spawner::{Job, read_output, write_program};
use crate::{Outcome, interrupt, machine, ourselves};

/// Where the spawner is inside a container; part of its image.
const SPAWNER: &str = "/bin/bench";
/// The no-op program of the container's image.
pub(crate) const IMAGE_NO_OP: &str = "/bin/no-op";
/// Fewer rounds make no interval.
const LEAST_ROUNDS: u64 = 4;

/// Everything that a figure needs.
pub(crate) struct Stage {
    agent: PathBuf,
    /// For each figure.
    pub(crate) time: Duration,
    /// A smoke run.
    pub(crate) quick: bool,
    pub(crate) cpus: Vec<usize>,
    folder: TempDir,
}

impl Stage {
    pub(crate) fn new(agent: PathBuf, time: Duration, quick: bool) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("detector-bench-").tempdir()?;
        write_program(&folder.path().join("no-op"))?;
        Ok(Self { agent, time, quick, cpus: machine::cpus()?, folder })
    }

    /// A folder that goes with the run.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The agent's program.
    pub(crate) fn agent(&self) -> &Path {
        &self.agent
    }

    /// A running agent.
    pub(crate) fn start_agent(&self) -> Outcome<Agent> {
        self.start_agent_with(&[])
    }

    /// A running agent with more arguments.
    pub(crate) fn start_agent_with(&self, arguments: &[&str]) -> Outcome<Agent> {
        interrupt::check()?;
        Agent::start(&self.agent, arguments)
    }

    /// The no-op program of the host.
    pub(crate) fn no_op(&self) -> PathBuf {
        self.folder.path().join("no-op")
    }

    /// The CPU that a single spawner is pinned to: the last, as the first has most of the interrupts.
    pub(crate) fn cpu(&self) -> usize {
        self.cpus.last().copied().unwrap_or(0)
    }

    /// `quick` in a smoke run, else `full`.
    pub(crate) fn amount(&self, full: u64, quick: u64) -> u64 {
        if self.quick { quick } else { full }
    }

    /// Calls `round` with 0, 1, 2 ... until `share` of the figure's time is used up.
    pub(crate) fn rounds(&self, share: f64, mut round: impl FnMut(u32) -> Outcome<()>) -> Outcome<u32> {
        let end = Instant::now() + self.time.mul_f64(share);
        let mut index = 0;
        while u64::from(index) < self.amount(LEAST_ROUNDS, 2) || Instant::now() < end {
            interrupt::check()?;
            round(index)?;
            index += 1;
        }
        Ok(index)
    }

    /// Does a job on the host; nanoseconds per execution.
    pub(crate) fn on_host(job: &Job) -> Outcome<Vec<f64>> {
        interrupt::check()?;
        let mut command = Command::new(ourselves()?);
        command.args(["spawner", &job.argument()?]);
        Ok(outcome(&process::run(command))?)
    }
}

/// A container whose image has the spawner and the no-op program.
pub(crate) fn container() -> Outcome<BareContainer> {
    let container = BareContainer::new();
    program_copy::copy(&ourselves()?, &container.lower().join(SPAWNER.trim_start_matches('/')));
    write_program(&container.lower().join(IMAGE_NO_OP.trim_start_matches('/')))?;
    Ok(container)
}

/// Does a job in one life of the container; nanoseconds per execution.
pub(crate) fn in_container(container: &BareContainer, job: &Job) -> Outcome<Vec<f64>> {
    interrupt::check()?;
    Ok(outcome(&container.run(&[SPAWNER, "spawner", &job.argument()?]))?)
}

fn outcome(finished: &process::Finished) -> Result<Vec<f64>, String> {
    if finished.status.success() {
        return Ok(read_output(&finished.stdout));
    }
    Err(format!("the spawner failed ({}): {}", finished.status, finished.stderr.trim_end()))
}

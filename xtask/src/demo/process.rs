//! A child process that never outlives the demo.
use std::process::{Child, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How often a condition that has no event of its own is looked at.
pub(super) const GLANCE: Duration = Duration::from_millis(50);

/// A child that is stopped when this value goes away.
pub(super) struct Guarded {
    name: &'static str,
    child: Child,
    /// Time to stop by itself after SIGTERM.
    grace: Duration,
}

impl Guarded {
    pub(super) fn new(name: &'static str, child: Child, grace: Duration) -> Self {
        Self { name, child, grace }
    }

    pub(super) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// How the child ended, if it did.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("cannot look after {}", self.name))
    }

    /// SIGTERM, then patience; a child that does not stop is killed, and that is an error.
    pub(super) fn stop(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        let pid = i32::try_from(self.child.id()).context("a process id that is no pid_t")?;
        kill(Pid::from_raw(pid), Signal::SIGTERM).with_context(|| format!("cannot stop {}", self.name))?;
        let deadline = Instant::now() + self.grace;
        while Instant::now() < deadline {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            sleep(GLANCE);
        }
        self.child
            .kill()
            .and_then(|()| self.child.wait())
            .with_context(|| format!("cannot kill {}", self.name))?;
        bail!("{} did not stop within {} s after SIGTERM and was killed", self.name, self.grace.as_secs());
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("error: {error:#}");
        }
    }
}

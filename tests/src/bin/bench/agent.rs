//! The agent while it is measured: started anew for each round, every line stamped as soon as it is read.

use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use detector_tests::process::{DEADLINE, spawn_tied, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

use crate::{Outcome, interrupt};

/// A running agent; killed on drop unless it was stopped.
pub(crate) struct Agent {
    child: Child,
    reader: Option<JoinHandle<()>>,
    seen: Arc<Seen>,
    /// From before the fork to the line `hooks armed`.
    pub(crate) armed_after: Duration,
    /// Nanoseconds from the boot clock to the time of day, as the agent measured them at its start.
    epoch_offset: i128,
}

/// An alert, reduced to what is measured of it.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// `proc.exepath`
    pub(crate) file: String,
    /// `evt.time`, nanoseconds since the epoch.
    time: i128,
    /// When it was read, on the boot clock.
    read: i128,
}

/// What the agent said when it ended.
pub(crate) struct Ended {
    pub(crate) lines: Vec<Line>,
    pub(crate) lost: usize,
    /// Its summary, from `lost=` on.
    pub(crate) loss: String,
}

#[derive(Default)]
struct Seen {
    lines: Mutex<Vec<Line>>,
    log: Mutex<Vec<(Instant, String)>>,
    news: Condvar,
}

impl Agent {
    /// Starts the agent with the default rule, JSON lines and further `arguments`, and waits until its hooks are armed.
    pub(crate) fn start(program: &Path, arguments: &[&str]) -> Outcome<Self> {
        let mut command = Command::new(program);
        command.args(["-o", "json_output=true"]).args(arguments);
        let seen = Arc::new(Seen::default());
        let (lines, log) = (Arc::clone(&seen), Arc::clone(&seen));
        let start = Instant::now();
        let (child, reader) = spawn_tied(
            command,
            Signal::SIGKILL,
            move |line| {
                let read = clock(ClockId::CLOCK_BOOTTIME);
                if let Some(line) = Line::parse(&line, read) {
                    locked(&lines.lines).push(line);
                }
            },
            move |line| {
                locked(&log.log).push((Instant::now(), String::from_utf8_lossy(&line).into_owned()));
                log.news.notify_all();
            },
        )
        .map_err(|error| format!("cannot start {}: {error}", program.display()))?;
        let mut agent =
            Self { child, reader: Some(reader), seen, armed_after: Duration::ZERO, epoch_offset: 0 };
        agent.armed_after = agent.wait_for_log("hooks armed")?.saturating_duration_since(start);
        agent.epoch_offset = epoch_offset();
        Ok(agent)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How many alerts were read so far.
    pub(crate) fn count(&self) -> usize {
        locked(&self.seen.lines).len()
    }

    /// Waits for `count` lines that `wanted` accepts, and takes them.
    pub(crate) fn wait_for_lines(&self, count: usize, wanted: impl Fn(&Line) -> bool) -> Outcome<Vec<Line>> {
        let end = Instant::now() + DEADLINE;
        loop {
            let found: Vec<Line> =
                locked(&self.seen.lines).iter().filter(|line| wanted(line)).cloned().collect();
            if found.len() >= count {
                return Ok(found);
            }
            if Instant::now() > end {
                return Err(format!("only {} of {count} alerts came", found.len()).into());
            }
            interrupt::check()?;
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Nanoseconds from the kernel's time stamp to the line read, of one alert.
    ///
    /// Both on the clock that the agent used for its stamps: the time of day may be slewed meanwhile.
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a latency, far below 2^53")]
    pub(crate) fn latency(&self, line: &Line) -> f64 {
        (line.read + self.epoch_offset - line.time) as f64
    }

    /// Keeps it from running until the answer is dropped.
    pub(crate) fn hold(&self) -> Outcome<Held> {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        kill(pid, Signal::SIGSTOP)?;
        Ok(Held(pid))
    }

    /// Stops it with SIGTERM, lets it drain, and takes what it had to say.
    pub(crate) fn stop(&mut self) -> Outcome<Ended> {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM)?;
        let status = wait_until(&mut self.child, DEADLINE).ok_or("the agent does not stop")?;
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        interrupt::check()?;
        let log = locked(&self.seen.log);
        let summary = log.iter().rev().find_map(|(_, line)| line.find("lost=").map(|at| &line[at..]));
        let loss =
            summary.ok_or_else(|| format!("the agent ended with {status} and told no loss"))?.to_owned();
        let digits: String = loss.chars().skip("lost=".len()).take_while(char::is_ascii_digit).collect();
        let lines = std::mem::take(&mut *locked(&self.seen.lines));
        Ok(Ended { lines, lost: digits.parse()?, loss })
    }

    fn wait_for_log(&self, text: &str) -> Outcome<Instant> {
        let end = Instant::now() + DEADLINE;
        let mut log = locked(&self.seen.log);
        loop {
            if let Some((at, _)) = log.iter().find(|(_, line)| line.contains(text)) {
                return Ok(*at);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.reader.as_ref().is_none_or(JoinHandle::is_finished) {
                let said: Vec<&str> = log.iter().map(|(_, line)| line.as_str()).collect();
                return Err(format!("the agent did not say `{text}`, but: {}", said.join(" | ")).into());
            }
            // Short steps: a reader that ended tells nobody.
            let step = left.min(Duration::from_millis(100));
            log = self.seen.news.wait_timeout(log, step).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// An agent that does not run.
pub(crate) struct Held(Pid);

impl Drop for Held {
    fn drop(&mut self) {
        // It fails only when the agent has ended, and then there is nothing to hold.
        let _ = kill(self.0, Signal::SIGCONT);
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if self.reader.is_some() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Line {
    /// Takes the two fields out of a line without reading the rest as JSON: in a burst the reader must be faster than
    /// the agent.
    fn parse(line: &[u8], read: i128) -> Option<Self> {
        let time = after(line, b"\"evt.time\":")?;
        let digits = time.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let file = after(line, b"\"proc.exepath\":\"")?;
        let length = file.iter().position(|byte| *byte == b'"')?;
        Some(Self {
            file: String::from_utf8_lossy(&file[..length]).into_owned(),
            time: std::str::from_utf8(&time[..digits]).ok()?.parse().ok()?,
            read,
        })
    }
}

/// What follows the first `key`.
fn after<'line>(line: &'line [u8], key: &[u8]) -> Option<&'line [u8]> {
    let at = line.windows(key.len()).position(|window| window == key)?;
    Some(&line[at + key.len()..])
}

/// The time of day minus the boot clock.
fn epoch_offset() -> i128 {
    let before = clock(ClockId::CLOCK_REALTIME);
    let boot = clock(ClockId::CLOCK_BOOTTIME);
    let after = clock(ClockId::CLOCK_REALTIME);
    before.midpoint(after) - boot
}

fn clock(id: ClockId) -> i128 {
    clock_gettime(id).map_or(0, |time| i128::from(time.tv_sec()) * 1_000_000_000 + i128::from(time.tv_nsec()))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_fields_are_found_in_a_line() {
        let line =
            br#"{"output":"x","output_fields":{"evt.time":1700000000123456789,"proc.exepath":"/tmp/a-1"}}"#;
        let parsed = Line::parse(line, 5).expect("an alert");
        assert_eq!(
            (parsed.file.as_str(), parsed.time, parsed.read),
            ("/tmp/a-1", 1_700_000_000_123_456_789, 5)
        );
        assert!(Line::parse(b"{\"output\":\"x\"}", 5).is_none());
    }
}

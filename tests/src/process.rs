//! Child processes that cannot outlive the test: ended at a deadline, and by the kernel when the test process dies.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

/// How long anything may take before the harness calls it hung. A limit for failures, not a measurement: a busy
/// computer needs more than half a minute to start the agent.
pub const DEADLINE: Duration = Duration::from_secs(if IN_GUEST { 900 } else { 120 });
/// How long the processor of an emulated machine may have had nothing to do while something is waited for. Whoever gives
/// it too little time keeps it busy, so this long it is idle only when what is waited for never comes.
const IDLE: Duration = Duration::from_secs(120);
/// The longest that nobody looks whether it is idle.
const LOOK: Duration = Duration::from_secs(5);

/// Whether this was built to run in an emulated machine (`cargo xtask vm` sets the variable), which may have a small
/// part of one processor.
pub(crate) const IN_GUEST: bool = option_env!("DETECTOR_GUEST").is_some();

/// A wait that ends in a failure: after [`DEADLINE`], in an emulated machine also when it has been idle for too long.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    end: Instant,
    /// Idle time of all processors at which it ends.
    idle_end: Option<Duration>,
}

impl Patience {
    /// Begins to wait.
    #[must_use]
    pub fn begin() -> Self {
        let idle = IN_GUEST.then(|| fs::read_to_string("/proc/stat").ok()).flatten();
        let idle_end = idle.and_then(|stat| idle_time(&stat)).map(|idle| idle + IDLE);
        Self { end: Instant::now() + DEADLINE, idle_end }
    }

    /// How long to wait until the next look; `None` when there is no more patience.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        let left = self.end.saturating_duration_since(Instant::now());
        let Some(end) = self.idle_end else { return (!left.is_zero()).then_some(left) };
        let idle = fs::read_to_string("/proc/stat").ok().and_then(|stat| idle_time(&stat));
        let idles = idle.is_some_and(|idle| idle >= end);
        (!left.is_zero() && !idles).then(|| left.min(LOOK))
    }
}

/// The fourth and fifth number of the first line of `/proc/stat`: time without work, and with none but waiting for a
/// disk, in hundredths of a second.
fn idle_time(stat: &str) -> Option<Duration> {
    let mut numbers = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().skip(3);
    let mut next = || numbers.next()?.parse::<u64>().ok();
    Some(Duration::from_millis((next()? + next()?) * 10))
}

/// What a finished command left.
#[derive(Debug)]
pub struct Finished {
    /// The command line, for messages.
    pub what: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error, lossily decoded.
    pub stderr: String,
}

impl Finished {
    /// The standard output of a command that must have succeeded.
    #[track_caller]
    #[must_use]
    pub fn ok(self) -> String {
        assert!(self.status.success(), "command failed: {self}");
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The exit code; a command ended by a signal has 128 + its number, as in a shell.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(127))
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}\n  {}\n  stdout: {}\n  stderr: {}",
            self.what,
            self.status,
            String::from_utf8_lossy(&self.stdout).trim_end(),
            self.stderr.trim_end()
        )
    }
}

/// Runs `command` to its end; one that takes longer than [`DEADLINE`] is killed and fails the test.
#[track_caller]
#[must_use]
pub fn run(mut command: Command) -> Finished {
    let what = format!("{command:?}");
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => panic!("cannot start {what}: {error}"),
    };
    let stdout = child.stdout.take().map(read_all);
    let stderr = child.stderr.take().map(read_all);
    let began = Instant::now();
    let Some(status) = wait_for_end(&mut child) else {
        let _ = child.kill();
        let _ = child.wait();
        let stderr = String::from_utf8_lossy(&joined(stderr)).into_owned();
        panic!("still running after {:?}, killed: {what}\n  stderr: {stderr}", began.elapsed());
    };
    let stderr = String::from_utf8_lossy(&joined(stderr)).into_owned();
    Finished { what, status, stdout: joined(stdout), stderr }
}

/// Waits for the end of `child`; `None` when it takes longer than anybody is patient for.
#[must_use]
pub fn wait_for_end(child: &mut Child) -> Option<ExitStatus> {
    let patience = Patience::begin();
    loop {
        if let Some(status) = wait_until(child, patience.left()?) {
            return Some(status);
        }
    }
}

/// Waits for the end of `child`; `None` when it still runs after `limit`.
#[must_use]
pub fn wait_until(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() >= end => return None,
            Ok(None) => thread::sleep(Duration::from_millis(1)),
            Err(error) => panic!("cannot wait for process {}: {error}", child.id()),
        }
    }
}

/// Starts a process for the background and hands on each line that it prints. The kernel sends it `death_signal`
/// should the test process die without cleaning up.
///
/// The returned handle ends after the last line. The process is started by that thread, because the kernel ties the
/// signal to the life of the starting thread, and a test's own thread ends with the test.
pub fn spawn_tied(
    mut command: Command,
    death_signal: Signal,
    on_stdout: impl FnMut(Vec<u8>) + Send + 'static,
    on_stderr: impl FnMut(Vec<u8>) + Send + 'static,
) -> std::io::Result<(Child, JoinHandle<()>)> {
    // SAFETY: prctl is async-signal-safe and touches no memory of the parent.
    unsafe { command.pre_exec(move || Ok(nix::sys::prctl::set_pdeathsig(death_signal)?)) };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (started, start) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return drop(started.send(Err(error))),
        };
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        if started.send(Ok(child)).is_err() {
            return;
        }
        let errors = stderr.map(|stream| thread::spawn(move || each_line(stream, on_stderr)));
        if let Some(stream) = stdout {
            each_line(stream, on_stdout);
        }
        if let Some(errors) = errors {
            let _ = errors.join();
        }
    });
    let child = start.recv().unwrap_or_else(|_| Err(std::io::Error::other("the starting thread ended")))?;
    Ok((child, reader))
}

fn each_line(stream: impl Read, mut on_line: impl FnMut(Vec<u8>)) {
    for line in BufReader::new(stream).split(b'\n') {
        match line {
            Ok(line) => on_line(line),
            Err(_) => return,
        }
    }
}

fn read_all(mut stream: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        bytes
    })
}

fn joined(reader: Option<JoinHandle<Vec<u8>>>) -> Vec<u8> {
    reader.and_then(|reader| reader.join().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_is_what_the_kernel_counts_as_idle_or_waiting_for_a_disk() {
        let stat = "cpu  7 1 2 300 25 0 4 0 0 0\ncpu0 7 1 2 300 25 0 4 0 0 0\n";
        assert_eq!(idle_time(stat), Some(Duration::from_millis(3250)));
        assert_eq!(idle_time("cpu  1 2 3\n"), None);
        assert_eq!(idle_time(""), None);
    }
}

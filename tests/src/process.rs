//! Child processes that cannot outlive the test: ended at a deadline, and by the kernel when the test process dies.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

/// How long anything may take before the harness calls it hung. A limit for failures, not a measurement: a busy
/// computer needs more than half a minute to start the agent.
pub const DEADLINE: Duration = Duration::from_secs(if IN_GUEST { 480 } else { 120 });

/// Whether this was built to run in an emulated machine (`cargo xtask vm` sets the variable), which may have a small
/// part of one processor.
const IN_GUEST: bool = option_env!("DETECTOR_GUEST").is_some();

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
    let Some(status) = wait_until(&mut child, DEADLINE) else {
        let _ = child.kill();
        let _ = child.wait();
        let stderr = String::from_utf8_lossy(&joined(stderr)).into_owned();
        panic!("still running after {DEADLINE:?}, killed: {what}\n  stderr: {stderr}");
    };
    let stderr = String::from_utf8_lossy(&joined(stderr)).into_owned();
    Finished { what, status, stdout: joined(stdout), stderr }
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

//! The agent under test: one real process, its alerts collected line by line.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::process::{IN_GUEST, Patience, spawn_tied, wait_for_end};
use crate::{Alert, BareContainer, case, helper_binaries};

/// The time zone that the agent is given (a rule of POSIX, needs no zone files): far from UTC and not a whole hour,
/// so that local time and UTC cannot be mixed up unseen.
pub const TIME_ZONE: &str = "TST-5:45";
/// Seconds that [`TIME_ZONE`] is ahead of UTC.
pub const TIME_ZONE_SECONDS: i128 = (5 * 60 + 45) * 60;

/// A running agent. It may be shared by parallel tests, so alerts are always looked for by a unique name.
pub struct Agent {
    seen: Arc<Seen>,
    running: Mutex<Option<Running>>,
    /// Names that must not appear until the agent has ended: see [`Agent::expect_quiet`].
    quiet: Mutex<Vec<String>>,
}

struct Running {
    child: Child,
    reader: JoinHandle<()>,
}

/// What the agent printed so far.
#[derive(Default)]
struct Seen {
    lines: Mutex<Lines>,
    news: Condvar,
}

#[derive(Default)]
struct Lines {
    alerts: Vec<Alert>,
    /// Lines on standard output that are no alerts, with the reason.
    malformed: Vec<String>,
    log: Vec<String>,
    /// Of standard output and standard error, how many have come to their end.
    streams_ended: u8,
}

impl Agent {
    /// The agent that the tests of this process share: started by the first, stopped (and its clean end checked) when
    /// the last one lets go.
    #[track_caller]
    #[must_use]
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Agent>> = Mutex::new(Weak::new());
        let mut shared = locked(&SHARED);
        if let Some(agent) = shared.upgrade() {
            return agent;
        }
        let agent = Arc::new(Self::start());
        *shared = Arc::downgrade(&agent);
        agent
    }

    /// Starts an agent of one's own and waits until its hooks are armed.
    #[track_caller]
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// As [`Agent::start`], with alerts of the stock rule that show these fields, too: a part of an output template. The
    /// folder has its rules, and is to be kept as long as the agent.
    #[track_caller]
    #[must_use]
    pub fn start_showing(fields: &str) -> (Self, TempDir) {
        let folder = match tempfile::tempdir() {
            Ok(folder) => folder,
            Err(error) => panic!("cannot make a folder for rules: {error}"),
        };
        let (stock, more) = (folder.path().join("stock.yaml"), folder.path().join("more.yaml"));
        let rule = format!(
            "- rule: Drop and execute new binary in container\n  output: \"{fields}\"\n  override:\n    output: append\n"
        );
        let written = std::fs::write(&stock, include_str!("../../detector/rules/falco_rules.yaml"))
            .and_then(|()| std::fs::write(&more, rule));
        if let Err(error) = written {
            panic!("cannot write rules below {}: {error}", folder.path().display());
        }
        let option = OsStr::new("-r");
        (Self::start_with(&[option, stock.as_os_str(), option, more.as_os_str()]), folder)
    }

    /// As [`Agent::start`], with these arguments besides those of the harness. One of the rules must be the stock
    /// rule: it is what the sentinels of the harness fire.
    #[track_caller]
    #[must_use]
    pub fn start_with(arguments: &[&OsStr]) -> Self {
        let mut command = Command::new(program());
        command.args(["-o", "json_output=true", "-U"]).args(arguments).env("TZ", TIME_ZONE);
        Self::spawn(command)
    }

    /// Starts an agent that sees this folder as `/run`: the sockets of private engines can lie there at their usual
    /// places, and those of the host's engines are out of its sight. It logs all that it does.
    #[track_caller]
    #[must_use]
    pub fn start_with_run(folder: &Path) -> Self {
        Self::start_with_run_and(folder, &[])
    }

    /// As [`Agent::start_with_run`], with these settings.
    #[track_caller]
    #[must_use]
    pub fn start_with_run_and(folder: &Path, settings: &[&str]) -> Self {
        let arguments: Vec<&OsStr> =
            settings.iter().flat_map(|setting| [OsStr::new("-o"), OsStr::new(setting)]).collect();
        Self::start_with_run_with(folder, &arguments)
    }

    /// As [`Agent::start_with_run`], with these arguments.
    #[track_caller]
    #[must_use]
    pub fn start_with_run_with(folder: &Path, arguments: &[&OsStr]) -> Self {
        let mut command = Command::new(program());
        command.args(arguments);
        command.args(["-o", "json_output=true", "-U"]).env("TZ", TIME_ZONE).env("DETECTOR_LOG", "debug");
        let folder = folder.to_path_buf();
        let own_run = move || {
            unshare(CloneFlags::CLONE_NEWNS)?;
            let none = None::<&Path>;
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
            mount(Some(folder.as_path()), "/run", none, MsFlags::MS_BIND, none)?;
            Ok(())
        };
        // SAFETY: three system calls; the paths are made before the fork, nix copies them to the stack.
        unsafe { command.pre_exec(own_run) };
        Self::spawn(command)
    }

    /// As [`Agent::start_with`], in a process that can never have these capabilities, as under the unit that the packages
    /// bring.
    #[track_caller]
    #[must_use]
    pub fn start_without(capabilities: &'static [libc::c_int], arguments: &[&OsStr]) -> Self {
        let mut command = Command::new(program());
        command.args(["-o", "json_output=true", "-U"]).args(arguments).env("TZ", TIME_ZONE);
        let drop_them = move || {
            for capability in capabilities {
                // SAFETY: takes numbers alone.
                if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, *capability, 0, 0, 0) } != 0 {
                    return Err(std::io::Error::last_os_error());
                }
            }
            Ok(())
        };
        // SAFETY: system calls that take numbers.
        unsafe { command.pre_exec(drop_them) };
        Self::spawn(command)
    }

    #[track_caller]
    fn spawn(mut command: Command) -> Self {
        let program = program();
        if IN_GUEST {
            // What takes milliseconds elsewhere may take a second on an emulated processor.
            command.args(["-o", "metadata.wait=20s"]);
        }
        assert!(
            program.is_file(),
            "no agent at {}: make it with `cargo xtask build`, or name it in DETECTOR_BIN",
            program.display()
        );
        let seen = Arc::new(Seen::default());
        let (alerts, log) = (Stream(Arc::clone(&seen)), Stream(Arc::clone(&seen)));
        let started = spawn_tied(
            command,
            Signal::SIGKILL,
            move |line| alerts.0.add(|lines| lines.add_output(&line)),
            move |line| log.0.add(|lines| lines.log.push(String::from_utf8_lossy(&line).into_owned())),
        );
        let (child, reader) = match started {
            Ok(started) => started,
            Err(error) => panic!("cannot start {}: {error}", program.display()),
        };
        let agent =
            Self { seen, running: Mutex::new(Some(Running { child, reader })), quiet: Mutex::default() };
        agent.seen.wait("its hooks to be armed", |lines| {
            lines.log.iter().any(|line| line.contains("hooks armed")).then_some(())
        });
        agent
    }

    /// Process id of the agent.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        locked(&self.running).as_ref().and_then(|running| i32::try_from(running.child.id()).ok())
    }

    /// Waits for a line of its log with this in it.
    #[track_caller]
    pub fn expect_log(&self, text: &str) {
        let _ = self.expect_log_line(text);
    }

    /// The same, and the answer is the line.
    #[track_caller]
    #[must_use]
    pub fn expect_log_line(&self, text: &str) -> String {
        self.seen.wait(&format!("`{text}` in its log"), |lines| {
            lines.log.iter().find(|line| line.contains(text)).cloned()
        })
    }

    /// Waits until this many lines of its log have this in them.
    #[track_caller]
    pub fn expect_log_times(&self, text: &str, times: usize) {
        self.seen.wait(&format!("`{text}` {times} times in its log"), |lines| {
            (lines.log.iter().filter(|line| line.contains(text)).count() >= times).then_some(())
        });
    }

    /// Waits for an alert that `wanted` accepts.
    #[track_caller]
    #[must_use]
    pub fn expect_alert(&self, what: &str, wanted: impl Fn(&Alert) -> bool) -> Alert {
        self.seen.wait(what, |lines| lines.alerts.iter().find(|alert| wanted(alert)).cloned())
    }

    /// Waits for `count` alerts that mention `marker`, then proves with a sentinel that no further one came.
    #[track_caller]
    #[must_use]
    pub fn expect_exactly(&self, count: usize, marker: &str) -> Vec<Alert> {
        let what = format!("{count} alerts about {marker}");
        self.seen.wait(&what, |lines| (lines.about(marker).count() >= count).then_some(()));
        self.pass_sentinel();
        let alerts = self.alerts_about(marker);
        let list = || alerts.iter().map(|alert| alert.line.as_str()).collect::<Vec<_>>().join("\n");
        assert_eq!(alerts.len(), count, "expected {count} alerts about {marker}, got:\n{}", list());
        alerts
    }

    /// Waits for the one alert that mentions `marker`, and proves that there is no second one.
    #[track_caller]
    #[must_use]
    pub fn expect_one(&self, marker: &str) -> Alert {
        self.expect_exactly(1, marker).remove(0)
    }

    /// Proves that nothing was said about `marker`: a file that is known to be dropped runs now, and when its alert is
    /// here, all earlier ones are. Looked at once more when the agent has drained and ended.
    #[track_caller]
    pub fn expect_quiet(&self, marker: &str) {
        self.pass_sentinel();
        locked(&self.quiet).push(marker.to_owned());
        self.assert_quiet(marker);
    }

    /// Stops the agent with SIGTERM, waits for its end and checks that it was a clean one.
    #[track_caller]
    pub fn stop(&self) {
        self.stop_by(Signal::SIGTERM);
    }

    /// Ends the agent with SIGKILL, as the kernel does when memory is short: it can say no last word.
    #[track_caller]
    pub fn kill(&self) {
        let Some(Running { mut child, reader }) = locked(&self.running).take() else {
            panic!("the agent has ended already\n{}", self.seen.report());
        };
        let ended = child.kill().and_then(|()| child.wait());
        assert!(ended.is_ok(), "cannot kill the agent: {ended:?}");
        let _ = reader.join();
    }

    /// The alerts about `marker` so far; final once the agent has been stopped.
    #[must_use]
    pub fn alerts_about(&self, marker: &str) -> Vec<Alert> {
        locked(&self.seen.lines).about(marker).cloned().collect()
    }

    /// The alerts so far that `wanted` accepts, in their order; final once the agent has been stopped.
    #[must_use]
    pub fn alerts_where(&self, wanted: impl Fn(&Alert) -> bool) -> Vec<Alert> {
        locked(&self.seen.lines).alerts.iter().filter(|alert| wanted(alert)).cloned().collect()
    }

    /// Stops the agent with a signal: it must drain, say that nothing was lost, and exit with 0. Returns its log.
    #[track_caller]
    pub fn stop_by(&self, signal: Signal) -> Vec<String> {
        let Some(Running { mut child, reader }) = locked(&self.running).take() else {
            return locked(&self.seen.lines).log.clone();
        };
        let pid = Pid::from_raw(child.id().cast_signed());
        if let Err(error) = kill(pid, signal) {
            panic!("cannot stop the agent {pid}: {error}");
        }
        let Some(status) = wait_for_end(&mut child) else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the agent still ran long after {signal}\n{}", self.seen.report());
        };
        let _ = reader.join();
        assert!(status.code() == Some(0), "the agent ended with {status}\n{}", self.seen.report());
        let lines = locked(&self.seen.lines);
        let counted = lines.log.iter().any(|line| says_nothing_lost(line));
        let (malformed, log) = (lines.malformed.clone(), lines.log.clone());
        drop(lines);
        assert!(counted, "the agent did not say lost=0 when it ended\n{}", self.seen.report());
        assert!(malformed.is_empty(), "lines that are no alerts:\n{}", malformed.join("\n"));
        for marker in locked(&self.quiet).iter() {
            self.assert_quiet(marker);
        }
        log
    }

    /// Ends the agent at once, by SIGKILL; it has no last words.
    pub fn kill_hard(&self) {
        let Some(Running { mut child, reader }) = locked(&self.running).take() else { return };
        let _ = child.kill();
        let _ = child.wait();
        let _ = reader.join();
    }

    #[track_caller]
    fn assert_quiet(&self, marker: &str) {
        let lines = locked(&self.seen.lines);
        let loud: Vec<String> = lines.about(marker).map(ToString::to_string).collect();
        drop(lines);
        assert!(loud.is_empty(), "expected no alert about {marker}, got:\n{}", loud.join("\n"));
    }

    /// Drops and runs a file in a container of its own and waits for its alert.
    #[track_caller]
    fn pass_sentinel(&self) {
        let marker = case::marker("sentinel");
        let container = BareContainer::new();
        let _ = container.sh(&format!("cp /bin/probe /tmp/{marker}; /tmp/{marker} exit")).ok();
        let _ = self
            .expect_alert(&format!("the alert about the sentinel {marker}"), |alert| alert.mentions(&marker));
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if std::thread::panicking() {
            if let Some(Running { mut child, .. }) = locked(&self.running).take() {
                let _ = child.kill();
                let _ = child.wait();
            }
        } else {
            self.stop();
        }
    }
}

/// One of the agent's streams; dropped when it ends.
struct Stream(Arc<Seen>);

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.add(|lines| lines.streams_ended += 1);
    }
}

impl Seen {
    fn add(&self, change: impl FnOnce(&mut Lines)) {
        change(&mut locked(&self.lines));
        self.news.notify_all();
    }

    /// Waits until `look` finds something; a test fails when it does not in time, or when the agent printed garbage.
    #[track_caller]
    fn wait<T>(&self, what: &str, look: impl Fn(&Lines) -> Option<T>) -> T {
        let patience = Patience::begin();
        let mut lines = locked(&self.lines);
        loop {
            if let Some(found) = look(&lines) {
                return found;
            }
            let left = patience.left().filter(|_| !lines.ended() && lines.malformed.is_empty());
            let Some(left) = left else {
                drop(lines);
                panic!("waited in vain for {what}\n{}", self.report());
            };
            lines = self.news.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// All that the agent said, for a failed test.
    fn report(&self) -> String {
        let lines = locked(&self.lines);
        let alerts: Vec<&str> = lines.alerts.iter().map(|alert| alert.line.as_str()).collect();
        format!(
            "--- {} alerts\n{}\n--- no alerts\n{}\n--- log\n{}{}",
            alerts.len(),
            alerts.join("\n"),
            lines.malformed.join("\n"),
            lines.log.join("\n"),
            if lines.ended() { "\n--- the agent has ended" } else { "" }
        )
    }
}

impl Lines {
    fn add_output(&mut self, line: &[u8]) {
        match Alert::parse(line) {
            Ok(alert) => self.alerts.push(alert),
            Err(reason) => self.malformed.push(reason),
        }
    }

    fn ended(&self) -> bool {
        self.streams_ended == 2
    }

    fn about<'lines>(&'lines self, marker: &'lines str) -> impl Iterator<Item = &'lines Alert> {
        self.alerts.iter().filter(move |alert| alert.mentions(marker))
    }
}

/// `DETECTOR_BIN`, or what `cargo xtask build` leaves.
#[must_use]
pub fn program() -> PathBuf {
    std::env::var_os("DETECTOR_BIN")
        .map_or_else(|| helper_binaries::target_folder().join("detector"), PathBuf::from)
}

/// Whether one word of the line is `lost=0` (and not `lost=01` or `not_lost=0`).
fn says_nothing_lost(line: &str) -> bool {
    line.split(|c: char| c.is_whitespace() || ",;()".contains(c)).any(|word| word == "lost=0")
}

/// A test that failed with the lock held must not hide the failures of the others.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

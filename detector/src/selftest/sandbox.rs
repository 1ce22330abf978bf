//! The other process of the self-test: in a mount namespace of its own it makes an overlay on a private tmpfs and runs
//! a file of each origin. When it ends the kernel takes everything away with the namespace; nothing of it is ever
//! visible outside.
//!
//! No pid namespace: with one it would live apart enough to be a container, and an agent on this host would rightly
//! tell of the new file. It is this very program, started anew: a thread of the agent cannot leave its mount namespace
//! without taking the file system state that all threads share apart.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, BufRead as _, BufReader, PipeReader, PipeWriter, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    sync::Arc,
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    sys::{prctl::set_pdeathsig, signal::Signal},
    unistd::{alarm, setsid},
};
use serde::de::DeserializeOwned;

use super::{Keeper, SelftestError, tiny_program};
use crate::exit_code;

/// Folders one of which every root file system has; the private tmpfs covers it for the sandbox alone.
const PLACES: [&str; 4] = ["/tmp", "/mnt", "/run", "/proc"];
/// Seconds after which the kernel ends the sandbox: no measure of anything, it needs milliseconds.
const PATIENCE: u32 = 60;

/// What was run, as the sandbox tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Inode number of its mount namespace: whatever runs in there is of the test.
    pub(super) mount_namespace: u32,
    /// Process ids of the runs of the file of the image, the new and the modified one.
    pub(super) pids: [u32; 3],
}

impl Ran {
    /// For tests of what is made of it.
    #[cfg(test)]
    pub(crate) const fn of_test(mount_namespace: u32, pids: [u32; 3]) -> Self {
        Self { mount_namespace, pids }
    }
}

/// The other process, ready to run the files. Dropping it ends it.
pub struct Sandbox {
    process: Process,
    /// Its standard input: it goes on at the first byte, and ends when that ends.
    waits: Option<PipeWriter>,
    answers: BufReader<PipeReader>,
    errors: PipeReader,
    ended: Option<ExitStatus>,
    mount_namespace: u32,
}

/// Whose child it is.
enum Process {
    Ours(Child),
    Keepers(Arc<Keeper>),
}

/// The program of the other process.
pub(super) fn command() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg("selftest-sandbox").env_clear();
    command
}

impl Sandbox {
    /// Starts it, and waits until it lives apart.
    pub fn start() -> Result<Self, SelftestError> {
        Self::start_by(None)
    }

    /// The same by a keeper, where there is one: it has rights that this process may have given up.
    pub fn start_by(keeper: Option<Arc<Keeper>>) -> Result<Self, SelftestError> {
        let start = || -> io::Result<Self> {
            let (stdin, waits) = io::pipe()?;
            let (answers, stdout) = io::pipe()?;
            let (errors, stderr) = io::pipe()?;
            let process = match keeper {
                Some(keeper) => {
                    keeper.start_sandbox(&[stdin.into(), stdout.into(), stderr.into()])?;
                    Process::Keepers(keeper)
                }
                None => Process::Ours(command().stdin(stdin).stdout(stdout).stderr(stderr).spawn()?),
            };
            let answers = BufReader::new(answers);
            Ok(Self { process, waits: Some(waits), answers, errors, ended: None, mount_namespace: 0 })
        };
        let mut sandbox = start().map_err(SelftestError::Start)?;
        sandbox.mount_namespace = sandbox.answer()?;
        Ok(sandbox)
    }

    /// Inode number of its mount namespace: whatever runs in there is of the test.
    #[must_use]
    pub const fn mount_namespace(&self) -> u32 {
        self.mount_namespace
    }

    /// Has the files run, and waits for their end. As long as this lives nobody else's mount namespace has the number of
    /// its own, and what is executed in there is of the test.
    pub fn run(&mut self) -> Result<Ran, SelftestError> {
        if let Some(waits) = &mut self.waits {
            // One that has ended says why in place of the answer.
            let _ = waits.write_all(b"\n");
        }
        let pids = self.answer()?;
        Ok(Ran { mount_namespace: self.mount_namespace, pids })
    }

    /// The next line that it says; when it says no more, why.
    fn answer<T: DeserializeOwned>(&mut self) -> Result<T, SelftestError> {
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(SelftestError::Start)?;
        if !line.is_empty() {
            return serde_json::from_str(&line).map_err(|error| {
                SelftestError::Sandbox(format!("its answer cannot be understood: {error}"))
            });
        }
        let mut said = String::new();
        let _ = self.errors.read_to_string(&mut said);
        let status = self.wait().map_err(SelftestError::Start)?;
        if status.code() == Some(i32::from(exit_code::NOT_ALLOWED)) {
            return Err(SelftestError::NotAllowed(said.trim().to_owned()));
        }
        if said.trim().is_empty() {
            said = format!("the process ended with {status} within {PATIENCE} s");
        }
        Err(SelftestError::Sandbox(said.trim().to_owned()))
    }
}

impl Sandbox {
    fn wait(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.ended {
            return Ok(status);
        }
        let status = match &mut self.process {
            Process::Ours(child) => child.wait(),
            Process::Keepers(keeper) => keeper.wait(),
        };
        self.ended = status.as_ref().ok().copied();
        status
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // It ends when its standard input does.
        self.waits = None;
        if let Process::Ours(child) = &mut self.process {
            let _ = child.kill();
        }
        let _ = self.wait();
    }
}

/// What `selftest-sandbox` does; for a process without further threads.
#[must_use]
pub fn play_in_sandbox() -> ExitCode {
    match play() {
        Ok(()) => exit_code::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            if error.is_refusal() { ExitCode::from(exit_code::NOT_ALLOWED) } else { exit_code::FAILURE }
        }
    }
}

/// What failed, and the kernel's answer.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
struct PlayError {
    what: &'static str,
    source: io::Error,
    /// Whether root alone may do it.
    takes_rights: bool,
}

impl PlayError {
    /// Whether it is this process that may not do it, rather than that it does not work.
    fn is_refusal(&self) -> bool {
        self.takes_rights && self.source.kind() == io::ErrorKind::PermissionDenied
    }
}

/// For `map_err`.
fn at<E: Into<io::Error>>(what: &'static str) -> impl Fn(E) -> PlayError + Copy {
    move |error| PlayError { what, source: error.into(), takes_rights: false }
}

/// The same for what takes `CAP_SYS_ADMIN`, and a sandbox around the agent that lets it.
fn by_right<E: Into<io::Error>>(what: &'static str) -> impl Fn(E) -> PlayError + Copy {
    move |error| PlayError { what, source: error.into(), takes_rights: true }
}

fn play() -> Result<(), PlayError> {
    let _ = alarm::set(PATIENCE);
    set_pdeathsig(Signal::SIGKILL).map_err(at("tying the process to its parent"))?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(by_right("making a mount namespace of its own"))?;
    // A session of its own: no terminal, whoever started the agent.
    setsid().map_err(at("leaving the session"))?;
    let number = fs::metadata("/proc/self/ns/mnt").map_err(at("reading /proc/self/ns/mnt"))?.ino();
    let mount_namespace =
        u32::try_from(number).map_err(io::Error::other).map_err(at("the number of its mount namespace"))?;
    let answering = at::<io::Error>("answering");
    writeln!(io::stdout(), "{mount_namespace}").map_err(answering)?;
    // Until whoever waits for the records knows whose they will be; and no more, when nobody waits any more.
    if io::stdin().read(&mut [0]).map_err(at("waiting for the start"))? == 0 {
        return Ok(());
    }
    let pids = run_files()?;
    writeln!(io::stdout(), "[{},{},{}]", pids[0], pids[1], pids[2]).map_err(answering)?;
    // The number of the namespace is free with its last process: not before the records have been told apart by it.
    io::copy(&mut io::stdin(), &mut io::sink()).map_err(at("waiting for the end"))?;
    Ok(())
}

fn run_files() -> Result<[u32; 3], PlayError> {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(by_right("keeping its mounts to itself"))?;
    let place = PLACES.into_iter().map(Path::new).find(|place| place.is_dir());
    let place = place.ok_or_else(|| at("finding a folder among /tmp, /mnt, /run, /proc")(no_folder()))?;
    mount(Some("detector-selftest"), place, Some("tmpfs"), MsFlags::empty(), Some("size=1m,mode=700"))
        .map_err(by_right("mounting a tmpfs"))?;

    let folder = |name: &str| -> Result<PathBuf, PlayError> {
        let path = place.join(name);
        fs::create_dir(&path).map_err(at("making a folder on the tmpfs"))?;
        Ok(path)
    };
    let (lower, upper, work, merged) =
        (folder("lower")?, folder("upper")?, folder("work")?, folder("merged")?);
    let program = tiny_program::bytes();
    let install = |path: &Path| {
        fs::write(path, &program).and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o755)))
    };
    for name in ["image", "modified"] {
        install(&lower.join(name)).map_err(at("writing a file of the lower layer"))?;
    }
    let options =
        format!("lowerdir={},upperdir={},workdir={}", lower.display(), upper.display(), work.display());
    mount(Some("detector-selftest"), &merged, Some("overlay"), MsFlags::empty(), Some(options.as_str()))
        .map_err(by_right("mounting an overlay"))?;
    install(&merged.join("new")).map_err(at("writing a new file through the overlay"))?;
    // Writing copies the data up whatever the kernel's default for copying metadata alone is.
    OpenOptions::new()
        .append(true)
        .open(merged.join("modified"))
        .and_then(|mut file| file.write_all(b"\n"))
        .map_err(at("changing a file of the lower layer through the overlay"))?;

    let mut pids = [0; 3];
    for (pid, name) in pids.iter_mut().zip(["image", "new", "modified"]) {
        *pid = execute(&merged.join(name)).map_err(at("running a file on the overlay"))?;
    }
    Ok(pids)
}

/// Runs a file to its end; the answer is the process id that it had.
fn execute(path: &Path) -> io::Result<u32> {
    let mut child = Command::new(path).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let pid = child.id();
    let status = child.wait()?;
    if status.success() { Ok(pid) } else { Err(io::Error::other(format!("it ended with {status}"))) }
}

fn no_folder() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::{PlayError, at, by_right};

    #[test]
    fn only_what_root_alone_may_do_is_refused() {
        let refused = |error: PlayError| error.is_refusal();
        for errno in [Errno::EPERM, Errno::EACCES] {
            assert!(refused(by_right("mounting")(errno)) && !refused(at("running")(errno)), "{errno}");
        }
        assert!(!refused(by_right("mounting")(Errno::ENODEV)));
    }
}

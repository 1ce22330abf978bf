//! A Docker daemon of the tests' own: real engine, real runc, nothing shared with the host's daemon.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::case::has_root;
use crate::facts::HOST_PROC;
use crate::not_run::{Reason, not_run};
use crate::process::{self, DEADLINE, Finished};
use crate::{cgroup, image_tree};

/// The image that every daemon here has: [`image_tree`].
pub const IMAGE: &str = "detector-test:1.0";

/// What dockerd says before it gives up because of its containerd.
const CONTAINERD_TOOK_TOO_LONG: &str = "timeout waiting for containerd to start";

/// The daemon; containers, daemon, mounts and files are gone after drop.
pub struct Docker {
    daemon: Mutex<Child>,
    log: Arc<Mutex<Vec<String>>>,
    folder: TempDir,
}

impl Docker {
    /// The daemon that the tests of this process share, ready with [`IMAGE`]. `None`, and the case `name` is listed as
    /// not run, where Docker is not installed or this is not root.
    #[track_caller]
    #[must_use]
    pub fn for_case(name: &str) -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Docker>> = Mutex::new(Weak::new());
        if !is_here(name) {
            return None;
        }
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(docker) = shared.upgrade() {
            return Some(docker);
        }
        let docker = Arc::new(Self::start());
        *shared = Arc::downgrade(&docker);
        Some(docker)
    }

    /// A daemon of this case alone, whose containers go on without it ([`Docker::stop_daemon`]).
    #[track_caller]
    #[must_use]
    pub fn alone_for_case(name: &str) -> Option<Self> {
        is_here(name).then(Self::start)
    }

    fn start() -> Self {
        // Short: a socket's path may have 107 bytes.
        let folder = match tempfile::Builder::new().prefix("dd-").tempdir_in("/tmp") {
            Ok(folder) => folder,
            Err(error) => panic!("cannot make a temporary folder: {error}"),
        };
        let log = Arc::new(Mutex::new(Vec::new()));
        let daemon = match spawn_daemon(folder.path(), &log) {
            Ok(daemon) => daemon,
            Err(error) => panic!("cannot start dockerd: {error}"),
        };
        let docker = Self { daemon: Mutex::new(daemon), log, folder };
        docker.wait_until_ready();
        docker.import_image();
        docker
    }

    /// A folder that an agent can be given as its `/run`: the daemon's socket is in it where everybody looks for it.
    #[track_caller]
    #[must_use]
    pub fn run_folder(&self) -> PathBuf {
        let folder = self.folder.path().join("agent-run");
        let made = fs::create_dir_all(&folder);
        let made = made.and_then(|()| symlink(self.folder.path().join("s"), folder.join("docker.sock")));
        match made {
            Ok(()) => {}
            // For a second agent it is there, or another case has made it meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => panic!("cannot make {}: {error}", folder.display()),
        }
        folder
    }

    /// Takes what the daemon keeps of a container out of everybody's sight; the answer puts it back.
    #[track_caller]
    #[must_use]
    pub fn hide_files(&self, id: &str) -> HiddenFiles {
        let folder = self.folder.path().join("root/containers");
        let (here, there) = (folder.join(id), folder.join("hidden"));
        if let Err(error) = fs::rename(&here, &there) {
            panic!("cannot move {}: {error}", here.display());
        }
        HiddenFiles { here, there }
    }

    /// Ends the daemon by this signal; containers go on. It comes back when the answer is dropped.
    #[track_caller]
    #[must_use]
    pub fn stop_daemon(&self, signal: Signal) -> StoppedDaemon<'_> {
        let mut daemon = self.daemon.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = kill(Pid::from_raw(daemon.id().cast_signed()), signal);
        assert!(process::wait_until(&mut daemon, DEADLINE).is_some(), "dockerd still runs after {signal}");
        // Its containerd ends with it, but not at once; the next daemon would take it for its own.
        let pid = fs::read_to_string(self.folder.path().join("exec/containerd/containerd.pid"));
        if let Ok(Ok(pid)) = pid.map(|pid| pid.trim().parse()) {
            let end = Instant::now() + DEADLINE;
            while kill(Pid::from_raw(pid), None).is_ok() {
                assert!(Instant::now() < end, "dockerd's containerd still runs after {signal}");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        StoppedDaemon { docker: self }
    }

    /// What makes any client of Docker talk to this daemon.
    #[must_use]
    pub fn client_environment(&self) -> [(&'static str, String); 2] {
        let folder = self.folder.path();
        [("DOCKER_HOST", socket(folder)), ("DOCKER_CONFIG", folder.join("client").display().to_string())]
    }

    /// The daemon takes questions and answers none, until the answer of this is dropped.
    #[track_caller]
    #[must_use]
    pub fn freeze_daemon(&self) -> FrozenDaemon {
        let daemon = self.daemon.lock().unwrap_or_else(PoisonError::into_inner);
        let pid = Pid::from_raw(daemon.id().cast_signed());
        if let Err(error) = kill(pid, Signal::SIGSTOP) {
            panic!("cannot stop dockerd for a while: {error}");
        }
        FrozenDaemon { pid }
    }

    fn wait_until_ready(&self) {
        let end = Instant::now() + DEADLINE;
        loop {
            let answer = process::run(self.command(["version"]));
            if answer.status.success() {
                return;
            }
            let mut daemon = self.daemon.lock().unwrap_or_else(PoisonError::into_inner);
            let ended = daemon.try_wait();
            if Instant::now() > end || !matches!(ended, Ok(None)) {
                let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
                let text = log.join("\n");
                // It gives its containerd 15 seconds, and an emulated processor may need longer to read that from a disk.
                let again = Instant::now() < end && text.contains(CONTAINERD_TOOK_TOO_LONG);
                assert!(again, "dockerd did not get ready ({ended:?})\n{answer}\n--- its log\n{text}");
                log.clear();
                drop(log);
                println!("dockerd is started again: {CONTAINERD_TOOK_TOO_LONG}");
                match spawn_daemon(self.folder.path(), &self.log) {
                    Ok(started) => *daemon = started,
                    Err(error) => panic!("cannot start dockerd again: {error}"),
                }
            }
            drop(daemon);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn import_image(&self) {
        let tree = self.folder.path().join("image");
        if let Err(error) = fs::create_dir(&tree) {
            panic!("cannot make {}: {error}", tree.display());
        }
        image_tree::build(&tree);
        self.import(&tree, IMAGE);
    }

    /// Starts a container of [`IMAGE`] with this command as its first process.
    #[track_caller]
    #[must_use]
    pub fn start_container(&self, command: &[&str]) -> Container<'_> {
        self.start_image(IMAGE, command)
    }

    /// Starts a container of any image of this daemon.
    #[track_caller]
    #[must_use]
    pub fn start_image(&self, image: &str, command: &[&str]) -> Container<'_> {
        self.start_image_with(&[], image, command)
    }

    /// The same with further options of `docker run`, which may name another network than none.
    #[track_caller]
    #[must_use]
    pub fn start_image_with(&self, more: &[&str], image: &str, command: &[&str]) -> Container<'_> {
        let host_proc = format!("/proc:{HOST_PROC}:ro");
        let networked = more.iter().any(|option| option.starts_with("--network="));
        let network: &[&str] = if networked { &[] } else { &["--network=none"] };
        let options = ["run", "--detach", "--volume", &host_proc];
        let words = options.iter().chain(network).chain(more).chain([&image]).chain(command);
        let id = process::run(self.command(words)).ok().trim().to_owned();
        assert_eq!(id.len(), 64, "docker run did not answer with an id: {id}");
        Container { docker: self, id }
    }

    /// The files of [`IMAGE`] as an archive on the host.
    #[must_use]
    pub fn image_archive(&self) -> PathBuf {
        self.archive(IMAGE)
    }

    fn archive(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{}.tar", name.replace(['/', ':'], "-")))
    }

    /// Makes an image of a tree of files on the host.
    #[track_caller]
    pub fn import(&self, tree: &Path, name: &str) {
        let archive = self.archive(name);
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(tree).arg("-cf").arg(&archive).arg("--exclude=./dev/*").arg(".");
        let _ = process::run(tar).ok();
        self.import_archive(&archive, name);
    }

    /// Makes an image of the archive of a tree.
    #[track_caller]
    pub fn import_archive(&self, archive: &Path, name: &str) {
        let _ =
            process::run(self.command([OsStr::new("import"), archive.as_os_str(), OsStr::new(name)])).ok();
    }

    /// The client, talking to this daemon.
    fn command(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new("docker");
        // No configuration of the user's: a context or a plugin of theirs is not under test.
        command.env("DOCKER_CONFIG", self.folder.path().join("client")).env_remove("DOCKER_CONTEXT");
        command.arg("-H").arg(socket(self.folder.path())).args(arguments);
        command
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let daemon = self.daemon.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = kill(Pid::from_raw(daemon.id().cast_signed()), Signal::SIGTERM);
        if process::wait_until(daemon, DEADLINE).is_none() {
            eprintln!("dockerd did not stop, killed");
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        unmount_below(self.folder.path());
        cgroup::remove_empty_docker();
    }
}

/// Files of a daemon that are elsewhere, while this is kept.
pub struct HiddenFiles {
    here: PathBuf,
    there: PathBuf,
}

impl Drop for HiddenFiles {
    fn drop(&mut self) {
        if let Err(error) = fs::rename(&self.there, &self.here) {
            eprintln!("cannot put back {}: {error}", self.here.display());
        }
    }
}

/// A daemon that gives no answer, while this is kept.
pub struct FrozenDaemon {
    pid: Pid,
}

impl Drop for FrozenDaemon {
    fn drop(&mut self) {
        let _ = kill(self.pid, Signal::SIGCONT);
    }
}

/// A daemon that does not run, while this is kept.
pub struct StoppedDaemon<'docker> {
    docker: &'docker Docker,
}

impl Drop for StoppedDaemon<'_> {
    /// Starts it again: without it nobody can remove the containers.
    fn drop(&mut self) {
        match spawn_daemon(self.docker.folder.path(), &self.docker.log) {
            Ok(daemon) => *self.docker.daemon.lock().unwrap_or_else(PoisonError::into_inner) = daemon,
            Err(error) => return eprintln!("cannot start dockerd again: {error}"),
        }
        let end = Instant::now() + DEADLINE;
        while !process::run(self.docker.command(["version"])).status.success() {
            if Instant::now() > end {
                return eprintln!("dockerd did not get ready again");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A container of a private daemon; removed on drop, running or not.
pub struct Container<'docker> {
    docker: &'docker Docker,
    id: String,
}

impl Container<'_> {
    /// The container's id: 64 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What `container.id` shows of it.
    #[must_use]
    pub fn short_id(&self) -> &str {
        &self.id[..12]
    }

    /// Waits for the first process to end with 0, and returns what the container printed.
    #[track_caller]
    #[must_use]
    pub fn output(&self) -> String {
        self.finished().ok()
    }

    /// As [`Self::output`], with what it said on standard error behind it.
    #[track_caller]
    #[must_use]
    pub fn all_output(&self) -> String {
        let logs = self.finished();
        format!("{}{}", String::from_utf8_lossy(&logs.stdout), logs.stderr)
    }

    #[track_caller]
    fn finished(&self) -> Finished {
        let code = process::run(self.docker.command(["wait", &self.id])).ok();
        let logs = process::run(self.docker.command(["logs", &self.id]));
        assert_eq!(code.trim(), "0", "the container failed: {logs}");
        logs
    }

    /// `docker exec`.
    #[track_caller]
    #[must_use]
    pub fn exec(&self, command: &[&str]) -> Finished {
        process::run(self.docker.command(["exec", &self.id].iter().chain(command)))
    }

    /// `docker exec --tty`: the process gets a terminal of its own.
    #[track_caller]
    #[must_use]
    pub fn exec_with_terminal(&self, command: &[&str]) -> Finished {
        process::run(self.docker.command(["exec", "--tty", &self.id].iter().chain(command)))
    }

    /// `docker cp` of a file of the host to a path in the container.
    #[track_caller]
    pub fn copy_in(&self, file: &Path, path: &str) {
        let target = format!("{}:{path}", self.id);
        let _ =
            process::run(self.docker.command([OsStr::new("cp"), file.as_os_str(), OsStr::new(&target)])).ok();
    }

    /// What `docker inspect` says, by a Go template.
    #[track_caller]
    #[must_use]
    pub fn inspect(&self, template: &str) -> String {
        process::run(self.docker.command(["inspect", "--format", template, &self.id])).ok().trim().to_owned()
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let removed = self.docker.command(["rm", "--force", "--volumes", &self.id]).output();
        if !removed.as_ref().is_ok_and(|output| output.status.success()) {
            eprintln!("left behind: container {}: {removed:?}", self.id);
        }
    }
}

/// Whether the case `name` can run with Docker.
#[track_caller]
fn is_here(name: &str) -> bool {
    if !has_root(name) {
        return false;
    }
    for program in ["dockerd", "docker", "containerd", "runc"] {
        if find(program).is_none() {
            let reason = format!("no {program} (apt-get install docker.io containerd runc)");
            not_run(name, Reason::Missing, &reason);
            return false;
        }
    }
    true
}

/// Starts a daemon whose files lie below `folder`.
fn spawn_daemon(folder: &Path, log: &Arc<Mutex<Vec<String>>>) -> std::io::Result<Child> {
    let mut command = Command::new(find("dockerd").unwrap_or_else(|| "dockerd".into()));
    command.arg("--data-root").arg(folder.join("root")).arg("--exec-root").arg(folder.join("exec"));
    command.arg("-H").arg(socket(folder)).arg("-p").arg(folder.join("pid"));
    command.args(["--iptables=false", "--bridge=none", "--storage-driver=overlay2", "--live-restore"]);
    let log = Arc::clone(log);
    let add = move |line: Vec<u8>| {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push(String::from_utf8_lossy(&line).into_owned());
    };
    process::spawn_tied(command, Signal::SIGTERM, |_| {}, add).map(|(daemon, _reader)| daemon)
}

fn socket(folder: &Path) -> String {
    format!("unix://{}", folder.join("s").display())
}

/// Takes off what a daemon left mounted, innermost first.
fn unmount_below(folder: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    for mount_point in mounts.lines().rev().filter_map(|line| line.split(' ').nth(1)) {
        if Path::new(mount_point).starts_with(folder) {
            let _ = umount2(mount_point, MntFlags::MNT_DETACH);
        }
    }
}

/// A program by PATH; the folders of the system's daemons are looked at too.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|folder| folder.join(program)).find(|file| file.is_file())
}

//! Podman with storage of the tests' own, as root or as a user.

use std::process::{Child, Command};
use std::time::{Duration, Instant};
use std::{fs, path::PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid, chown};

use crate::engine::{EngineFolder, is_here};
use crate::process::{self, DEADLINE, Finished};

/// The image that every storage here has.
pub const IMAGE: &str = "localhost:5000/shop/detector-test:1.2";
/// The user of rootless containers: there on every system, owns nothing.
pub const NOBODY: u32 = 65534;

/// Podman and its storage; containers and files are gone after drop.
pub struct Podman {
    folder: EngineFolder,
    rootless: bool,
}

impl Podman {
    /// Podman with [`IMAGE`]; `None`, and the case `name` is listed as not run, where it is not here.
    #[track_caller]
    #[must_use]
    pub fn for_case(name: &str, rootless: bool) -> Option<Self> {
        let programs = [("podman", "podman"), ("conmon", "podman"), ("runc", "runc")];
        if !is_here(name, &programs) || (rootless && !is_here(name, &[("setpriv", "util-linux")])) {
            return None;
        }
        let podman = Self { folder: EngineFolder::new(&["libpod_parent/conmon", "libpod_parent"]), rootless };
        let archive = podman.folder.image_archive();
        for folder in ["", "home", "run", "root", "runroot"] {
            let folder = podman.folder.path().join(folder);
            let made = fs::create_dir_all(&folder).and_then(|()| {
                let owner = if rootless { NOBODY } else { 0 };
                Ok(chown(&folder, Some(Uid::from_raw(owner)), Some(Gid::from_raw(owner)))?)
            });
            if let Err(error) = made {
                panic!("cannot make {}: {error}", folder.display());
            }
        }
        let mut import = podman.command(&["import", "--change", "LABEL of=image"]);
        import.arg(archive).arg(IMAGE);
        let _ = process::run(import).ok();
        Some(podman)
    }

    /// Runs a container to its end with this shell script as its first process.
    #[track_caller]
    #[must_use]
    pub fn run(&self, name: &str, script: &str) -> Finished {
        let options = ["run", "--rm", "--pull=never", "--network=none", "--label=app=shop"];
        let limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", "--name", name];
        let mut command = self.command(&options);
        command.args(limits).args([IMAGE, "/bin/sh", "-c", script]);
        process::run(command)
    }

    /// Starts the service. Its socket lies below [`Podman::run_folder`], where an agent with a `/run` of its own finds
    /// it as it would the system's.
    #[track_caller]
    #[must_use]
    pub fn service(&self) -> Service {
        let folder = if self.rootless {
            self.run_folder().join(format!("user/{NOBODY}/podman"))
        } else {
            self.run_folder().join("podman")
        };
        let socket = folder.join("podman.sock");
        let owner = if self.rootless { NOBODY } else { 0 };
        let made = fs::create_dir_all(&folder)
            .and_then(|()| Ok(chown(&folder, Some(Uid::from_raw(owner)), Some(Gid::from_raw(owner)))?));
        if let Err(error) = made {
            panic!("cannot make {}: {error}", folder.display());
        }
        let mut command = self.command(&["system", "service", "--time=0"]);
        command.arg(format!("unix://{}", socket.display()));
        let log = |line: Vec<u8>| eprintln!("podman service: {}", String::from_utf8_lossy(&line));
        let started = process::spawn_tied(command, Signal::SIGTERM, |_| {}, log);
        let (child, _) = started.unwrap_or_else(|error| panic!("cannot start podman's service: {error}"));
        let mut service = Service { child };
        let end = Instant::now() + DEADLINE;
        while !socket.exists() {
            let ended = service.child.try_wait();
            assert!(matches!(ended, Ok(None)), "podman's service ended: {ended:?}");
            assert!(Instant::now() < end, "podman's service made no socket");
            std::thread::sleep(Duration::from_millis(20));
        }
        service
    }

    /// What an agent can be given as its `/run`.
    #[must_use]
    pub fn run_folder(&self) -> PathBuf {
        self.folder.path().join("agent-run")
    }

    /// Podman itself on this storage.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let path = self.folder.path();
        let mut command = if self.rootless {
            let mut command = Command::new("setpriv");
            let id = NOBODY.to_string();
            command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "podman"]);
            // One id is mapped only: files of others cannot be owned by these.
            command.args(["--storage-opt", "ignore_chown_errors=true"]);
            command
        } else {
            Command::new("podman")
        };
        command.env("HOME", path.join("home")).env("XDG_RUNTIME_DIR", path.join("run")).current_dir(path);
        command.arg("--root").arg(path.join("root")).arg("--runroot").arg(path.join("runroot"));
        command.arg("--tmpdir").arg(path.join("run/tmp"));
        command.args(["--storage-driver=overlay", "--cgroup-manager=cgroupfs", "--runtime=runc"]);
        command.arg("--events-backend=file").args(arguments);
        command
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let removed = self.command(&["rm", "--all", "--force", "--time=0"]).output();
        if !removed.as_ref().is_ok_and(|output| output.status.success()) {
            eprintln!("podman rm: {removed:?}");
        }
        if self.rootless {
            // The process that keeps the user's namespace.
            let _ = self.command(&["system", "migrate"]).output();
        }
    }
}

/// Podman's service; ended on drop.
pub struct Service {
    child: Child,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
        if process::wait_until(&mut self.child, DEADLINE).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

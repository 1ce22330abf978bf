//! A clean Debian with systemd, in which packages are installed and services run: unpacked from the archive that the
//! test command makes, run by systemd-nspawn on the kernel of this machine.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::JoinHandle;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::engine::{EngineFolder, is_here};
use crate::not_run::{Reason, not_run};
use crate::process::{self, DEADLINE, Finished, wait_until};

/// What the agent needs of the kernel, beyond what nspawn lets through by itself.
const RIGHTS: [&str; 2] =
    ["--capability=CAP_BPF,CAP_PERFMON,CAP_SYS_PTRACE", "--system-call-filter=bpf perf_event_open"];

/// The root file system, and how to run things in it; gone after drop.
pub struct CleanDebian {
    folder: EngineFolder,
    packages: PathBuf,
}

impl CleanDebian {
    /// Unpacks it; `None`, and the case `name` is listed as not run, where it cannot be.
    #[track_caller]
    #[must_use]
    pub fn for_case(name: &str) -> Option<Self> {
        if !is_here(name, &[("systemd-nspawn", "systemd-container")]) {
            return None;
        }
        let packages = packages(name)?;
        let Some(archive) = std::env::var_os("DETECTOR_DEBIAN").map(PathBuf::from) else {
            not_run(
                name,
                Reason::Missing,
                "DETECTOR_DEBIAN names no archive of a Debian; `cargo xtask test` makes one",
            );
            return None;
        };
        let folder = EngineFolder::new(&[]);
        let debian = Self { folder, packages };
        if let Err(error) = std::fs::create_dir(debian.root()) {
            panic!("cannot make {}: {error}", debian.root().display());
        }
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(debian.root()).args(["--numeric-owner", "--exclude=./dev/*", "-xf"]).arg(archive);
        let _ = process::run(tar).ok();
        Some(debian)
    }

    /// Its root file system.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Runs a shell script in it to its end, with the packages at `/packages`; no systemd runs.
    #[track_caller]
    #[must_use]
    pub fn run(&self, script: &str) -> Finished {
        let mut nspawn = self.nspawn();
        nspawn.args(["--as-pid2", "/bin/sh", "-euc", script]);
        process::run(nspawn)
    }

    /// Starts it as a machine would: systemd is its first process.
    #[track_caller]
    #[must_use]
    pub fn boot(&self) -> Booted {
        let mut nspawn = self.nspawn();
        nspawn.args(RIGHTS).args(["--console=pipe", "--boot"]);
        let (child, reader) = process::spawn_tied(nspawn, Signal::SIGKILL, |_| {}, |_| {})
            .unwrap_or_else(|error| panic!("cannot start systemd-nspawn: {error}"));
        let mut booted = Booted { child, reader: Some(reader), init: None };
        let end = std::time::Instant::now() + DEADLINE;
        loop {
            assert!(std::time::Instant::now() < end, "no systemd ran after {DEADLINE:?}");
            booted.init = booted.find_init();
            // `degraded` is as good: a unit of Debian's that cannot run in a container is no concern of ours.
            if booted.init.is_some()
                && let state = booted.run("systemctl is-system-running || true")
                && ["running", "degraded"].contains(&String::from_utf8_lossy(&state.stdout).trim())
            {
                return booted;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }

    fn nspawn(&self) -> Command {
        let mut nspawn = Command::new("systemd-nspawn");
        nspawn.args(["--register=no", "--keep-unit", "--quiet", "--machine=detector-clean"]);
        nspawn.arg(format!("--bind-ro={}:/packages", self.packages.display()));
        nspawn.arg("--directory").arg(self.root());
        nspawn
    }
}

/// What `cargo xtask package` made; `None`, and the case `name` is listed as not run, when it was not called.
#[track_caller]
#[must_use]
pub fn packages(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("DETECTOR_PACKAGES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/package"), PathBuf::from);
    match folder.canonicalize() {
        Ok(folder) => Some(folder),
        Err(error) => {
            let reason =
                format!("no packages at {} ({error}): `cargo xtask package` makes them", folder.display());
            not_run(name, Reason::Missing, &reason);
            None
        }
    }
}

/// A running system; ended on drop.
pub struct Booted {
    child: Child,
    reader: Option<JoinHandle<()>>,
    /// Its first process, as this machine numbers it.
    init: Option<u32>,
}

impl Booted {
    /// Runs a shell script beside the services.
    #[track_caller]
    #[must_use]
    pub fn run(&self, script: &str) -> Finished {
        let Some(init) = self.init else { panic!("it has not started") };
        let mut enter = Command::new("nsenter");
        enter.args([
            "--target",
            &init.to_string(),
            "--mount",
            "--pid",
            "--uts",
            "--ipc",
            "--cgroup",
            "--root",
        ]);
        enter.args(["/bin/sh", "-uc", script]);
        process::run(enter)
    }

    /// The only child of nspawn.
    fn find_init(&self) -> Option<u32> {
        let pid = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        let init = children.split(' ').next()?.parse().ok()?;
        // Until then it is nspawn itself, which has not entered the new root.
        let name = std::fs::read_to_string(format!("/proc/{init}/comm")).ok()?;
        (name.trim() == "systemd").then_some(init)
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        // Its own SIGTERM makes nspawn ask systemd to shut down; that takes seconds and proves nothing here.
        if let Some(init) = self.init {
            let _ = kill(Pid::from_raw(init.cast_signed()), Signal::SIGKILL);
        }
        if wait_until(&mut self.child, std::time::Duration::from_secs(10)).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

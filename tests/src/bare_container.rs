//! A container without an engine: overlay root, own mount, pid, uts and ipc namespaces, a cgroup named like Docker's.
//!
//! It costs tens of milliseconds and needs nothing but the kernel. Each [`BareContainer::run`] is one life of the
//! container (the command is PID 1); what a life wrote stays in the upper layer for the next one.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::cgroup::ContainerCgroups;
use crate::process::{self, Finished};
use crate::{helper_binaries, image_tree};

/// How the container's root becomes the root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RootBy {
    /// `pivot_root`, as engines do.
    #[default]
    Pivot,
    /// `chroot`: the overlay is not the root of the mount namespace.
    Chroot,
}

/// One container with its layers and cgroups. All of it is gone after drop.
#[derive(Debug)]
pub struct BareContainer {
    id: String,
    cgroups: ContainerCgroups,
    folder: TempDir,
    mount_options: String,
    root_by: RootBy,
}

impl Default for BareContainer {
    fn default() -> Self {
        Self::new()
    }
}

impl BareContainer {
    /// A container of the test image ([`image_tree`]).
    #[must_use]
    pub fn new() -> Self {
        let folder = match tempfile::Builder::new().prefix("detector-bare-").tempdir() {
            Ok(folder) => folder,
            Err(error) => panic!("cannot make a temporary folder: {error}"),
        };
        // mkdtemp makes it private, and users other than root shall walk through the container's root.
        for layer in ["lower", "upper", "work", "merged"] {
            let path = folder.path().join(layer);
            let made = fs::create_dir(&path)
                .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)));
            if let Err(error) = made {
                panic!("cannot make {}: {error}", path.display());
            }
        }
        image_tree::build(&folder.path().join("lower"));
        let id = random_id();
        let cgroups = ContainerCgroups::create(&id);
        Self { id, cgroups, folder, mount_options: String::new(), root_by: RootBy::Pivot }
    }

    /// Adds an option to the overlay mount, for instance `metacopy=on`.
    #[must_use]
    pub fn mount_option(mut self, option: &str) -> Self {
        self.mount_options.push(',');
        self.mount_options.push_str(option);
        self
    }

    /// Puts it into another cgroup, a path without a leading `/`; `ID` in it stands for the container's id.
    #[must_use]
    pub fn in_cgroup(mut self, path: &str) -> Self {
        self.cgroups = ContainerCgroups::create_at(&path.replace("ID", &self.id));
        self
    }

    /// Enters the root in another way.
    #[must_use]
    pub fn root_by(mut self, way: RootBy) -> Self {
        self.root_by = way;
        self
    }

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

    /// The image as a folder of the host.
    #[must_use]
    pub fn lower(&self) -> PathBuf {
        self.folder.path().join("lower")
    }

    /// What the container changed, as a folder of the host.
    #[must_use]
    pub fn upper(&self) -> PathBuf {
        self.folder.path().join("upper")
    }

    /// The folder of all layers.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The container's cgroups, one folder per hierarchy.
    #[must_use]
    pub fn cgroups(&self) -> &[PathBuf] {
        self.cgroups.folders()
    }

    /// Ends its present life.
    #[track_caller]
    pub fn kill(&self) {
        for folder in self.cgroups() {
            let Ok(pids) = fs::read_to_string(folder.join("cgroup.procs")) else { continue };
            for pid in pids.lines().filter_map(|pid| pid.parse().ok()) {
                // One that is gone has ended.
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }

    /// Runs a command (absolute path first) as the container's first process and waits for its end.
    #[track_caller]
    #[must_use]
    pub fn run(&self, command: &[&str]) -> Finished {
        let mut init = Command::new(helper_binaries::path("bare-init"));
        init.arg(self.folder.path()).arg(&self.mount_options);
        init.arg(match self.root_by {
            RootBy::Pivot => "pivot",
            RootBy::Chroot => "chroot",
        });
        init.args(self.cgroups.folders()).arg("--").args(command);
        process::run(init)
    }

    /// Runs a script with the image's shell as the first process; the shell stops at the first failing command.
    #[track_caller]
    #[must_use]
    pub fn sh(&self, script: &str) -> Finished {
        // The last command must not be a program: the shell would become it instead of being its parent.
        self.run(&["/bin/sh", "-e", "-c", &format!("{script}\nexit 0")])
    }
}

/// 64 hexadecimal digits.
fn random_id() -> String {
    use std::fmt::Write;
    let mut bytes = [0_u8; 32];
    if let Err(error) = fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)) {
        panic!("cannot read /dev/urandom: {error}");
    }
    bytes.iter().fold(String::with_capacity(64), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    })
}

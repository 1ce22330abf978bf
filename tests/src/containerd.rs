//! containerd of the tests' own, with and without its Kubernetes interface.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::engine::{EngineFolder, is_here};
use crate::pod::Pod;
use crate::process::{self, DEADLINE, Finished};

/// The image that every containerd here has, in the namespaces `default` and `k8s.io`.
pub const IMAGE: &str = "registry.example:5000/shop/detector-test:1.2";

/// The daemon; containers and files are gone after drop.
pub struct Containerd {
    daemon: Child,
    folder: EngineFolder,
}

impl Containerd {
    /// A daemon with [`IMAGE`]; `None`, and the case `name` is listed as not run, where it is not here.
    #[track_caller]
    #[must_use]
    pub fn for_case(name: &str) -> Option<Self> {
        if !is_here(name, &[("containerd", "containerd"), ("ctr", "containerd"), ("runc", "runc")]) {
            return None;
        }
        let folder = EngineFolder::new(&["default", "k8s.io", "kubepods"]);
        let archive = folder.image_archive();
        let path = folder.path();
        let config = format!(
            "version = 2\nroot = \"{0}/root\"\nstate = \"{0}/state\"\n[grpc]\naddress = \"{0}/s\"\n\
             [ttrpc]\naddress = \"{0}/t\"\n\
             [plugins.\"io.containerd.grpc.v1.cri\"]\nsandbox_image = \"{IMAGE}\"\nstream_server_port = \"0\"\n\
             restrict_oom_score_adj = true\ndisable_apparmor = true\n\
             [plugins.\"io.containerd.internal.v1.opt\"]\npath = \"{0}/opt\"\n\
             [plugins.\"io.containerd.grpc.v1.cri\".cni]\nconf_dir = \"{0}/cni\"\n",
            path.display()
        );
        if let Err(error) = fs::write(path.join("config.toml"), config) {
            panic!("cannot write containerd's configuration: {error}");
        }
        let mut command = Command::new("containerd");
        command.arg("--config").arg(path.join("config.toml"));
        let log = Arc::new(Mutex::new(Vec::new()));
        let to_log = Arc::clone(&log);
        let add = move |line: Vec<u8>| {
            let line = String::from_utf8_lossy(&line).into_owned();
            to_log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        };
        let (daemon, _) = process::spawn_tied(command, Signal::SIGTERM, |_| {}, add)
            .unwrap_or_else(|error| panic!("cannot start containerd: {error}"));
        let mut containerd = Self { daemon, folder };
        let end = Instant::now() + DEADLINE;
        while !process::run(containerd.ctr("default", &["version"])).status.success() {
            let ended = containerd.daemon.try_wait();
            if Instant::now() > end || !matches!(ended, Ok(None)) {
                let log = log.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
                panic!("containerd did not get ready ({ended:?})\n{log}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        for namespace in ["default", "k8s.io"] {
            containerd.import(namespace, &archive);
        }
        Some(containerd)
    }

    /// Makes an image of one layer: containerd imports images, not trees.
    fn import(&self, namespace: &str, layer: &std::path::Path) {
        let folder = self.folder.path().join(format!("oci-{namespace}"));
        crate::oci_image::write(&folder, layer, IMAGE);
        let archive = self.folder.path().join(format!("oci-{namespace}.tar"));
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(&folder).arg("-cf").arg(&archive).arg(".");
        let _ = process::run(tar).ok();
        let mut import = self.ctr(namespace, &["image", "import", "--snapshotter=overlayfs"]);
        import.arg(archive);
        let _ = process::run(import).ok();
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// A folder that an agent can be given as its `/run`: the socket is in it where everybody looks for it.
    #[track_caller]
    #[must_use]
    pub fn run_folder(&self) -> PathBuf {
        let folder = self.folder.path().join("agent-run");
        let made = fs::create_dir_all(folder.join("containerd"));
        let made = made.and_then(|()| symlink(self.socket(), folder.join("containerd/containerd.sock")));
        if let Err(error) = made {
            panic!("cannot make {}: {error}", folder.display());
        }
        folder
    }

    /// Runs a container to its end with this shell script as its first process, without Kubernetes.
    #[track_caller]
    #[must_use]
    pub fn run(&self, id: &str, script: &str) -> Finished {
        let options = ["run", "--rm", "--snapshotter=overlayfs", "--label=app=shop", IMAGE, id];
        let mut command = self.ctr("default", &options);
        command.args(["/bin/sh", "-c", script]);
        process::run(command)
    }

    /// Runs a pod of the host's network, as the kubelet would, with one container and this as its first process.
    #[track_caller]
    #[must_use]
    pub fn run_pod(&self, name: &str, namespace: &str, container: &str, command: &[&str]) -> Pod {
        Pod::run(&self.socket(), name, namespace, container, (IMAGE, command))
    }

    /// The client of containerd itself, without the rest of its command line.
    #[must_use]
    pub fn ctr(&self, namespace: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(self.socket()).args(["--namespace", namespace]).args(arguments);
        command
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        for namespace in ["default", "k8s.io"] {
            let tasks = process::run(self.ctr(namespace, &["task", "list", "--quiet"]));
            for task in String::from_utf8_lossy(&tasks.stdout).lines() {
                let _ = self.ctr(namespace, &["task", "delete", "--force", task]).output();
            }
        }
        let _ = kill(Pid::from_raw(self.daemon.id().cast_signed()), Signal::SIGTERM);
        if process::wait_until(&mut self.daemon, DEADLINE).is_none() {
            let _ = self.daemon.kill();
            let _ = self.daemon.wait();
        }
    }
}

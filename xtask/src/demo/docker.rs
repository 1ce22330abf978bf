//! A Docker daemon of the demo's own: real engine, real runc, nothing of the machine's Docker touched.
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::cgroup::NewParents;
use super::interrupt;
use super::process::{GLANCE, Guarded};
use crate::{command, containers};

const IMAGE: &str = "detector-demo";
const READY_WITHIN: Duration = Duration::from_secs(60);
const STOPS_WITHIN: Duration = Duration::from_secs(20);

pub(super) struct Daemon {
    process: Guarded,
    /// Everything of the daemon lies below it.
    folder: PathBuf,
    client: PathBuf,
    /// Dropped last, when the daemon is gone.
    _cgroups: NewParents,
}

impl Daemon {
    /// Starts the daemon, and makes the image from the tree `image`.
    pub(super) fn start(folder: &Path, image: &Path) -> Result<Self> {
        let folder = folder.join("docker");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let log = File::create(folder.join("log")).context("cannot create the log of dockerd")?;
        let program = command::find("dockerd").context("no dockerd on PATH")?;
        let mut dockerd = command::program(program);
        for (option, name) in [("--data-root", "root"), ("--exec-root", "exec"), ("--pidfile", "pid")] {
            dockerd.arg(option).arg(folder.join(name));
        }
        dockerd.arg("--host").arg(address(&folder));
        // No network: the container needs none, and the machine's firewall stays as it is.
        dockerd.args(["--iptables=false", "--bridge=none"]);
        // Matters only where a containerd of the machine is running: its other users do not see us.
        dockerd.args([
            "--containerd-namespace",
            IMAGE,
            "--containerd-plugins-namespace",
            "detector-demo-plugins",
        ]);
        let cgroups = NewParents::watch()?;
        command::show(&dockerd);
        let errors = log.try_clone().context("cannot open the log of dockerd twice")?;
        let child = dockerd
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .context("cannot start dockerd")?;
        let process = Guarded::new("dockerd", child, STOPS_WITHIN);
        let mut daemon = Self { process, folder, client: PathBuf::new(), _cgroups: cgroups };
        daemon.wait_until_ready()?;
        daemon.import(image)?;
        Ok(daemon)
    }

    /// Runs a shell script in a new container.
    pub(super) fn run(&self, script: &str) -> Result<()> {
        command::run(self.docker().args(["run", "--rm", "--network=none", IMAGE, "/bin/sh", "-c", script]))
    }

    pub(super) fn stop(mut self) -> Result<()> {
        self.process.stop().map(drop)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        // A client without a daemon may be first on PATH, and too new or too old for this daemon.
        let clients: Vec<_> =
            [command::find("docker"), Some("/usr/bin/docker".into())].into_iter().flatten().collect();
        while Instant::now() < deadline {
            interrupt::check()?;
            if let Some(status) = self.process.ended()? {
                bail!("dockerd ended by itself ({status}): {}", self.last_words());
            }
            for client in &clients {
                self.client.clone_from(client);
                if command::ask(self.docker().args(["version", "--format", "{{.Server.Version}}"])).is_ok() {
                    return Ok(());
                }
            }
            sleep(GLANCE);
        }
        bail!("dockerd was not ready after {} s: {}", READY_WITHIN.as_secs(), self.last_words())
    }

    fn import(&self, image: &Path) -> Result<()> {
        let archive = self.folder.join("image.tar");
        command::run(command::program("tar").arg("-C").arg(image).arg("-cf").arg(&archive).arg("."))?;
        command::run(self.docker().arg("import").arg(&archive).arg(IMAGE))
    }

    fn docker(&self) -> Command {
        let mut docker = command::program(&self.client);
        docker
            .arg("--host")
            .arg(address(&self.folder))
            .env_remove("DOCKER_CONTEXT")
            .env_remove("DOCKER_TLS_VERIFY");
        docker
    }

    /// The end of the daemon's log.
    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        format!("its last words were\n  {}", lines[lines.len().saturating_sub(5)..].join("\n  "))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Err(error) = self.process.stop() {
            eprintln!("error: {error:#}");
        }
        containers::unmount_below(&self.folder);
    }
}

fn address(folder: &Path) -> String {
    format!("unix://{}", folder.join("socket").display())
}

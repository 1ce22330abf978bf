//! `cargo xtask demo`: the whole story in one command. Starts the agent, starts a real container, drops and runs a
//! binary in it, shows the alert, and leaves nothing behind.
mod agent;
mod bare;
mod cgroup;
mod docker;
mod interrupt;
mod process;
mod report;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::workspace::Workspace;
use crate::{build, build_ebpf, command, containers, privilege};
use agent::Agent;

/// Start the agent and a real container, drop and run a binary in it, and show the alert (root)
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where the binary is dropped; by default a Docker container when Docker is installed
    #[arg(long, value_enum)]
    container: Option<Kind>,
    /// Take the agent that is built already
    #[arg(long, hide = true)]
    built: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// A real Docker container, run by a private daemon
    Docker,
    /// A container without an engine: overlay, namespaces and a cgroup
    Bare,
}

/// The file that the container runs although its image does not have it.
const DROPPED: &str = "/tmp/dropped";
/// What the container does. The copy answers "applet not found", as busybox does under a foreign name: it ran, which
/// is all that matters here.
const DROP_AND_RUN: &str =
    "cp /bin/busybox /tmp/dropped && /tmp/dropped true 2>/dev/null; echo dropped and run";
/// How long an alert may take on a machine that is busy with other things; it is there within milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn run(options: &Options) -> Result<()> {
    let workspace = Workspace::find()?;
    if !options.built {
        build::build(&workspace, &build_ebpf::Options::default())?;
    }
    if !privilege::is_root() {
        return again_as_root(&workspace, options);
    }
    let busybox = containers::static_busybox(&workspace)?;
    let kind = match options.container {
        Some(kind) => kind,
        None if containers::has_docker() => Kind::Docker,
        None => {
            println!("Docker is not installed here: the demo makes its container by itself");
            Kind::Bare
        }
    };
    interrupt::watch()?;
    demo(&workspace, kind, &busybox)
}

fn demo(workspace: &Workspace, kind: Kind, busybox: &Path) -> Result<()> {
    let folder = tempfile::Builder::new()
        .prefix("detector-demo-")
        .tempdir_in("/var/tmp")
        .context("cannot create a folder in /var/tmp")?;
    let image = folder.path().join("image");
    make_image(&image, busybox)?;
    // The engine first: only what happens in the container is left to see when the agent runs.
    let engine = match kind {
        Kind::Docker => Some(docker::Daemon::start(folder.path(), &image)?),
        Kind::Bare => None,
    };
    let mut agent = Agent::start(&workspace.agent())?;
    match &engine {
        Some(engine) => engine.run(DROP_AND_RUN)?,
        None => bare::run(folder.path(), &image, DROP_AND_RUN)?,
    }
    let alert = agent.wait_for_alert(DROPPED, PATIENCE)?;
    agent.stop()?;
    if let Some(engine) = engine {
        engine.stop()?;
    }
    folder.close().context("cannot remove the folder of the demo in /var/tmp")?;
    report::print(&alert);
    Ok(())
}

/// An image of one program: busybox as every command, and an empty /tmp.
fn make_image(image: &Path, busybox: &Path) -> Result<()> {
    let made = || -> std::io::Result<()> {
        for folder in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
            std::fs::create_dir_all(image.join(folder))?;
        }
        std::fs::copy(busybox, image.join("bin/busybox"))?;
        for applet in ["cp", "sh", "echo"] {
            std::os::unix::fs::symlink("busybox", image.join("bin").join(applet))?;
        }
        Ok(())
    };
    made().with_context(|| format!("cannot make a container image at {}", image.display()))
}

/// The build is the user's, the rest is root's: the same program once more, through sudo.
fn again_as_root(workspace: &Workspace, options: &Options) -> Result<()> {
    let ourselves = std::env::current_exe().context("cannot find this program itself")?;
    let ourselves = ourselves.to_str().context("the path of the target folder is no UTF-8")?;
    let target = workspace.target().display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    let home = std::env::var("HOME").unwrap_or_default();
    let keep = [("CARGO_TARGET_DIR", target.as_str()), ("PATH", path.as_str()), ("HOME", home.as_str())];
    let mut command = privilege::as_root("the demo", ourselves, &keep)?;
    command.args(["demo", "--built"]);
    match options.container {
        Some(Kind::Docker) => command.args(["--container", "docker"]),
        Some(Kind::Bare) => command.args(["--container", "bare"]),
        None => &mut command,
    };
    command::show(&command);
    // Not command::run: sudo may ask for a password.
    let status = command.status().context("cannot start sudo")?;
    if !status.success() {
        bail!("the demo failed as root ({status}): see above");
    }
    Ok(())
}

//! A container without an engine: what an engine does, in the four steps that matter here. An overlay over the
//! image, a cgroup named like Docker's, new mount and pid namespaces, a new root.
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::cgroup::ContainerCgroups;
use crate::command;

/// Runs a shell script in the container and waits for its end.
pub(super) fn run(folder: &Path, image: &Path, script: &str) -> Result<()> {
    let root = Overlay::mount(folder, image)?;
    let cgroups = ContainerCgroups::create()?;
    // The shell joins the cgroups, then becomes the container.
    let procs = cgroups.folders().iter().map(|cgroup| cgroup.join("cgroup.procs"));
    let mut container = command::program("sh");
    container.args(["-ec", r#"until [ "$1" = -- ]; do echo $$ >"$1"; shift; done; shift; exec "$@""#, "sh"]);
    container.args(procs);
    container.args(["--", "unshare", "--mount", "--pid", "--fork", "--propagation", "private", "chroot"]);
    command::run(container.arg(&root.path).args(["/bin/sh", "-c", script]))
}

/// The container's root file system; unmounted when it goes away.
struct Overlay {
    path: PathBuf,
}

impl Overlay {
    fn mount(folder: &Path, image: &Path) -> Result<Self> {
        let [upper, work, path] = ["upper", "work", "root"].map(|name| folder.join(name));
        for folder in [&upper, &work, &path] {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        let options =
            format!("lowerdir={},upperdir={},workdir={}", image.display(), upper.display(), work.display());
        eprintln!("$ mount -t overlay overlay -o {options} {}", path.display());
        mount(Some("overlay"), &path, Some("overlay"), MsFlags::empty(), Some(options.as_str()))
            .context("cannot mount an overlay file system: is the kernel module `overlay` there?")?;
        Ok(Self { path })
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        if let Err(error) = umount2(&self.path, MntFlags::MNT_DETACH) {
            eprintln!("error: cannot unmount {}: {error}", self.path.display());
        }
    }
}

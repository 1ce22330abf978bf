//! What the harnesses of container engines share: is it here, a folder of its own, and nothing left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tempfile::TempDir;

use crate::case::has_root;
use crate::image_tree;
use crate::not_run::{Reason, not_run};
use crate::process;

/// Whether the case `name` can run: this is root and all programs are here; otherwise it is listed as not run. Each
/// program comes with the package that brings it.
#[track_caller]
#[must_use]
pub fn is_here(name: &str, programs: &[(&str, &str)]) -> bool {
    if !has_root(name) {
        return false;
    }
    for (program, package) in programs {
        if find(program).is_none() {
            not_run(name, Reason::Missing, &format!("no {program} (apt-get install {package})"));
            return false;
        }
    }
    true
}

/// A program by PATH; the folders of the system's daemons are looked at too.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// A folder for an engine's files. After drop nothing is mounted below, the folder is gone, and so are the cgroups that
/// the engine leaves behind empty.
pub struct EngineFolder {
    folder: TempDir,
    cgroups: &'static [&'static str],
}

impl EngineFolder {
    /// Makes the folder; `cgroups`: names of the engine's own groups at the top of each hierarchy.
    #[track_caller]
    #[must_use]
    pub fn new(cgroups: &'static [&'static str]) -> Self {
        // Short: a socket's path may have 107 bytes.
        match tempfile::Builder::new().prefix("de-").tempdir_in("/tmp") {
            Ok(folder) => Self { folder, cgroups },
            Err(error) => panic!("cannot make a temporary folder: {error}"),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes the tree of the image, and its archive beside it; the answer is the archive.
    #[track_caller]
    #[must_use]
    pub fn image_archive(&self) -> PathBuf {
        let (tree, archive) = (self.path().join("image"), self.path().join("image.tar"));
        if let Err(error) = fs::create_dir(&tree) {
            panic!("cannot make {}: {error}", tree.display());
        }
        image_tree::build(&tree);
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(&tree).arg("-cf").arg(&archive).arg("--exclude=./dev/*").arg(".");
        let _ = process::run(tar).ok();
        archive
    }
}

impl Drop for EngineFolder {
    fn drop(&mut self) {
        unmount_below(self.path());
        for hierarchy in cgroup_hierarchies() {
            for name in self.cgroups {
                let _ = fs::remove_dir(hierarchy.join(name));
            }
        }
    }
}

/// Mounts an overlay of an image by hand in the new folder `folder`; the answer is where.
#[track_caller]
#[must_use]
pub fn mount_overlay(image: &Path, folder: &Path) -> PathBuf {
    for part in ["upper", "work", "rootfs"] {
        if let Err(error) = fs::create_dir_all(folder.join(part)) {
            panic!("cannot make {}: {error}", folder.display());
        }
    }
    let target = folder.join("rootfs");
    mount_layers(image, folder, &target);
    target
}

/// Mounts an overlay of `image` and of `upper` and `work` in `layers` at `target`; all of them are there.
#[track_caller]
pub fn mount_layers(image: &Path, layers: &Path, target: &Path) {
    let path = |name: &str| layers.join(name).display().to_string();
    let options = format!("lowerdir={},upperdir={},workdir={}", image.display(), path("upper"), path("work"));
    let mounted = mount(Some("overlay"), target, Some("overlay"), MsFlags::empty(), Some(options.as_str()));
    if let Err(error) = mounted {
        panic!("cannot mount the overlay at {}: {error}", target.display());
    }
}

/// Takes off what an engine left mounted, innermost first.
fn unmount_below(folder: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    for mount_point in mounts.lines().rev().filter_map(|line| line.split(' ').nth(1)) {
        if Path::new(mount_point).starts_with(folder) {
            let _ = umount2(mount_point, MntFlags::MNT_DETACH);
        }
    }
}

/// Where hierarchies of cgroups are mounted.
#[must_use]
pub fn cgroup_hierarchies() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let cgroups = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let folder = words.next()?;
        matches!(words.next()?, "cgroup" | "cgroup2").then(|| PathBuf::from(folder))
    });
    cgroups.collect()
}

/// Moves a process to the top of every hierarchy, as one that hides whose it is.
#[track_caller]
pub fn hide_in_root_cgroup(pid: i32) {
    for hierarchy in cgroup_hierarchies() {
        let moved = fs::write(hierarchy.join("cgroup.procs"), pid.to_string());
        if let Err(error) = moved {
            panic!("cannot move process {pid} to the top of {}: {error}", hierarchy.display());
        }
    }
}

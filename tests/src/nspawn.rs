//! A container of systemd-nspawn with an overlay of the tests' image as root. No systemd runs on the machines of the
//! tests, so nothing registers it and its cgroup is the caller's.

use std::fs;
use std::process::Command;

use crate::engine::{EngineFolder, is_here, mount_overlay};
use crate::image_tree;
use crate::process::{self, Finished};

/// A place for containers that share one image.
pub struct Nspawn {
    folder: EngineFolder,
}

impl Nspawn {
    /// systemd-nspawn and an image; `None`, and the case `name` is listed as not run, where it is not here.
    #[track_caller]
    #[must_use]
    pub fn for_case(name: &str) -> Option<Self> {
        if !is_here(name, &[("systemd-nspawn", "systemd-container")]) {
            return None;
        }
        let folder = EngineFolder::new(&[]);
        let tree = folder.path().join("image");
        if let Err(error) = fs::create_dir(&tree) {
            panic!("cannot make {}: {error}", tree.display());
        }
        image_tree::build(&tree);
        Some(Self { folder })
    }

    /// Runs a container to its end with this shell script as its first process but one.
    #[track_caller]
    #[must_use]
    pub fn run(&self, name: &str, script: &str) -> Finished {
        let root = mount_overlay(&self.folder.path().join("image"), &self.folder.path().join(name));
        let mut command = Command::new("systemd-nspawn");
        command.args(["--register=no", "--keep-unit", "--as-pid2", "--quiet", "--machine", name]);
        command.arg("--directory").arg(root).args(["/bin/sh", "-c", script]);
        process::run(command)
    }
}

//! LXC containers with an overlay of the tests' image as root.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::engine::{EngineFolder, is_here};
use crate::image_tree;
use crate::process::{self, Finished};

/// A folder of LXC containers that share one image.
pub struct Lxc {
    folder: EngineFolder,
}

impl Lxc {
    /// LXC and an image; `None`, and the case `name` is listed as not run, where it is not here.
    #[track_caller]
    #[must_use]
    pub fn for_case(name: &str) -> Option<Self> {
        if !is_here(name, &[("lxc-execute", "lxc"), ("lxc-start", "lxc")]) {
            return None;
        }
        let folder = EngineFolder::new(&["lxc.pivot"]);
        let tree = folder.path().join("image");
        if let Err(error) = fs::create_dir(&tree) {
            panic!("cannot make {}: {error}", tree.display());
        }
        image_tree::build(&tree);
        Some(Self { folder })
    }

    /// Runs a container to its end with this shell script as its first process.
    #[track_caller]
    #[must_use]
    pub fn run(&self, name: &str, script: &str) -> Finished {
        let config = self.configure(name);
        let mut command = Command::new("lxc-start");
        command.arg("--foreground").arg("--lxcpath").arg(self.folder.path().join("containers"));
        command.arg("--name").arg(name).arg("--rcfile").arg(config);
        command.args(["--", "/bin/sh", "-c", script]);
        process::run(command)
    }

    #[track_caller]
    fn configure(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join("containers").join(name);
        for part in ["upper", "work"] {
            if let Err(error) = fs::create_dir_all(folder.join(part)) {
                panic!("cannot make {}: {error}", folder.display());
            }
        }
        let config = format!(
            "lxc.rootfs.path = overlay:{}:{}\nlxc.uts.name = {name}\nlxc.net.0.type = empty\n\
             lxc.apparmor.profile = unconfined\nlxc.cap.drop = sys_resource\nlxc.mount.auto = proc\n",
            self.folder.path().join("image").display(),
            folder.join("upper").display()
        );
        let file = folder.join("config");
        if let Err(error) = fs::write(&file, config) {
            panic!("cannot write {}: {error}", file.display());
        }
        file
    }
}

//! runc alone: a bundle with a hand-mounted overlay, no engine above it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use crate::engine::{EngineFolder, is_here, mount_overlay};
use crate::image_tree;
use crate::process::{self, Finished};

/// A place for bundles that share one image.
pub struct Runc {
    folder: EngineFolder,
}

impl Runc {
    /// runc and an image; `None`, and the case `name` is listed as not run, where it is not here.
    #[track_caller]
    #[must_use]
    pub fn for_case(name: &str) -> Option<Self> {
        if !is_here(name, &[("runc", "runc")]) {
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

    /// Runs a container to its end with this shell script as its first process.
    #[track_caller]
    #[must_use]
    pub fn run(&self, id: &str, script: &str) -> Finished {
        let bundle = self.bundle(id, script);
        let mut command = Command::new("runc");
        command.arg("run").arg("--bundle").arg(bundle).arg(id);
        process::run(command)
    }

    #[track_caller]
    fn bundle(&self, id: &str, script: &str) -> PathBuf {
        let bundle = self.folder.path().join(id);
        let _ = mount_overlay(&self.folder.path().join("image"), &bundle);
        let namespaces = ["pid", "mount", "ipc", "uts", "network"].map(|kind| json!({"type": kind}));
        let spec = json!({
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": 0, "gid": 0}, "cwd": "/", "args": ["/bin/sh", "-c", script],
                "env": ["PATH=/bin:/usr/bin"], "noNewPrivileges": false,
            },
            "root": {"path": "rootfs"},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
            "linux": {"namespaces": namespaces},
        });
        if let Err(error) = fs::write(bundle.join("config.json"), spec.to_string()) {
            panic!("cannot write the configuration of {id}: {error}");
        }
        bundle
    }
}

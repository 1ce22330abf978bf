//! runc alone: a bundle with a hand-mounted overlay, no engine above it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::engine::{EngineFolder, is_here, mount_layers, mount_overlay};
use crate::process::{self, Finished};
use crate::{idmapped, image_tree};

/// The host's id of the first id in a user namespace of [`Runc::run_mapped`].
pub const FIRST_ID: u32 = 100_000;
/// Ids in such a namespace.
const IDS: u32 = 65_536;

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

    /// As [`Runc::run`], in a user namespace whose ids begin at [`FIRST_ID`] of the host. The files of the image are mounted
    /// so that they belong to the same ids inside as on disk (an idmapped mount), as engines do with images that several
    /// containers share. `None` where the kernel has no such mounts (before 5.12).
    #[track_caller]
    #[must_use]
    pub fn run_mapped(&self, id: &str, script: &str) -> Option<Finished> {
        let image = self.folder.path().join("image");
        let (bundle, mapped) = (self.folder.path().join(id), self.folder.path().join("mapped").join(id));
        let made =
            ["upper", "work", "rootfs"].iter().try_for_each(|part| fs::create_dir_all(bundle.join(part)));
        let made = made.and_then(|()| fs::create_dir_all(&mapped));
        // Root of the namespace is somebody else outside, and must get to its files.
        let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o755));
        let made = made.and_then(|()| open(self.folder.path())).and_then(|()| open(&image));
        let made = made
            .and_then(|()| std::os::unix::fs::chown(bundle.join("upper"), Some(FIRST_ID), Some(FIRST_ID)));
        if let Err(error) = made {
            panic!("cannot prepare {}: {error}", bundle.display());
        }
        match idmapped::mount(&image, &mapped, FIRST_ID, IDS) {
            Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => return None,
            Err(error) => panic!("cannot mount {} with other ids: {error}", image.display()),
            Ok(()) => {}
        }
        mount_layers(&mapped, &bundle, &bundle.join("rootfs"));
        let map = json!([{"containerID": 0, "hostID": FIRST_ID, "size": IDS}]);
        write_spec(&bundle, script, &["user"], &json!({"uidMappings": map, "gidMappings": map}));
        let mut command = Command::new("runc");
        command.arg("run").arg("--bundle").arg(bundle).arg(id);
        Some(process::run(command))
    }

    /// As [`Runc::run_mapped`], but the files of the image are given to the ids of the namespace one by one (`chown`), as
    /// engines do that know no idmapped mounts. Each of them is copied up by that.
    #[track_caller]
    #[must_use]
    pub fn run_chowned(&self, id: &str, script: &str) -> Finished {
        let bundle = self.folder.path().join(id);
        let root = mount_overlay(&self.folder.path().join("image"), &bundle);
        let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o755));
        if let Err(error) = open(self.folder.path()).and_then(|()| give_away(&root)) {
            panic!("cannot give {} to {FIRST_ID}: {error}", root.display());
        }
        let map = json!([{"containerID": 0, "hostID": FIRST_ID, "size": IDS}]);
        write_spec(&bundle, script, &["user"], &json!({"uidMappings": map, "gidMappings": map}));
        let mut command = Command::new("runc");
        command.arg("run").arg("--bundle").arg(bundle).arg(id);
        process::run(command)
    }

    #[track_caller]
    fn bundle(&self, id: &str, script: &str) -> PathBuf {
        let bundle = self.folder.path().join(id);
        let _ = mount_overlay(&self.folder.path().join("image"), &bundle);
        write_spec(&bundle, script, &[], &json!({}));
        bundle
    }
}

/// The tree to the first user of the namespaces.
fn give_away(path: &Path) -> std::io::Result<()> {
    std::os::unix::fs::lchown(path, Some(FIRST_ID), Some(FIRST_ID))?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give_away(&entry?.path())?;
        }
    }
    Ok(())
}

/// Writes `config.json` of a bundle; `namespaces` and `linux` are added to what every one has.
#[track_caller]
fn write_spec(bundle: &Path, script: &str, namespaces: &[&str], linux: &Value) {
    let usual = ["pid", "mount", "ipc", "uts", "network"];
    let namespaces = usual.iter().chain(namespaces).map(|kind| json!({"type": kind})).collect::<Vec<_>>();
    let ids = ["CAP_SETUID", "CAP_SETGID"];
    let mut spec = json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0}, "cwd": "/", "args": ["/bin/sh", "-c", script],
            "env": ["PATH=/bin:/usr/bin"], "noNewPrivileges": false,
            // To become another user.
            "capabilities": {"bounding": ids, "permitted": ids, "effective": ids},
        },
        "root": {"path": "rootfs"},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "linux": {"namespaces": namespaces},
    });
    if let Some(more) = linux.as_object() {
        for (name, value) in more {
            spec["linux"][name] = value.clone();
        }
    }
    if let Err(error) = fs::write(bundle.join("config.json"), spec.to_string()) {
        panic!("cannot write the configuration in {}: {error}", bundle.display());
    }
}

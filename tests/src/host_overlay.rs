//! An overlay mounted on the host itself: its files have an upper layer, its processes are no container's.

use std::fs;
use std::path::PathBuf;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tempfile::TempDir;

/// The mounted overlay; unmounted and removed on drop.
#[derive(Debug)]
pub struct HostOverlay {
    folder: TempDir,
}

impl HostOverlay {
    /// Mounts an overlay with an empty lower layer.
    #[must_use]
    pub fn mount() -> Self {
        let folder = match tempfile::Builder::new().prefix("detector-overlay-").tempdir() {
            Ok(folder) => folder,
            Err(error) => panic!("cannot make a temporary folder: {error}"),
        };
        let mut options = Vec::new();
        for (option, layer) in
            [("lowerdir", "lower"), ("upperdir", "upper"), ("workdir", "work"), ("", "merged")]
        {
            let path = folder.path().join(layer);
            if let Err(error) = fs::create_dir(&path) {
                panic!("cannot make {}: {error}", path.display());
            }
            if !option.is_empty() {
                options.push(format!("{option}={}", path.display()));
            }
        }
        let overlay = Self { folder };
        let options = options.join(",");
        let kind = Some("overlay");
        if let Err(error) = mount(kind, &overlay.root(), kind, MsFlags::empty(), Some(options.as_str())) {
            panic!("cannot mount an overlay on the host with {options}: {error}");
        }
        overlay
    }

    /// Where it is mounted.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("merged")
    }
}

impl Drop for HostOverlay {
    fn drop(&mut self) {
        if let Err(error) = umount2(&self.root(), MntFlags::MNT_DETACH) {
            eprintln!("left behind: overlay mount {}: {error}", self.root().display());
        }
    }
}

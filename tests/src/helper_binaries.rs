//! The static programs that run inside containers: `probe` and `bare-init`, built once on demand.
//!
//! A container has no C library of ours, so both are linked statically (musl), like the agent itself.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Path of a helper program, by name.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let path = FOLDER.get_or_init(folder).join(name);
    assert!(path.is_file(), "{} is not there: `{name}` is no program of this crate", path.display());
    path
}

/// The workspace's `target` folder.
#[must_use]
pub fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// The workspace's root.
#[must_use]
pub fn workspace() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

/// `DETECTOR_TEST_HELPERS` names a folder with ready programs (a virtual machine has no cargo); otherwise cargo
/// builds them, which is a fraction of a second when nothing changed. Cargo's own lock serialises parallel callers.
fn folder() -> PathBuf {
    if let Some(ready) = std::env::var_os("DETECTOR_TEST_HELPERS") {
        return PathBuf::from(ready);
    }
    let triple = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(workspace())
        .args(["build", "--release", "--package", "detector-tests", "--bins", "--target", &triple])
        .arg("--target-dir")
        .arg(target_folder())
        .output();
    match output {
        Ok(output) if output.status.success() => target_folder().join(triple).join("release"),
        Ok(output) => panic!(
            "cannot build the programs that run inside containers; is the target there? (rustup target add {triple})\n{}",
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => panic!("cannot start cargo to build the programs that run inside containers: {error}"),
    }
}

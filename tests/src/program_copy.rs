//! Copies of programs that are executed next. Another process makes them, because a file that is open for writing
//! cannot be executed: a thread of this test program that starts a child at the wrong moment hands the open file on
//! to it, and until that child executes something the copy is "Text file busy".

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::{agent, image_tree, process};

/// Copies a program and makes it executable for all.
#[track_caller]
pub fn copy(from: &Path, to: &Path) {
    static BUSYBOX: LazyLock<PathBuf> = LazyLock::new(image_tree::busybox);
    let mut command = Command::new(&*BUSYBOX);
    command.arg("cp").args([from, to]);
    let _ = process::run(command).ok();
    readable_for_all(to);
}

/// A copy of the agent that every user may read and run; it goes with the folder.
#[track_caller]
#[must_use]
pub fn agent_for_everyone() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir_in("/tmp").expect("a folder for a copy of the agent");
    readable_for_all(folder.path());
    let program = folder.path().join("detector");
    copy(&agent::program(), &program);
    (folder, program)
}

#[track_caller]
fn readable_for_all(path: &Path) {
    if let Err(error) = fs::set_permissions(path, fs::Permissions::from_mode(0o755)) {
        panic!("cannot let everyone read {}: {error}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::{Command, Path, copy, process};

    /// CI failed with "Text file busy" when one test started a child while another one copied the agent.
    #[test]
    fn a_copy_can_be_executed_while_other_threads_start_children() {
        let folder = tempfile::tempdir().expect("a folder");
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        let _ = process::run(Command::new("/bin/true"));
                    }
                });
            }
            for number in 0..50 {
                let program = folder.path().join(number.to_string());
                copy(Path::new("/bin/true"), &program);
                assert_eq!(process::run(Command::new(&program)).code(), 0);
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}

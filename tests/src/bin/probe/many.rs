//! Many processes: a burst of drops, and a deep tree of ancestors.

use std::ffi::{CString, OsStr, OsString};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};

use nix::sys::prctl::set_name;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

use crate::Outcome;

/// Writes and executes `count` files `FILE-0`, `FILE-1` and so on as fast as it can; waits only at the end. Each is removed as
/// soon as it runs: thousands would not find room in a small machine. With an argument of so many `bytes`, where it is to be long.
pub(crate) fn burst(file: &OsStr, count: usize, bytes: usize) -> Outcome {
    let content = fs::read("/proc/self/exe")?;
    let mut running = Vec::with_capacity(count);
    for index in 0..count {
        let mut path: OsString = file.to_owned();
        path.push(format!("-{index}"));
        fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(&path)?.write_all(&content)?;
        let long = (bytes > 0).then(|| "x".repeat(bytes));
        running.push(Command::new(&path).arg("exit").args(long).stdin(Stdio::null()).spawn()?);
        fs::remove_file(&path)?;
    }
    for mut child in running {
        let status = child.wait()?;
        if !status.success() {
            return Err(format!("a file of the burst failed: {status}").into());
        }
    }
    println!("burst of {count} done");
    Ok(())
}

/// Forks `depth` times, each in the last one's child, under the names `deep-1`, `deep-2` ...; the last one executes.
pub(crate) fn deep(depth: usize, file: &OsStr) -> Outcome {
    for level in 1..=depth {
        // SAFETY: this process has one thread, so the child may use everything it inherits.
        match unsafe { fork() }? {
            ForkResult::Child => set_name(&CString::new(format!("deep-{level}"))?)?,
            ForkResult::Parent { child } => match waitpid(child, None)? {
                WaitStatus::Exited(_, 0) => return Ok(()),
                status => return Err(format!("the tree broke at level {level}: {status:?}").into()),
            },
        }
    }
    // The last of the forked ones is the executed file's own process, so its name is not among the ancestors'.
    crate::execute::with_argv(file, &[file.to_owned()])
}

/// Opens a file so many times, and closes it.
pub(crate) fn open(how: &fs::OpenOptions, file: &OsStr, times: usize) -> Outcome {
    (0..times).try_for_each(|_| how.open(file).map(drop)).map_err(Into::into)
}

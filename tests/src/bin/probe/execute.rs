//! One file, executed in the ways that a detector gets wrong.

use std::ffi::{CString, OsStr, OsString};
use std::fs;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use nix::fcntl::{AtFlags, OFlag, open};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, execv, execveat, setgroups, setresgid, setresuid};

use crate::Outcome;

/// How a memfd is named to execve.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemfdWay {
    /// `execveat(fd, "", AT_EMPTY_PATH)`, as fexecve does.
    Execveat,
    /// The path `/proc/self/fd/N`.
    ProcPath,
}

/// Executes by descriptor alone: the path given to the kernel is empty.
pub(crate) fn at_empty_path(file: &OsStr) -> Outcome {
    let fd = open(file, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    by_descriptor(&fd, file)
}

/// Removes the file first: only the descriptor still leads to it.
pub(crate) fn after_unlink(file: &OsStr) -> Outcome {
    let fd = open(file, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    fs::remove_file(file)?;
    by_descriptor(&fd, file)
}

/// Copies the file into a memfd named `drop` and executes that.
pub(crate) fn memfd(file: &OsStr, way: MemfdWay) -> Outcome {
    let fd = memfd_create(c"drop", MFdFlags::empty())?;
    let mut memory = fs::File::from(fd);
    memory.write_all(&fs::read(file)?)?;
    match way {
        MemfdWay::Execveat => by_descriptor(&OwnedFd::from(memory), file),
        MemfdWay::ProcPath => {
            let path = CString::new(format!("/proc/self/fd/{}", memory.as_raw_fd()))?;
            execv(&path, &[c_string(file)?])?;
            Ok(())
        }
    }
}

/// Executes from a thread that is not the leader; the kernel ends all others and gives it the leader's id.
pub(crate) fn from_thread(file: &OsStr) -> Outcome {
    let path = c_string(file)?;
    let executing = std::thread::spawn(move || execv(&path, &[&path]).map(drop));
    executing.join().map_err(|_| "the thread panicked")??;
    Ok(())
}

/// `execve(path, NULL, environ)`: since Linux 5.18 the kernel makes one empty argument of it.
pub(crate) fn without_argv(file: &OsStr) -> Outcome {
    let path = c_string(file)?;
    let environment = [std::ptr::null()];
    // SAFETY: path is NUL-terminated, the environment is a terminated list, and the kernel allows argv to be NULL.
    unsafe { libc::execve(path.as_ptr(), std::ptr::null(), environment.as_ptr()) };
    Err(std::io::Error::last_os_error().into())
}

/// Executes with exactly these arguments, the zeroth included.
pub(crate) fn with_argv(file: &OsStr, arguments: &[OsString]) -> Outcome {
    let arguments: Vec<CString> = arguments.iter().map(|text| c_string(text)).collect::<Result<_, _>>()?;
    execv(&c_string(file)?, &arguments)?;
    Ok(())
}

/// What a careless formatter trips over: empty, blanks, quotes, line ends, controls, UTF-8 and what is not UTF-8.
pub(crate) fn odd_arguments(file: &OsStr) -> Vec<OsString> {
    let odd: [&[u8]; 9] =
        [b"", b"a b", b"\"'", b"x\ny", b"\t", b"\x01", "žluťoučký 🐎".as_bytes(), b"\xff\xfe", b"%proc.name"];
    let odd = odd.iter().map(|bytes| OsString::from_vec(bytes.to_vec()));
    std::iter::once(file.to_owned()).chain(odd).collect()
}

/// Gives up root for `user` and executes; a setuid bit on the file counts again.
pub(crate) fn as_user(file: &OsStr, user: u32) -> Outcome {
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
    setgroups(&[])?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)?;
    let path = c_string(file)?;
    execv(&path, &[&path])?;
    Ok(())
}

fn by_descriptor(fd: &OwnedFd, argv0: &OsStr) -> Outcome {
    let environment: [&CString; 0] = [];
    execveat(fd.as_fd(), c"", &[c_string(argv0)?], &environment, AtFlags::AT_EMPTY_PATH)?;
    Ok(())
}

fn c_string(text: &OsStr) -> Result<CString, std::ffi::NulError> {
    CString::new(text.as_bytes())
}

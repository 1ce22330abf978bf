//! Maps a file as a dynamic loader does, and runs nothing.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsRawFd;

use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::Outcome;

/// Maps it executable so many times.
pub(crate) fn executable(file: &OsStr, times: usize) -> Outcome {
    let file = File::open(file)?;
    (0..times).try_for_each(|_| map(&file, libc::PROT_READ | libc::PROT_EXEC))
}

/// Maps it to be read.
pub(crate) fn read_only(file: &OsStr) -> Outcome {
    map(&File::open(file)?, libc::PROT_READ)
}

/// Copies it into a memfd and maps that executable.
pub(crate) fn memfd(file: &OsStr) -> Outcome {
    let mut memory = File::from(memfd_create(c"mapped", MFdFlags::empty())?);
    memory.write_all(&fs::read(file)?)?;
    map(&memory, libc::PROT_READ | libc::PROT_EXEC)
}

fn map(file: &File, protection: libc::c_int) -> Outcome {
    const PAGE: usize = 4096;
    // SAFETY: a new mapping at an address of the kernel's choice, which nobody uses.
    let address =
        unsafe { libc::mmap(std::ptr::null_mut(), PAGE, protection, libc::MAP_PRIVATE, file.as_raw_fd(), 0) };
    if address == libc::MAP_FAILED { Err(std::io::Error::last_os_error().into()) } else { Ok(()) }
}

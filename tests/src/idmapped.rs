//! Mounts that show a folder with other owners (idmapped mounts), as engines make them for containers with a user
//! namespace: the kernel translates, nothing on disk is changed.

use std::ffi::{CStr, CString, c_int, c_long};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, unshare};

const EMPTY: &CStr = c"";

/// Shows the folder `from` at `to`, with id N of the disk as id `first` + N, for `count` ids.
pub fn mount(from: &Path, to: &Path, first: u32, count: u32) -> io::Result<()> {
    let namespace = user_namespace(first, count)?;
    let path = |path: &Path| CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other);
    let (from, to) = (path(from)?, path(to)?);
    // SAFETY: open_tree(2) reads a path that is kept until it returns.
    let tree = opened(unsafe {
        libc::syscall(
            libc::SYS_open_tree,
            libc::AT_FDCWD,
            from.as_ptr(),
            libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC,
        )
    })?;
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: u64::try_from(namespace.as_raw_fd()).map_err(io::Error::other)?,
    };
    // SAFETY: mount_setattr(2) reads the empty path and the attributes, whose size is given.
    done(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            EMPTY.as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    })?;
    // SAFETY: move_mount(2) reads the two paths.
    done(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            EMPTY.as_ptr(),
            libc::AT_FDCWD,
            to.as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH,
        )
    })
}

/// A user namespace with this map of users and groups.
fn user_namespace(first: u32, count: u32) -> io::Result<File> {
    let mut sleeper = Command::new("sleep");
    sleeper.arg("60").stdin(Stdio::null());
    // SAFETY: one system call.
    unsafe { sleeper.pre_exec(|| Ok(unshare(CloneFlags::CLONE_NEWUSER)?)) };
    let mut child = sleeper.spawn()?;
    let proc = Path::new("/proc").join(child.id().to_string());
    let map = format!("0 {first} {count}");
    let opened = fs::write(proc.join("uid_map"), &map)
        .and_then(|()| fs::write(proc.join("gid_map"), &map))
        .and_then(|()| File::open(proc.join("ns/user")));
    child.kill()?;
    child.wait()?;
    opened
}

fn done(result: c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn opened(result: c_long) -> io::Result<OwnedFd> {
    done(result)?;
    let descriptor = c_int::try_from(result).map_err(io::Error::other)?;
    // SAFETY: a system call has just made it for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

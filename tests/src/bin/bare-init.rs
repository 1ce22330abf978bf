//! A container without an engine: joins cgroups, makes namespaces, mounts an overlay as root, runs one command as PID 1.
//!
//! A program of its own and not a function of the harness: the test process has threads, and neither `unshare` nor
//! `fork` mixes with those.
//!
//! `bare-init ROOT OVERLAY-OPTIONS pivot|chroot CGROUP... -- COMMAND ARGS...`; ROOT holds lower, upper, work, merged.

use std::error::Error;
use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, chdir, chroot, execve, fork, pivot_root, sethostname, setsid};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() {
    match contain() {
        Ok(code) => std::process::exit(code),
        Err(error) => {
            eprintln!("bare-init: {error}");
            std::process::exit(125);
        }
    }
}

fn contain() -> Outcome<i32> {
    // Should the harness die, this dies, and with it the namespace and all in it.
    set_pdeathsig(Signal::SIGKILL)?;
    let mut arguments = std::env::args_os().skip(1);
    let mut next =
        || arguments.next().ok_or("usage: bare-init ROOT OPTIONS pivot|chroot CGROUP... -- COMMAND...");
    let (root, options, way) = (next()?, next()?, next()?);
    loop {
        let cgroup = next()?;
        if cgroup == "--" {
            break;
        }
        let list = Path::new(&cgroup).join("cgroup.procs");
        fs::write(&list, "0").map_err(|error| format!("cannot join {}: {error}", list.display()))?;
    }
    let command: Vec<CString> =
        arguments.map(|word| CString::new(word.into_vec())).collect::<Result<_, _>>()?;
    unshare(
        CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC,
    )
    .map_err(|error| format!("cannot make namespaces: {error}"))?;
    // SAFETY: this process has one thread, so the child may use everything it inherits.
    match unsafe { fork() }? {
        ForkResult::Child => {
            set_pdeathsig(Signal::SIGKILL)?;
            first_process(Path::new(&root), &options.to_string_lossy(), way == "chroot", &command)?;
            unreachable!("execve returned without an error");
        }
        ForkResult::Parent { child } => loop {
            match waitpid(child, None) {
                Ok(WaitStatus::Exited(_, code)) => return Ok(code),
                Ok(WaitStatus::Signaled(_, signal, _)) => return Ok(128 + signal as i32),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        },
    }
}

/// PID 1 of the new namespace: sets the stage and becomes the command.
fn first_process(root: &Path, options: &str, by_chroot: bool, command: &[CString]) -> Outcome<()> {
    let none = None::<&Path>;
    setsid()?;
    sethostname("bare")?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    let merged = root.join("merged");
    let layers = format!(
        "lowerdir={},upperdir={},workdir={}{options}",
        root.join("lower").display(),
        root.join("upper").display(),
        root.join("work").display()
    );
    mount(Some("overlay"), &merged, Some("overlay"), MsFlags::empty(), Some(layers.as_str()))
        .map_err(|error| format!("cannot mount an overlay with {layers}: {error}"))?;
    mount(Some("/proc"), &merged.join("host-proc"), none, MsFlags::MS_BIND, none)?;
    mount(Some("/dev/null"), &merged.join("dev/null"), none, MsFlags::MS_BIND, none)?;
    mount(Some("proc"), &merged.join("proc"), Some("proc"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, none)
        .map_err(|error| format!("cannot mount /proc: {error}"))?;
    chdir(&merged)?;
    if by_chroot {
        chroot(".")?;
    } else {
        // The old root ends up on top of the new one at the same place, and is then taken off.
        match pivot_root(".", ".") {
            Ok(()) => umount2(".", MntFlags::MNT_DETACH)?,
            // The root of an initramfs cannot be pivoted away.
            Err(Errno::EINVAL) => {
                mount(Some("."), "/", none, MsFlags::MS_MOVE, none)?;
                chroot(".")?;
            }
            Err(error) => return Err(format!("cannot pivot into the container: {error}").into()),
        }
    }
    chdir("/")?;
    let environment = [c"PATH=/usr/bin:/bin".into(), c"HOME=/root".into(), CString::new("container=bare")?];
    let program = command.first().ok_or("no command")?;
    execve(program, command, &environment)
        .map_err(|error| format!("cannot execute {}: {error}", program.to_string_lossy()))?;
    Ok(())
}

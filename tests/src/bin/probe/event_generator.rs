//! A stand-in for the event-generator's action `syscall.DropAndExecuteNewBinaryInContainer`.
//!
//! It repeats the system calls that were measured of that action (version 0.10 to 0.13) and is NOT that program: it
//! exists because networks differ in whether they hand the real one out. Same order, same flags, same names, same
//! short life of the process and of its file.

use std::ffi::{CString, c_int, c_void};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::Outcome;

/// Stack of a child that only redirects and executes.
const CHILD_STACK: usize = 64 * 1024;

/// Must be PID 1 of its container, as the real one demands.
pub(crate) fn stand_in() -> Outcome {
    if std::process::id() != 1 {
        return Err("only applicable as the first process of a container".into());
    }
    std::thread::sleep(Duration::from_millis(100));
    // The real one drops from a worker of the Go runtime, never from the leader of its thread group.
    let worker = std::thread::spawn(|| drop_and_execute().map_err(|error| error.to_string()));
    worker.join().map_err(|_| "the worker panicked")??;
    Ok(())
}

fn drop_and_execute() -> Outcome {
    let content = fs::read(find_ls().ok_or("no ls in PATH")?)?;
    let path = format!("/bin/falco-event-generator-syscall-DropAndExecuteNewBinaryInContainer-{}", suffix()?);
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(&path)?;
    let written = file.write(&content)?;
    drop(file);
    if written != content.len() {
        return Err("the content did not go into one write".into());
    }
    // The first start of any child by the Go runtime probes with one that ends at once.
    spawn(None)?;
    let status = spawn(Some(&CString::new(path.as_str())?));
    fs::remove_file(&path)?;
    println!("dropped {path}: {:?}", status?);
    Ok(())
}

/// `clone(CLONE_VM | CLONE_PIDFD | CLONE_VFORK)`, wait, and the child's end. Without a program the child exits at once.
fn spawn(program: Option<&CString>) -> Result<WaitStatus, Box<dyn std::error::Error>> {
    let mut plan =
        Plan { program: std::ptr::null(), argv: [std::ptr::null(); 2], environment: [std::ptr::null(); 4] };
    if let Some(program) = program {
        plan.program = program.as_ptr();
        plan.argv[0] = program.as_ptr();
        plan.environment = [
            c"HOSTNAME=stand-in".as_ptr(),
            c"PATH=/usr/bin:/bin".as_ptr(),
            c"HOME=/root".as_ptr(),
            std::ptr::null(),
        ];
    }
    let mut stack = vec![0_u8; CHILD_STACK];
    let mut pid_descriptor: c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_PIDFD | libc::CLONE_VFORK | libc::SIGCHLD;
    // The ABI of every architecture wants the stack's end aligned to 16 bytes.
    let top = stack.as_mut_ptr_range().end.map_addr(|address| address & !15);
    // SAFETY: the child runs `child` on its own stack, which lives until it has executed or exited because of
    // CLONE_VFORK; `plan` and the strings it points to live as long.
    let pid = unsafe {
        libc::clone(
            child,
            top.cast::<c_void>(),
            flags,
            (&raw mut plan).cast::<c_void>(),
            &raw mut pid_descriptor,
        )
    };
    if pid < 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    let status = waitpid(Pid::from_raw(pid), None)?;
    // SAFETY: the kernel opened this descriptor for us, and nobody else knows of it.
    unsafe { libc::close(pid_descriptor) };
    Ok(status)
}

/// What the child needs, prepared before it exists: it may not allocate.
struct Plan {
    program: *const libc::c_char,
    argv: [*const libc::c_char; 2],
    environment: [*const libc::c_char; 4],
}

extern "C" fn child(argument: *mut c_void) -> c_int {
    // SAFETY: `spawn` passes a Plan that outlives this child.
    let plan = unsafe { &*argument.cast::<Plan>() };
    if plan.program.is_null() {
        return 0;
    }
    // SAFETY: system calls on NUL-terminated constants and on the terminated lists of the plan; descriptors 0 to 2 are
    // this child's own copies, as CLONE_FILES is not set.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        for descriptor in 0..3 {
            libc::dup3(null, descriptor, 0);
        }
        libc::execve(plan.program, plan.argv.as_ptr(), plan.environment.as_ptr());
    }
    127
}

fn find_ls() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("ls")).find(|file| file.exists())
}

/// Six characters of letters and digits.
fn suffix() -> std::io::Result<String> {
    use std::io::Read;
    const LETTERS: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let mut random = [0_u8; 6];
    fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(random.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect())
}

//! The first process of the virtual machines in which the real-kernel tests run on other kernels: sets the stage, runs
//! the suites one after the other, says how they ended, and powers off.
//!
//! What it does in which order, its maker has written to `/vm/plan`: `agent`, `cgroup_v1`, `suite NAME PROGRAM ARGUMENTS`.
//! Its lines on the console are the contract with `cargo xtask vm`; the last one is the machine's exit status:
//!
//! ```text
//! VM-BOOT up=3.21 release=6.1.0-56-cloud-amd64 lsm=lockdown,capability,bpf lockdown=none
//! VM-PROGRAM name=sched_process_e verified=51234 machine_code=60123
//! VM-SUITE begin=copy_up overlay=absent
//! VM-NOT-RUN a_case<TAB>missing<TAB>no dockerd (apt-get install docker.io)
//! VM-SUITE end=copy_up code=0 up=9.87
//! VM-EXIT rc=0 up=41.02
//! ```
//!
//! As `/sbin/modprobe` it is the kernel's module loader: overlay comes, as on a real host, with the first mount, which
//! is after the agent has started. It is taken out again between the suites, so that this holds for each of them.

mod programs;

use std::error::Error;
use std::ffi::CStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::kmod::{DeleteModuleFlags, ModuleInitFlags, delete_module, finit_module};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, chdir, chroot};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What the machine's maker put into the initial file system.
const HOME: &str = "/vm";
const OVERLAY: &CStr = c"overlay";
/// To mount cgroup version 1, half a second apart.
const TRIES: u32 = 60;

/// File systems in order of mounting: type, where, data.
const MOUNTS: [(&str, &str, &str); 11] = [
    ("proc", "/proc", ""),
    ("sysfs", "/sys", ""),
    ("devtmpfs", "/dev", ""),
    ("devpts", "/dev/pts", ""),
    ("tmpfs", "/dev/shm", ""),
    ("tmpfs", "/tmp", "mode=1777"),
    ("tmpfs", "/run", ""),
    ("cgroup2", "/sys/fs/cgroup", ""),
    ("bpf", "/sys/fs/bpf", ""),
    ("tracefs", "/sys/kernel/tracing", ""),
    ("securityfs", "/sys/kernel/security", ""),
];

/// Without these, on 5.10 with TOMOYO, `execveat` with an empty path fails.
const LINKS: [(&str, &str); 4] = [
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
];

fn main() {
    let called_as = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    if called_as.ends_with("modprobe") {
        let alias = std::env::args().next_back().unwrap_or_default();
        if let Err(error) = load_module(alias.trim_start_matches("fs-")) {
            eprintln!("modprobe {alias}: {error}");
            std::process::exit(1);
        }
        return;
    }
    if std::process::id() != 1 {
        eprintln!("vm-init: this is the first process of a test machine and nothing else");
        std::process::exit(2);
    }
    let code = match run() {
        Ok(failed) => i32::from(failed > 0),
        Err(error) => {
            say(&format!("VM-FAULT {error}"));
            125
        }
    };
    say(&format!("VM-EXIT rc={code} up={}", uptime()));
    // With QEMU's -no-reboot this ends the machine at once; a power-off would ask ACPI.
    let Err(error) = reboot(RebootMode::RB_AUTOBOOT);
    say(&format!("VM-FAULT cannot reboot: {error}"));
}

/// Runs all suites; the answer is how many of them failed.
fn run() -> Outcome<usize> {
    set_stage()?;
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    say(&format!(
        "VM-BOOT up={} release={} lsm={} lockdown={}",
        uptime(),
        release.trim(),
        security("lsm").unwrap_or_else(|| "-".to_owned()),
        security("lockdown").and_then(|modes| chosen(&modes)).unwrap_or_else(|| "-".to_owned())
    ));
    let loopback = Command::new("/bin/busybox").args(["ip", "link", "set", "lo", "up"]).status()?;
    if !loopback.success() {
        return Err(format!("cannot bring the loopback device up: {loopback}").into());
    }
    let plan = fs::read_to_string(format!("{HOME}/plan")).map_err(|error| format!("no plan: {error}"))?;
    let mut failed = 0;
    for step in plan.lines() {
        let words: Vec<&str> = step.split_whitespace().collect();
        match words[..] {
            ["agent"] => show_agent()?,
            ["cgroup_v1"] => change_to_cgroup_v1()?,
            ["suite", name, program, ..] => {
                let program = Path::new(HOME).join("suites").join(program);
                failed += usize::from(!run_suite(name, &program, &words[3..])?);
            }
            _ => return Err(format!("the plan has the unknown step `{step}`").into()),
        }
    }
    Ok(failed)
}

fn set_stage() -> Outcome<()> {
    move_root()?;
    for (kind, folder, data) in MOUNTS {
        // Folders of /sys exist or their file system does not; making one there fails, and the mount says why.
        let _ = fs::create_dir_all(folder);
        let mounted = mount(Some(kind), folder, Some(kind), MsFlags::empty(), Some(data));
        // /dev may have been mounted by the kernel.
        if !matches!(mounted, Ok(()) | Err(Errno::EBUSY)) {
            mounted.map_err(|error| format!("cannot mount {kind} on {folder}: {error}"))?;
        }
    }
    // What scripts and tests take for granted: echo, sleep, tar and the like. Those that are there stay.
    let applets = Command::new("/bin/busybox")
        .args(["--install", "-s", "/bin"])
        .stderr(Stdio::null())
        .status()
        .map_err(|error| format!("cannot start busybox: {error}"))?;
    if !applets.success() && !Path::new("/bin/sleep").exists() {
        return Err(format!("busybox cannot install its applets: {applets}").into());
    }
    for (to, from) in LINKS {
        if !Path::new(from).exists() {
            symlink(to, from).map_err(|error| format!("cannot link {from}: {error}"))?;
        }
    }
    Ok(())
}

/// Mounts the first file system once more, on top of itself: nothing can pivot away from the one that the kernel made,
/// and runtimes pivot.
fn move_root() -> Outcome<()> {
    let none = None::<&str>;
    let steps = || {
        mount(Some("/"), "/root", none, MsFlags::MS_BIND, none)?;
        chdir("/root")?;
        mount(Some("."), "/", none, MsFlags::MS_MOVE, none)?;
        chroot(".")?;
        chdir("/")
    };
    steps().map_err(|error| format!("cannot make a root to pivot away from: {error}").into())
}

/// Starts the agent alone, without anything to see: its log tells which hooks it chose, the kernel tells what they cost
/// the verifier.
fn show_agent() -> Outcome<()> {
    let mut agent = Command::new(format!("{HOME}/bin/detector"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start the agent: {error}"))?;
    let log = agent.stderr.take().ok_or("the agent has no standard error")?;
    let mut armed = false;
    for line in BufReader::new(log).lines() {
        let line = line?;
        say(&line);
        if line.contains("hooks armed") && !armed {
            armed = true;
            for program in programs::loaded().map_err(|error| format!("cannot list programs: {error}"))? {
                let verified = program.verified.map_or("-".to_owned(), |count| count.to_string());
                say(&format!(
                    "VM-PROGRAM name={} verified={verified} machine_code={}",
                    program.name, program.machine_code
                ));
            }
            kill(Pid::from_raw(agent.id().cast_signed()), Signal::SIGTERM)?;
        }
    }
    let status = agent.wait()?;
    if armed && status.success() {
        Ok(())
    } else {
        Err(format!("the agent alone ended with {status}").into())
    }
}

/// Replaces the unified hierarchy by the one of version 1 that every kernel here still has.
fn change_to_cgroup_v1() -> Outcome<()> {
    let folder = "/sys/fs/cgroup";
    // What engines have left there keeps the controller: processes, those that nobody has waited for, and groups.
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    while waitpid(Pid::from_raw(-1), None).is_ok() {}
    remove_groups_below(Path::new(folder));
    umount2(folder, MntFlags::empty()).map_err(|error| format!("cannot unmount {folder}: {error}"))?;
    let kind = Some("cgroup");
    let mut tries = 0;
    while let Err(error) = mount(kind, folder, kind, MsFlags::empty(), Some("pids")) {
        if error != Errno::EBUSY || tries == TRIES {
            return Err(format!("cannot mount cgroup version 1 on {folder}: {error}").into());
        }
        tries += 1;
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}

/// The deepest first; what still has processes stays.
fn remove_groups_below(group: &Path) {
    for below in fs::read_dir(group).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if below.is_dir() {
            remove_groups_below(&below);
            let _ = fs::remove_dir(&below);
        }
    }
}

fn run_suite(name: &str, suite: &Path, arguments: &[&str]) -> Outcome<bool> {
    let overlay = if remove_overlay() { "absent" } else { "present" };
    say(&format!("VM-SUITE begin={name} overlay={overlay}"));
    let list = format!("/tmp/not-run.{name}");
    let mut command = Command::new(suite);
    command.env_clear();
    for (variable, path) in [
        ("DETECTOR_FALCO_RULES", format!("{HOME}/falco-rules")),
        ("DETECTOR_EVENT_GENERATOR", format!("{HOME}/bin/event-generator")),
    ] {
        if Path::new(&path).exists() {
            command.env(variable, path);
        }
    }
    command
        .env("DETECTOR_NOT_RUN", &list)
        .envs([("PATH", "/bin:/sbin"), ("HOME", "/root"), ("TMPDIR", "/tmp"), ("RUST_BACKTRACE", "0")])
        .env("DETECTOR_BIN", format!("{HOME}/bin/detector"))
        .env("DETECTOR_TEST_HELPERS", format!("{HOME}/bin"))
        .args(["--test-threads", "2"])
        .args(arguments)
        .stdin(Stdio::null());
    let status = command.status().map_err(|error| format!("cannot start {}: {error}", suite.display()))?;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(127));
    for line in fs::read_to_string(&list).unwrap_or_default().lines() {
        say(&format!("VM-NOT-RUN {line}"));
    }
    say(&format!("VM-SUITE end={name} code={code} up={}", uptime()));
    Ok(code == 0)
}

/// Takes the overlay module out; false when it is built in, or still in use after a while.
fn remove_overlay() -> bool {
    for _ in 0..100 {
        match delete_module(OVERLAY, DeleteModuleFlags::O_NONBLOCK) {
            Ok(()) | Err(Errno::ENOENT) => break,
            // The last mount goes away a moment after its namespace.
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    !fs::read_to_string("/proc/filesystems").unwrap_or_default().contains("\toverlay\n")
}

/// Loads a module and what it depends on, in the order that the machine's maker wrote down.
fn load_module(name: &str) -> Outcome<()> {
    let folder = Path::new(HOME).join("modules");
    let order = fs::read_to_string(folder.join(format!("{name}.order")))
        .map_err(|error| format!("this machine has no module for `{name}`: {error}"))?;
    for file in order.lines() {
        let opened = fs::File::open(folder.join(file)).map_err(|error| format!("{file}: {error}"))?;
        match finit_module(&opened, c"", ModuleInitFlags::empty()) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(error) => return Err(format!("the kernel refuses {file}: {error}").into()),
        }
    }
    Ok(())
}

/// A line of the kernel about its security; none where it has nothing to say.
fn security(file: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new("/sys/kernel/security").join(file)).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The word in brackets.
fn chosen(modes: &str) -> Option<String> {
    let (_, rest) = modes.split_once('[')?;
    rest.split_once(']').map(|(mode, _)| mode.to_owned())
}

/// One line on the console, whole and at once.
fn say(line: &str) {
    let mut console = std::io::stdout().lock();
    let _ = console.write_all(format!("{line}\n").as_bytes());
    let _ = console.flush();
}

/// Seconds since boot, as the kernel writes them.
fn uptime() -> String {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}

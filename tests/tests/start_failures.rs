//! A start that cannot succeed: the agent says in one line what is wrong and what to do, and ends with 1.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use detector_tests::case::has_root;
use detector_tests::{agent, process, program_copy};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};

/// Starts the agent after `prepare` has run in its process, and compares what it says with `expected`.
fn refused(prepare: fn() -> io::Result<()>, expected: &[&str]) {
    let (_folder, program) = program_copy::agent_for_everyone();
    let mut command = Command::new(&program);
    command.args(["-M", "1"]);
    // SAFETY: what the cases do there are system calls, which touch no memory of the parent.
    unsafe { command.pre_exec(prepare) };
    let finished = process::run(command);
    assert_eq!(finished.code(), 1, "{finished}");
    let errors: Vec<&str> = finished.stderr.lines().filter(|line| line.starts_with("Error: ")).collect();
    assert_eq!(errors.len(), 1, "{finished}");
    for part in expected {
        assert!(errors[0].contains(part), "`{part}` is not in: {}", errors[0]);
    }
    assert!(!finished.stderr.contains("hooks armed"), "{finished}");
}

#[test]
fn not_root() {
    if !has_root("not_root") {
        return;
    }
    let become_nobody = || {
        nix::unistd::setgroups(&[])?;
        nix::unistd::setgid(65534.into())?;
        Ok(nix::unistd::setuid(65534.into())?)
    };
    refused(become_nobody, &["refuses to load eBPF programs", "Operation not permitted", "run it as root"]);
}

/// As in a container that runs as root.
#[test]
fn root_without_capabilities() {
    const CAP_SYS_ADMIN: libc::c_int = 21;
    const CAP_PERFMON: libc::c_int = 38;
    const CAP_BPF: libc::c_int = 39;
    if !has_root("root_without_capabilities") {
        return;
    }
    let drop_capabilities = || {
        for capability in [CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF] {
            // SAFETY: takes numbers alone.
            if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    };
    refused(drop_capabilities, &["refuses to load eBPF programs", "is root but lacks CAP_BPF"]);
}

/// Before 5.11 maps count as locked memory. As with the capabilities for eBPF and nothing beyond.
#[test]
fn too_little_locked_memory() {
    const CAP_SYS_RESOURCE: libc::c_int = 24;
    if !has_root("too_little_locked_memory") {
        return;
    }
    let lower = || {
        // SAFETY: takes numbers alone.
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, CAP_SYS_RESOURCE, 0, 0, 0) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(setrlimit(Resource::RLIMIT_MEMLOCK, 65536, 65536)?)
    };
    if kernel_release() < (5, 11) {
        return refused(
            lower,
            &["making the map", "as locked memory", "65536 bytes", "LimitMEMLOCK=infinity"],
        );
    }
    let mut command = Command::new(agent::program());
    command.args(["-M", "1"]);
    // SAFETY: as in `refused`.
    unsafe { command.pre_exec(lower) };
    let finished = process::run(command);
    assert_eq!(finished.code(), 0, "nothing of it counts on this kernel: {finished}");
    assert!(finished.stderr.contains("hooks armed"), "{finished}");
}

fn kernel_release() -> (u32, u32) {
    let name = nix::sys::utsname::uname().expect("the kernel's name");
    let release = name.release().to_string_lossy().into_owned();
    let mut numbers = release.split(['.', '-']).map(|number| number.parse().expect("a number"));
    (numbers.next().expect("a first number"), numbers.next().expect("a second number"))
}

#[test]
fn no_btf() {
    if !has_root("no_btf") {
        return;
    }
    let hide_btf = || {
        let none = None::<&str>;
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
        Ok(mount(Some("none"), "/sys/kernel/btf", Some("tmpfs"), MsFlags::empty(), none)?)
    };
    refused(hide_btf, &["no kernel BTF at /sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF"]);
}

/// Whatever the kernel is locked down to, the agent does what follows from it. `cargo xtask vm` boots one that is locked
/// down for confidentiality.
#[test]
fn lockdown_is_told() {
    if !has_root("lockdown_is_told") {
        return;
    }
    let modes = fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    if modes.contains("[confidentiality]") {
        return refused(
            || Ok(()),
            &[
                "lockdown mode `confidentiality`",
                "forbids eBPF programs to read kernel memory",
                "lockdown=integrity",
            ],
        );
    }
    let mut command = Command::new(agent::program());
    command.args(["-M", "1", "-o", "json_output=true"]);
    let finished = process::run(command);
    assert_eq!(finished.code(), 0, "not locked down that far ({modes}), so it starts: {finished}");
    assert!(finished.stderr.contains("hooks armed"), "{finished}");
}

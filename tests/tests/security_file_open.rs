//! Who wrote the file. Where the kernel takes no programs at its security checks nobody is seen, and the agent says so; the
//! other kernels (`cargo xtask vm`) show it.

use std::ffi::OsStr;
use std::fs;
use std::time::Duration;

use detector_tests::case::has_root;
use detector_tests::not_run::{Reason, not_run};
use detector_tests::process::Patience;
use detector_tests::{Agent, BareContainer, helper_binaries, marker, program_copy};
use nix::sys::signal::Signal;
use tempfile::TempDir;

detector_tests::depends_on_security_modules!();

/// The stock rule with the writer in its output.
const RULES: &str = "
- rule: Drop and execute new binary in container
  desc: d
  condition: evt.type in (execve, execveat) and container.id != host and proc.is_exe_upper_layer = true
  output: by %drop.by.pid %drop.by.pid.ts %drop.by.comm %drop.by.exe %drop.by.cmdline %drop.by.where %drop.by.container.id
    %drop.by.open_flags %drop.by.time %drop.by.age_ms %container.id %evt.rawtime %proc.exepath %proc.exe %proc.cmdline
  priority: CRITICAL
";

/// The agent with [`RULES`], which live as long as the folder.
fn agent() -> (Agent, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rules = folder.path().join("rules.yaml");
    fs::write(&rules, RULES).expect("the rules");
    (Agent::start_with(&[OsStr::new("-r"), rules.as_os_str()]), folder)
}

#[test]
fn the_writer_is_named_whatever_became_of_the_name() {
    const CASE: &str = "the_writer_is_named_whatever_became_of_the_name";
    if !has_root(CASE) {
        return;
    }
    let (agent, _rules) = agent();
    let container = BareContainer::new();
    let [copied, renamed, shell, image, host] = ["copied", "renamed", "shell", "image", "host"].map(marker);
    program_copy::copy(&helper_binaries::path("probe"), &container.upper().join(&host));
    program_copy::copy(&helper_binaries::path("probe"), &container.lower().join(&image));
    let script = format!(
        "cp /bin/probe /tmp/{copied}; /tmp/{copied} exit\n\
         cp /bin/probe /tmp/x; mv /tmp/x /tmp/y; ln /tmp/y /tmp/{renamed}; /tmp/{renamed} exit\n\
         cp /bin/probe /tmp/{shell}; : >> /tmp/{shell}; /tmp/{shell} exit\n\
         echo x >> /{image}; /{image} exit\n\
         /{host} exit"
    );
    let _ = container.sh(&script).ok();
    let alert = |name: &str| agent.expect_alert(name, |alert| alert.mentions(name));
    let [copied_alert, renamed_alert, shell_alert, image_alert, host_alert] =
        [&copied, &renamed, &shell, &image, &host].map(|name| alert(name));
    let log = agent.stop_by(Signal::SIGTERM);
    if !log.iter().any(|line| line.contains("who writes files is seen")) {
        for alert in [&copied_alert, &renamed_alert, &shell_alert, &image_alert, &host_alert] {
            assert!(alert.field("drop.by.comm").is_null(), "in {alert}");
        }
        assert!(log.iter().any(|line| line.contains("who writes files is not seen")), "{log:#?}");
        not_run(CASE, Reason::Unobtainable, "this kernel takes no programs at its security checks");
        return;
    }
    let by_shell = [&shell_alert, &image_alert].map(|alert| (alert, "sh"));
    for (alert, comm) in [(&copied_alert, "cp"), (&renamed_alert, "cp")].into_iter().chain(by_shell) {
        assert_eq!(alert.text("drop.by.comm"), comm, "in {alert}");
        assert_eq!(alert.text("drop.by.where"), "same_container", "in {alert}");
        assert_eq!(alert.text("drop.by.container.id"), container.short_id(), "in {alert}");
        assert!(alert.integer("drop.by.age_ms") >= 0, "in {alert}");
        let [started, opened, executed] =
            ["drop.by.pid.ts", "drop.by.time", "evt.rawtime"].map(|field| alert.integer(field));
        assert!(started <= opened && opened <= executed, "in {alert}");
    }
    // Of the shell the last opening counts, which found the file there.
    for (alert, has, has_not) in [
        (&copied_alert, &["O_WRONLY", "O_CREAT", "O_F_CREATED"][..], "O_APPEND"),
        (&renamed_alert, &["O_WRONLY", "O_CREAT", "O_F_CREATED"], "O_APPEND"),
        (&shell_alert, &["O_WRONLY", "O_CREAT", "O_APPEND"], "O_F_CREATED"),
        (&image_alert, &["O_WRONLY", "O_CREAT", "O_APPEND"], "O_F_CREATED"),
    ] {
        let flags: Vec<&str> = alert.text("drop.by.open_flags").split('|').collect();
        assert!(has.iter().all(|flag| flags.contains(flag)) && !flags.contains(&has_not), "in {alert}");
    }
    // Busybox's shell is its own cp: the arguments are still the shell's.
    let arguments = copied_alert.text("drop.by.cmdline");
    assert!(arguments.contains(&format!("cp /bin/probe /tmp/{copied}")), "in {copied_alert}");
    assert_eq!(copied_alert.text("drop.by.exe"), "busybox", "gone, so only its name: {copied_alert}");
    // The writer is the file's parent, so its whole path is known.
    assert_eq!(shell_alert.text("drop.by.exe"), "/bin/busybox", "in {shell_alert}");
    // Written below the overlay, before it was mounted: nobody opened this inode for writing.
    assert!(host_alert.field("drop.by.comm").is_null(), "in {host_alert}");
}

/// As an init container does with a volume: it writes, and is gone when another container executes.
#[test]
fn a_writer_in_another_container_is_named_when_that_is_gone() {
    const CASE: &str = "a_writer_in_another_container_is_named_when_that_is_gone";
    if !has_root(CASE) {
        return;
    }
    let (agent, _rules) = agent();
    let (writes, executes) = (BareContainer::new(), BareContainer::new());
    let name = marker("given");
    let waits = format!("while [ ! -e /tmp/{name}-is-gone ]; do sleep 0.1; done\n/tmp/{name} exit");
    std::thread::scope(|scope| {
        let life = scope.spawn(|| executes.sh(&waits).ok());
        // Each sees the processes of the host, and by them the files of the other.
        let there = format!("/host-proc/{}/root/tmp/{name}", shell_of(&executes));
        let _ = writes.sh(&format!("cp /bin/probe {there}.part; mv {there}.part {there}")).ok();
        let tells = format!("/proc/{}/root/tmp/{name}-is-gone", shell_of(&executes));
        fs::write(tells, "").expect("a file in the container");
        assert!(life.join().is_ok(), "the container failed");
    });
    let alert = agent.expect_alert(&name, |alert| alert.mentions(&name));
    let log = agent.stop_by(Signal::SIGTERM);
    assert_eq!(alert.text("container.id"), executes.short_id(), "in {alert}");
    if !log.iter().any(|line| line.contains("who writes files is seen")) {
        assert!(alert.field("drop.by.container.id").is_null(), "in {alert}");
        not_run(CASE, Reason::Unobtainable, "this kernel takes no programs at its security checks");
        return;
    }
    assert_eq!(alert.text("drop.by.where"), "other_container", "in {alert}");
    assert_eq!(alert.text("drop.by.container.id"), writes.short_id(), "in {alert}");
    assert_eq!(alert.text("drop.by.comm"), "cp", "in {alert}");
}

/// The process that runs a container's script, as the host counts.
fn shell_of(container: &BareContainer) -> String {
    let patience = Patience::begin();
    loop {
        for folder in container.cgroups() {
            let list = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            let is_shell =
                |pid: &&str| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm == "sh\n");
            if let Some(pid) = list.lines().find(is_shell) {
                return pid.to_owned();
            }
        }
        assert!(patience.left().is_some(), "the container has no shell");
        std::thread::sleep(Duration::from_millis(20));
    }
}

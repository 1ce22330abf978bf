//! Who wrote the file. Where the kernel takes no programs at its security checks nobody is seen, and the agent says so; the
//! other kernels (`cargo xtask vm`) show it.

use std::ffi::OsStr;
use std::fs;

use detector_tests::case::has_root;
use detector_tests::not_run::{Reason, not_run};
use detector_tests::{Agent, BareContainer, helper_binaries, marker, program_copy};
use nix::sys::signal::Signal;

detector_tests::depends_on_security_modules!();

/// The stock rule with the writer in its output.
const RULES: &str = "
- rule: Drop and execute new binary in container
  desc: d
  condition: evt.type in (execve, execveat) and container.id != host and proc.is_exe_upper_layer = true
  output: by %drop.by.pid %drop.by.comm %drop.by.exe %drop.by.cmdline %drop.by.where %drop.by.age_ms %proc.exepath
    %proc.exe %proc.cmdline
  priority: CRITICAL
";

#[test]
fn the_writer_is_named_whatever_became_of_the_name() {
    const CASE: &str = "the_writer_is_named_whatever_became_of_the_name";
    if !has_root(CASE) {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rules = folder.path().join("rules.yaml");
    fs::write(&rules, RULES).expect("the rules");
    let agent = Agent::start_with(&[OsStr::new("-r"), rules.as_os_str()]);
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
        assert!(alert.integer("drop.by.age_ms") >= 0, "in {alert}");
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

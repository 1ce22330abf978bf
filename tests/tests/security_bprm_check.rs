//! Which file a script is, as the kernel has it in hand. Where the kernel takes no programs at its security checks a script is
//! looked up by its name after the exec, and the agent says so; the other kernels (`cargo xtask vm`) show the difference.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use detector_tests::case::has_root;
use detector_tests::not_run::{Reason, not_run};
use detector_tests::{Agent, Alert, BareContainer, marker};
use nix::sys::signal::Signal;

detector_tests::depends_on_security_modules!();

const RULE: &str = "Dropped script executed in container";
/// The agent says this at its start.
const SEEN: &str = "the file of each script is seen";
const NOT_SEEN: &str = "the file of each script is not seen";
/// Why a case is not run where it says the latter.
const NO_HOOK: &str = "this kernel takes no programs at its security checks";

/// An agent with our rules before the stock one.
fn agent(folder: &Path) -> Agent {
    let files = [
        ("1.yaml", include_str!("../../detector/rules/detector_rules.yaml")),
        ("2.yaml", include_str!("../../detector/rules/falco_rules.yaml")),
    ];
    for (name, text) in files {
        fs::write(folder.join(name), text).expect("the rules");
    }
    Agent::start_with(&[OsStr::new("-r"), folder.as_os_str()])
}

/// Whether the agent that was stopped has seen scripts before they were executed.
fn seen(log: &[String]) -> bool {
    let seen = log.iter().any(|line| line.contains(SEEN));
    assert!(seen || log.iter().any(|line| line.contains(NOT_SEEN)), "{log:#?}");
    seen
}

fn image_script(container: &BareContainer, name: &str) -> String {
    let path = container.lower().join("usr/bin").join(name);
    fs::write(&path, "#!/bin/sh\n: $0\n").expect("a script of the image");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
    format!("/usr/bin/{name}")
}

/// The alert about the script of this name.
fn about(agent: &Agent, name: &str) -> Alert {
    agent.expect_alert(name, |alert| {
        alert.part_text("rule") == RULE
            && (alert.mentions(name) || alert.text("drop.script.path").contains(name))
    })
}

#[test]
fn the_kernel_tells_which_file_a_script_is_whatever_became_of_it() {
    const CASE: &str = "the_kernel_tells_which_file_a_script_is_whatever_became_of_it";
    if !has_root(CASE) {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let agent = agent(folder.path());
    let container = BareContainer::new();
    let [plain, chain, inner, gone, replaced, by_fd, changed] =
        ["plain", "chain", "inner", "gone", "replaced", "fd", "changed"].map(marker);
    let of_image = image_script(&container, &changed);
    let make = "make() { printf \"#!$2\\n$3\\n: \\$0\\n\" > $1; chmod 755 $1; }";
    let script = format!(
        "{make}\n\
         make /tmp/{plain} /bin/sh :; /tmp/{plain}\n\
         make /tmp/{inner} /bin/sh :; make /tmp/{chain} /tmp/{inner} :; /tmp/{chain}\n\
         make /tmp/{gone} /bin/sh 'rm -f $0'; /tmp/{gone}\n\
         make /tmp/{replaced} /bin/sh 'cp /bin/busybox $0.x; mv $0.x $0'; /tmp/{replaced}\n\
         make /tmp/x /bin/sh :; exec 9< /tmp/x; /proc/self/fd/9 {by_fd}\n\
         echo : >> {of_image}; {of_image}\n\
         sleep 2"
    );
    let _ = container.sh(&script).ok();
    let plain_alert = about(&agent, &plain);
    let changed_alert = about(&agent, &changed);
    // By its name this one is there as well, with or without the hook.
    for (alert, origin) in [(&plain_alert, "new"), (&changed_alert, "modified")] {
        assert_eq!(alert.text("drop.script.origin"), origin, "in {alert}");
        // A machine that is too slow may run out of the time that an alert waits.
        let hash = alert.field("drop.script.sha256").as_str();
        assert!(hash.is_none_or(|hash| hash.len() == 64), "in {alert}");
        assert_eq!(alert.text("proc.exepath"), "/bin/busybox", "in {alert}");
    }
    if plain_alert.text("drop.script.source") == "path" {
        assert!(!seen(&agent.stop_by(Signal::SIGTERM)));
        not_run(CASE, Reason::Unobtainable, NO_HOOK);
        return;
    }
    let others = [&chain, &gone, &replaced, &by_fd].map(|name| about(&agent, name));
    assert!(seen(&agent.stop_by(Signal::SIGTERM)));
    for alert in others.iter().chain([&plain_alert, &changed_alert]) {
        assert_eq!(alert.text("drop.script.source"), "kernel", "in {alert}");
    }
    for alert in &others {
        assert_eq!(alert.text("drop.script.origin"), "new", "in {alert}");
    }
    let [chain_alert, ..] = &others;
    // The script that was executed, and not the one that it names as its interpreter.
    assert_eq!(chain_alert.text("drop.script.path"), format!("/tmp/{chain}"), "in {chain_alert}");
    // Who wrote the script, and not who wrote its interpreter.
    assert_eq!(plain_alert.text("drop.by.comm"), "sh", "in {plain_alert}");
}

#[test]
fn scripts_of_the_image_cost_no_record() {
    const CASE: &str = "scripts_of_the_image_cost_no_record";
    const RUNS: u64 = 30;
    if !has_root(CASE) {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let agent = agent(folder.path());
    let container = BareContainer::new();
    let [name, last] = ["image", "last"].map(marker);
    let of_image = image_script(&container, &name);
    let script = format!(
        "i=0; while [ $i -lt {RUNS} ]; do {of_image}; i=$((i+1)); done\n\
         printf '#!/bin/sh\\n:\\n' > /tmp/{last}; chmod 755 /tmp/{last}; /tmp/{last}; sleep 1"
    );
    let _ = container.sh(&script).ok();
    let _ = about(&agent, &last);
    let log = agent.stop_by(Signal::SIGTERM);
    assert_eq!(agent.alerts_about(&name).len(), 0, "the image's scripts are no drops");
    let stopped = log.iter().find(|line| line.contains("stopped: ")).expect("what the agent did");
    let records = stopped.split("stopped: ").nth(1).and_then(|rest| rest.split(' ').next());
    let records: u64 = records.and_then(|count| count.parse().ok()).expect("a number of records");
    if seen(&log) {
        // Other containers of this machine may run scripts of theirs meanwhile.
        assert!(records < RUNS, "{stopped}");
    } else {
        assert!(records > RUNS, "{stopped}");
        not_run(CASE, Reason::Unobtainable, NO_HOOK);
    }
}

/// What fails leaves nothing behind for what comes after it under the same address: a script of the image that cannot be
/// executed, and then a dropped one.
#[test]
fn a_failed_exec_of_the_images_script_hides_no_dropped_one() {
    const CASE: &str = "a_failed_exec_of_the_images_script_hides_no_dropped_one";
    if !has_root(CASE) {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let agent = agent(folder.path());
    let container = BareContainer::new();
    let [image, dropped] = ["image", "dropped"].map(marker);
    let path = container.lower().join("usr/bin").join(&image);
    fs::write(&path, "#!/bin/nothing-here\n").expect("a script of the image");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
    let script = format!(
        "printf '#!/bin/sh\\n: $0\\n' > /tmp/{dropped}; chmod 755 /tmp/{dropped}\n\
         i=0; while [ $i -lt 10 ]; do /usr/bin/{image} 2>/dev/null || true; /tmp/{dropped} $i; i=$((i+1)); done; sleep 2"
    );
    let _ = container.sh(&script).ok();
    for number in 0..10 {
        let wanted = |alert: &Alert| {
            alert.part_text("rule") == RULE
                && alert.text("proc.cmdline").ends_with(&format!("{dropped} {number}"))
        };
        let alert = agent.expect_alert(&format!("run {number}"), wanted);
        assert_eq!(alert.text("drop.script.origin"), "new", "in {alert}");
    }
    let _ = seen(&agent.stop_by(Signal::SIGTERM));
}

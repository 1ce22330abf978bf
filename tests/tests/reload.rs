//! Rules and configuration anew while drops go on: nothing is missed, nothing is told twice, and what is broken changes
//! nothing.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use detector_tests::case::has_root;
use detector_tests::{Agent, BareContainer, marker};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

detector_tests::oldest_and_newest_kernel!("it is about one word of memory that programs read");

const DROPS: usize = 200;
const FAILURE: &str = "Falco internal: hot restart failure";

/// A folder with a rule file and a configuration that names it.
struct Files {
    folder: TempDir,
    stock: String,
}

impl Files {
    fn new() -> Self {
        let stock = include_str!("../../detector/rules/falco_rules.yaml").to_owned();
        let folder = TempDir::new().unwrap_or_else(|error| panic!("no folder: {error}"));
        let files = Self { folder, stock };
        files.write("rules.yaml", &files.stock);
        files.configure("");
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Written beside and renamed into place, as careful programs do.
    fn write(&self, name: &str, text: &str) {
        let beside = self.path("new");
        fs::write(&beside, text).and_then(|()| fs::rename(&beside, self.path(name))).unwrap_or_else(
            |error| {
                panic!("cannot write {name}: {error}");
            },
        );
    }

    fn configure(&self, more: &str) {
        let rules = self.path("rules.yaml");
        self.write("detector.yaml", &format!("rules_files: ['{}']\n{more}", rules.display()));
    }

    fn agent(&self, more: &[&str]) -> Agent {
        let config = self.path("detector.yaml");
        let mut arguments = vec!["-c".as_ref(), config.as_os_str()];
        arguments.extend(more.iter().map(|argument| std::ffi::OsStr::new(*argument)));
        Agent::start_with(&arguments)
    }
}

fn signal(agent: &Agent, signal: Signal) {
    let pid = agent.pid().unwrap_or_else(|| panic!("the agent has ended"));
    kill(Pid::from_raw(pid), signal).unwrap_or_else(|error| panic!("cannot signal the agent: {error}"));
}

#[test]
fn a_broken_rule_file_in_a_burst_changes_nothing() {
    if !has_root("a_broken_rule_file_in_a_burst_changes_nothing") {
        return;
    }
    let files = Files::new();
    let (agent, container, name) =
        (files.agent(&["-o", "watch_config_files=false"]), BareContainer::new(), marker("broken"));
    thread::scope(|scope| {
        let burst = scope.spawn(|| container.sh(&format!("probe burst /tmp/{name} {DROPS}")).ok());
        files.write(
            "rules.yaml",
            "- rule: broken\n  desc: x\n  condition: (\n  output: x\n  priority: INFO\n",
        );
        signal(&agent, Signal::SIGHUP);
        let alert = agent.expect_alert(FAILURE, |alert| alert.part_text("rule") == FAILURE);
        assert_eq!(alert.part_text("priority"), "Critical", "in {alert}");
        assert_eq!(alert.part_text("source"), "internal", "in {alert}");
        assert!(burst.join().is_ok(), "the burst failed");
    });
    let _ = agent.expect_exactly(DROPS, &name);
    agent.stop();
}

#[test]
fn new_rules_take_over_in_a_burst_without_a_gap() {
    if !has_root("new_rules_take_over_in_a_burst_without_a_gap") {
        return;
    }
    let files = Files::new();
    let (agent, container, name) = (files.agent(&[]), BareContainer::new(), marker("takeover"));
    thread::scope(|scope| {
        let burst = scope.spawn(|| container.sh(&format!("probe burst /tmp/{name} {DROPS}")).ok());
        // No signal: the agent watches the file.
        files.write("rules.yaml", &files.stock.replace("priority: CRITICAL", "priority: WARNING"));
        agent.expect_log("reloaded");
        assert!(burst.join().is_ok(), "the burst failed");
    });
    let _ = agent.expect_exactly(DROPS, &name);
    let later = marker("takeover-later");
    let _ = container.sh(&format!("cp /bin/probe /tmp/{later}; /tmp/{later} exit")).ok();
    assert_eq!(agent.expect_one(&later).part_text("priority"), "Warning");
    agent.stop();
}

/// The filter of the running hooks follows the rules, in both directions.
#[test]
fn the_kernel_sends_what_the_new_rules_want() {
    if !has_root("the_kernel_sends_what_the_new_rules_want") {
        return;
    }
    let files = Files::new();
    let (agent, name) = (files.agent(&["-o", "watch_config_files=false"]), marker("wider"));
    let on_the_host = |argument: &str| {
        let status = Command::new("/bin/echo").arg(format!("{name}-{argument}")).output();
        assert!(status.is_ok_and(|output| output.status.success()), "/bin/echo does not run");
    };
    on_the_host("before");
    let rule = format!(
        "- rule: On the host\n  desc: x\n  condition: spawned_process and proc.args contains {name}\n  output: ran %proc.cmdline\n  priority: INFO\n"
    );
    files.write("rules.yaml", &format!("{}\n{rule}", files.stock));
    signal(&agent, Signal::SIGHUP);
    agent.expect_log("the kernel sends: every exec");
    agent.expect_log("reloaded");
    on_the_host("while");
    let alert = agent.expect_one(&name);
    assert!(alert.mentions(&format!("{name}-while")), "{alert}");
    agent.stop();
}

#[test]
fn outputs_follow_the_configuration() {
    if !has_root("outputs_follow_the_configuration") {
        return;
    }
    let files = Files::new();
    let (agent, container, name) = (files.agent(&[]), BareContainer::new(), marker("follow"));
    let drop_and_run = |name: &str| {
        let _ = container.sh(&format!("cp /bin/probe /tmp/{name}; /tmp/{name} exit")).ok();
        agent.expect_one(name)
    };
    let first = drop_and_run(&format!("{name}-1"));
    let out = files.path("alerts");
    files.configure(&format!(
        "file_output: {{enabled: true, filename: '{}', keep_alive: true}}\n",
        out.display()
    ));
    agent.expect_log("reloaded");
    let second = drop_and_run(&format!("{name}-2"));
    // SIGUSR1 opens it anew.
    fs::rename(&out, files.path("alerts.1"))
        .unwrap_or_else(|error| panic!("no alerts were written: {error}"));
    signal(&agent, Signal::SIGUSR1);
    let third = drop_and_run(&format!("{name}-3"));
    agent.stop();
    let read = |name: &str| fs::read_to_string(files.path(name)).unwrap_or_default();
    let both = format!("{}{}", read("alerts.1"), read("alerts"));
    assert!(!both.contains(&first.line), "the file was not an output yet");
    assert!(both.contains(&second.line) && both.contains(&third.line), "in the file: {both}");
}

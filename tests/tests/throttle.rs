//! Alerts that are held back: each one is either told or counted, over windows, reloads and the end of the agent.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use detector_tests::case::has_root;
use detector_tests::{Agent, Alert, BareContainer, marker};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

detector_tests::same_on_every_kernel!("alerts are held back in user space");

const REPEATS: &str = "detector internal: repeats";
const RATE: &str = "detector internal: rate";

fn agent(settings: &[&str]) -> Agent {
    let arguments: Vec<&OsStr> =
        settings.iter().flat_map(|setting| ["-o".as_ref(), OsStr::new(*setting)]).collect();
    Agent::start_with(&arguments)
}

fn run(container: &BareContainer, name: &str, times: usize) {
    for _ in 0..times {
        let _ =
            container.sh(&format!("test -e /tmp/{name} || cp /bin/probe /tmp/{name}; /tmp/{name} exit")).ok();
    }
}

/// Summaries about the file with this name.
fn summary_of(name: &str) -> impl Fn(&Alert) -> bool {
    let path = format!("/tmp/{name}");
    move |alert| alert.part_text("rule") == REPEATS && alert.text("drop.path") == path
}

fn count(alerts: &[Alert]) -> i128 {
    alerts.iter().map(|alert| alert.integer("count")).sum()
}

/// The figure behind `what` in the agent's last words.
fn last_word(log: &[String], what: &str) -> i128 {
    let line = log.iter().rev().find(|line| line.contains("stopped: "));
    let line = line.unwrap_or_else(|| panic!("no last words in {log:?}"));
    let rest = line.split(what).nth(1).unwrap_or_else(|| panic!("no `{what}` in {line}"));
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no number behind `{what}` in {line}"))
}

#[test]
fn repeats_become_a_summary_when_their_window_is_over() {
    if !has_root("repeats_become_a_summary_when_their_window_is_over") {
        return;
    }
    let (agent, container, name) = (agent(&["throttle.window=4s"]), BareContainer::new(), marker("repeats"));
    let other = marker("repeats-other");
    run(&container, &name, 5);
    run(&container, &other, 1);
    let first = agent.expect_alert("the first alert", |alert| alert.mentions(&name));
    let summary = agent.expect_alert("the summary", summary_of(&name));
    for (part, expected) in [("source", "internal"), ("priority", "Critical")] {
        assert_eq!(summary.part_text(part), expected, "in {summary}");
    }
    assert_eq!(summary.text("rule"), first.part_text("rule"), "in {summary}");
    assert_eq!(summary.text("container.id"), first.text("container.id"), "in {summary}");
    assert!(summary.part_text("output").contains("more alert"), "{summary}");
    // Another file in the same container is no repeat.
    let _ = agent.expect_alert("the alert about the other file", |alert| alert.mentions(&other));
    let log = agent.stop_by(Signal::SIGTERM);
    let summaries = agent.alerts_where(summary_of(&name));
    // On a machine that stands still for a whole window there may be more than one first alert.
    let told = agent.alerts_about(&name).len();
    assert_eq!(told as i128 + count(&summaries), 5, "{summaries:?}");
    assert!(log.iter().any(|line| line.contains("about the same file in the same container")), "{log:?}");
}

#[test]
fn the_end_of_the_agent_tells_what_is_held_back() {
    if !has_root("the_end_of_the_agent_tells_what_is_held_back") {
        return;
    }
    let (agent, container, name) =
        (agent(&["throttle.window=1h"]), BareContainer::new(), marker("at-the-end"));
    run(&container, &name, 4);
    let log = agent.stop_by(Signal::SIGTERM);
    assert_eq!(agent.alerts_about(&name).len(), 1);
    assert_eq!(count(&agent.alerts_where(summary_of(&name))), 3);
    let all = agent.alerts_where(|alert| alert.part_text("rule") == REPEATS);
    assert_eq!(last_word(&log, "(repeats: "), count(&all), "{log:?}");
}

#[test]
fn a_rate_tells_the_first_alerts_and_counts_the_others() {
    if !has_root("a_rate_tells_the_first_alerts_and_counts_the_others") {
        return;
    }
    let settings = ["throttle.rate=0.001", "throttle.max_burst=3"];
    let (agent, container, name) = (agent(&settings), BareContainer::new(), marker("rate"));
    let _ = container.sh(&format!("probe burst /tmp/{name} 40")).ok();
    let log = agent.stop_by(Signal::SIGTERM);
    // The bucket is the rule's: other containers of the host may have drawn from it.
    assert!(agent.alerts_about(&name).len() <= 3);
    let summaries = agent.alerts_where(|alert| alert.part_text("rule") == RATE);
    let told = agent.alerts_where(|alert| alert.part_text("source") == "syscall").len();
    let held = last_word(&log, "beyond the rate: ");
    assert!(held >= 37, "{log:?}");
    assert_eq!(count(&summaries), held, "{summaries:?}");
    assert_eq!(told as i128 + held, last_word(&log, "records, "), "each alert is told or counted: {log:?}");
}

/// A group stays open over a reload that does not concern it; one that does tells what was held back.
#[test]
fn reloads_lose_no_count() {
    if !has_root("reloads_lose_no_count") {
        return;
    }
    let folder = TempDir::new().unwrap_or_else(|error| panic!("no folder: {error}"));
    let file = folder.path().join("detector.yaml");
    configure(&file, "throttle: {window: 1h}\n");
    let arguments = ["-c".as_ref(), file.as_os_str(), "-o".as_ref(), "watch_config_files=false".as_ref()];
    let (agent, container, name) = (Agent::start_with(&arguments), BareContainer::new(), marker("reloads"));
    let summaries = || agent.alerts_where(summary_of(&name));
    let reload = |text: &str, times: usize| {
        configure(&file, text);
        let pid = agent.pid().unwrap_or_else(|| panic!("the agent has ended"));
        kill(Pid::from_raw(pid), Signal::SIGHUP).unwrap_or_else(|error| panic!("no signal: {error}"));
        agent.expect_log_times("reloaded: ", times);
    };
    run(&container, &name, 2);
    reload("throttle: {window: 1h}\npriority: critical\n", 1);
    run(&container, &name, 2);
    agent.expect_quiet(&marker("nobody"));
    assert!(summaries().is_empty() && agent.alerts_about(&name).len() == 1, "the group is still open");
    reload("throttle: {window: 30m}\n", 2);
    // The log and the alerts come on two streams: that it was reloaded can be read before the summary.
    let _ = agent.expect_alert("the summary of the group", summary_of(&name));
    assert_eq!(count(&summaries()), 3, "the group was told");
    run(&container, &name, 2);
    agent.stop();
    assert_eq!(agent.alerts_about(&name).len(), 2, "the first one under each setting");
    assert_eq!(count(&summaries()), 4);
}

fn configure(file: &Path, text: &str) {
    fs::write(file, text).unwrap_or_else(|error| panic!("cannot write {}: {error}", file.display()));
}

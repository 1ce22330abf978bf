//! The agent's start and end: it ends cleanly on the signals that Falco takes, and says what it has seen until then.

use detector_tests::case::has_root;
use detector_tests::image_tree::TOOL;
use detector_tests::{Agent, BareContainer, marker};
use nix::sys::signal::Signal;

detector_tests::oldest_and_newest_kernel!("it is about signals");

/// The signal comes right behind the drop: what is in the ring buffer by then is still told.
fn ends_cleanly(case: &str, signal: Signal) {
    if !has_root(case) {
        return;
    }
    let (agent, container, name) = (Agent::start(), BareContainer::new(), marker("last-words"));
    let _ = container.sh(&format!("cp /bin/probe /tmp/{name}; /tmp/{name}")).ok();
    let _ = agent.stop_by(signal);
    let alerts = agent.alerts_about(&name);
    assert_eq!(alerts.len(), 1, "alerts about the drop before the end: {alerts:?}");
}

#[test]
fn sigterm_drains_and_ends_with_zero() {
    ends_cleanly("sigterm_drains_and_ends_with_zero", Signal::SIGTERM);
}

#[test]
fn sigint_drains_and_ends_with_zero() {
    ends_cleanly("sigint_drains_and_ends_with_zero", Signal::SIGINT);
}

/// The filter is in the kernel: executions that no rule wants do not even reach the ring buffer.
#[test]
fn executions_of_the_image_do_not_cross_the_ring() {
    const EXECS: u64 = 300;
    if !has_root("executions_of_the_image_do_not_cross_the_ring") {
        return;
    }
    let agent = Agent::start();
    let script = format!("i=0; while [ $i -lt {EXECS} ]; do {TOOL} exit; i=$((i + 1)); done; echo $i");
    assert_eq!(BareContainer::new().sh(&script).ok(), format!("{EXECS}\n"));
    let log = agent.stop_by(Signal::SIGTERM);
    let words = log.iter().flat_map(|line| line.split([' ', '(', ')', ',']));
    let sent: Vec<u64> = words.filter_map(|word| word.strip_prefix("sent=")?.parse().ok()).collect();
    // Other containers of the host may drop files meanwhile, but not as many.
    assert!(sent.len() == 1 && sent[0] < EXECS, "records sent, in {log:?}");
}

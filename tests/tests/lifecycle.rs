//! The agent's start and end: it ends cleanly on the signals that Falco takes, and says what it has seen until then.

use detector_tests::case::has_root;
use detector_tests::{Agent, BareContainer, marker};
use nix::sys::signal::Signal;

/// The signal comes right behind the drop: what is in the ring buffer by then is still told.
fn ends_cleanly(case: &str, signal: Signal) {
    if !has_root(case) {
        return;
    }
    let (agent, container, name) = (Agent::start(), BareContainer::new(), marker("last-words"));
    let _ = container.sh(&format!("cp /bin/probe /tmp/{name}; /tmp/{name}")).ok();
    agent.stop_by(signal);
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

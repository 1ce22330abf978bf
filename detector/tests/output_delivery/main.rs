//! The outputs against real sockets, files and processes, and against everything that goes wrong with these.

#![expect(clippy::unwrap_used, reason = "a test whose receiver or file cannot be made shall panic")]

mod falcosidekick;
mod file;
mod http;
mod http_spool;
mod http_tls;
mod independence;
mod otlp;
mod program;
mod receiver;
mod stdout;
mod syslog;

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use detector::output::{Line, OutputCounters, Outputs};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is so.
#[track_caller]
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Sends lines `PREFIX 0`, `PREFIX 1`, ...
fn send(outputs: &Outputs, prefix: &str, range: std::ops::Range<u32>) {
    for text in names(prefix, range) {
        outputs.send(&Arc::new(Line::new(text, 2, true)));
    }
}

fn names(prefix: &str, range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| format!("{prefix} {number}")).collect()
}

/// The counters of one output.
#[track_caller]
fn counters(outputs: &Outputs, name: &str) -> OutputCounters {
    outputs.counters().find(|(output, _)| *output == name).expect("the output is there").1
}

/// Ends the outputs with plenty of time; the counters of one of them must add up.
#[track_caller]
fn finish(outputs: &Outputs, name: &str) -> OutputCounters {
    outputs.flush(PATIENCE);
    let counters = counters(outputs, name);
    assert_adds_up(&counters);
    counters
}

/// Every line that came is somewhere.
#[track_caller]
fn assert_adds_up(counters: &OutputCounters) {
    let gone = counters.delivered
        + counters.failed
        + counters.rejected
        + counters.dropped_overflow
        + counters.dropped_timeout;
    assert_eq!(
        counters.taken + counters.spooled_at_start,
        gone + counters.queue_depth + counters.spooled,
        "{counters:?}"
    );
}

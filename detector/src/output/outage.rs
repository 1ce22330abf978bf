//! Keeps the log readable while a receiver is down: its start, a reminder, its end, and how many lines it cost.

use std::{
    fmt::Display,
    time::{Duration, Instant},
};

use log::{error, info};

/// Time between two reminders.
const REMINDER: Duration = Duration::from_secs(60);

/// The trouble of one output.
pub(super) struct Outage {
    output: &'static str,
    /// Which part of it, in brackets behind a blank; empty = all of it.
    part: &'static str,
    since: Option<Instant>,
    said: Instant,
    errors: u64,
}

impl Outage {
    pub(super) fn new(output: &'static str, part: &'static str) -> Self {
        Self { output, part, since: None, said: Instant::now(), errors: 0 }
    }

    /// Something went wrong. `fate` says what becomes of the line.
    pub(super) fn error(&mut self, reason: &dyn Display, fate: &str) {
        let now = Instant::now();
        self.errors += 1;
        let begins = self.since.is_none();
        self.since.get_or_insert(now);
        if begins {
            self.said = now;
            error!("output {}{}: {reason}; {fate}", self.output, self.part);
        } else if now.duration_since(self.said) >= REMINDER {
            self.said = now;
            let Self { output, part, errors, .. } = self;
            error!("output {output}{part}: still {reason} ({errors} errors so far); {fate}");
        }
    }

    /// It works.
    pub(super) fn works(&mut self) {
        if let Some(since) = self.since.take() {
            let seconds = since.elapsed().as_secs();
            let Self { output, part, errors, .. } = self;
            info!("output {output}{part}: works again after {errors} errors in {seconds} s");
            self.errors = 0;
        }
    }
}

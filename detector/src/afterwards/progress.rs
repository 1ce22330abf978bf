//! How far reading has come, on a terminal only.

use std::{
    io::{IsTerminal as _, Write as _, stderr},
    time::{Duration, Instant},
};

/// Nothing is shown before this, so that short work stays quiet.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often it is shown.
const PERIOD: Duration = Duration::from_millis(200);

/// Shows progress on standard error.
pub(super) struct Progress {
    /// Bytes in all, where that is known.
    total: Option<u64>,
    next: Option<Instant>,
    shown: bool,
}

impl Progress {
    pub(super) fn new(total: Option<u64>) -> Self {
        let next = stderr().is_terminal().then(|| Instant::now() + PATIENCE);
        Self { total, next, shown: false }
    }

    /// Says how much was read.
    pub(super) fn tell(&mut self, bytes: u64, alerts: u64) {
        let Some(next) = self.next else { return };
        let now = Instant::now();
        if now < next {
            return;
        }
        self.next = Some(now + PERIOD);
        self.shown = true;
        let megabytes = bytes >> 20;
        let share = match self.total {
            Some(total) if total > 0 => format!("{:3} %, ", (bytes.min(total)).saturating_mul(100) / total),
            _ => String::new(),
        };
        // Progress that cannot be shown is no reason to stop.
        let _ = write!(stderr(), "\r\x1b[Kreading: {share}{megabytes} MiB, {alerts} alerts");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            // As above.
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

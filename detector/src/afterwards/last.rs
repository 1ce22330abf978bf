//! The last alerts of an input: as many as were asked for, as far as they fit into memory.

use std::collections::VecDeque;

use crate::incident::PastAlert;

/// Bytes that they may take; the last one is kept whatever it takes.
const MAX_BYTES: usize = 96 << 20;

/// A queue that lets go of the oldest.
pub(super) struct Last {
    most: usize,
    alerts: VecDeque<PastAlert>,
    bytes: usize,
    /// Alerts that are not among those asked for.
    pub(super) before: u64,
    /// Alerts that were asked for, but do not fit into memory.
    pub(super) crowded_out: u64,
}

impl Last {
    pub(super) const fn new(most: usize) -> Self {
        Self { most, alerts: VecDeque::new(), bytes: 0, before: 0, crowded_out: 0 }
    }

    pub(super) fn push(&mut self, alert: PastAlert) {
        if self.most == 0 {
            self.before += 1;
            return;
        }
        self.bytes += alert.footprint();
        self.alerts.push_back(alert);
        while self.alerts.len() > self.most || self.bytes > MAX_BYTES && self.alerts.len() > 1 {
            let Some(gone) = self.alerts.pop_front() else { break };
            self.bytes -= gone.footprint();
            self.before += 1;
        }
        // What fell out while there was room for more of them.
        let wanted = self.most.min(usize::try_from(self.before).unwrap_or(usize::MAX) + self.alerts.len());
        self.crowded_out = (wanted - self.alerts.len()) as u64;
    }

    /// How many alerts were left out because nobody asked for them.
    pub(super) const fn left_out(&self) -> u64 {
        self.before - self.crowded_out
    }

    pub(super) fn into_alerts(self) -> VecDeque<PastAlert> {
        self.alerts
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Last, MAX_BYTES};
    use crate::incident::{AlertReader, PastAlert};

    fn alert(name: &str) -> PastAlert {
        let text = json!({"rule": "R", "output_fields": {"proc.name": name}}).to_string();
        AlertReader::new("in", text.as_bytes()).next_alert().unwrap().unwrap()
    }

    #[test]
    fn the_last_ones_are_kept() {
        let mut last = Last::new(2);
        for name in ["a", "b", "c"] {
            last.push(alert(name));
        }
        assert_eq!((last.left_out(), last.crowded_out), (1, 0));
        let names: Vec<_> = last
            .into_alerts()
            .iter()
            .map(|alert| alert.fields.text("proc.name").unwrap().to_owned())
            .collect();
        assert_eq!(names, ["b", "c"]);
    }

    #[test]
    fn what_does_not_fit_is_counted_apart() {
        let mut last = Last::new(1_000);
        let mut large = alert("x");
        large.fields.set("proc.cmdline", "x".repeat(MAX_BYTES / 10).into());
        for _ in 0..20 {
            last.push(large.clone());
        }
        assert!(last.alerts.len() < 10, "{}", last.alerts.len());
        assert_eq!((last.left_out(), last.crowded_out), (0, 20 - last.alerts.len() as u64));
    }
}

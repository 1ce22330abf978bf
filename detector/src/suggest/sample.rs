//! Alerts to hold a proposal against: all of them while they are few, every second, fourth, ... one when they are many.

use crate::incident::PastAlert;

/// Alerts that are kept.
const MAX_ALERTS: usize = 10_000;
/// Bytes that they may take.
const MAX_BYTES: usize = 48 << 20;

/// Alerts spread evenly over all that came.
pub(super) struct Sample {
    kept: Vec<PastAlert>,
    bytes: usize,
    came: u64,
    /// One of so many is kept.
    every: u64,
}

impl Default for Sample {
    fn default() -> Self {
        Self { kept: Vec::new(), bytes: 0, came: 0, every: 1 }
    }
}

impl Sample {
    /// Takes an alert in, or not.
    pub(super) fn add(&mut self, alert: PastAlert) {
        if self.came.is_multiple_of(self.every) {
            self.bytes += alert.footprint();
            self.kept.push(alert);
        }
        self.came += 1;
        while self.kept.len() > 1 && (self.kept.len() > MAX_ALERTS || self.bytes > MAX_BYTES) {
            self.every *= 2;
            let mut at = 0_usize;
            self.kept.retain(|_| {
                at += 1;
                at % 2 == 1
            });
            self.bytes = self.kept.iter().map(PastAlert::footprint).sum();
        }
    }

    /// What was kept, in the order in which it came.
    pub(super) fn into_alerts(self) -> Vec<PastAlert> {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{MAX_ALERTS, MAX_BYTES, Sample};
    use crate::incident::{AlertReader, PastAlert};

    fn alert(name: &str) -> PastAlert {
        let text = json!({"rule": "R", "output_fields": {"proc.name": name}}).to_string();
        AlertReader::new("in", text.as_bytes()).next_alert().unwrap().unwrap()
    }

    #[test]
    fn few_are_kept_whole_and_many_evenly() {
        let mut sample = Sample::default();
        for number in 0..MAX_ALERTS {
            sample.add(alert(&number.to_string()));
        }
        assert_eq!(sample.kept.len(), MAX_ALERTS);
        for number in MAX_ALERTS..3 * MAX_ALERTS {
            sample.add(alert(&number.to_string()));
        }
        let numbers: Vec<usize> = sample
            .into_alerts()
            .iter()
            .map(|alert| alert.fields.text("proc.name").unwrap().parse().unwrap())
            .collect();
        assert_eq!(numbers.len(), 3 * MAX_ALERTS / 4);
        assert!(numbers.windows(2).all(|pair| pair[1] - pair[0] == 4), "{numbers:?}");
    }

    #[test]
    fn long_alerts_are_fewer() {
        let mut sample = Sample::default();
        let mut one = alert("x");
        one.fields.set("proc.cmdline", "x".repeat(MAX_BYTES / 8).into());
        for _ in 0..64 {
            sample.add(one.clone());
        }
        assert!(sample.kept.len() <= 8 && sample.bytes <= MAX_BYTES, "{}", sample.kept.len());
    }
}

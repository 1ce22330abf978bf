//! Waits between tries: doubling, bounded, and spread, so that many agents do not come back in step.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

/// The waits of one output.
pub(super) struct Backoff {
    initial: Duration,
    max: Duration,
    wait: Duration,
}

impl Backoff {
    pub(super) fn new(initial: Duration, max: Duration) -> Self {
        let initial = initial.max(Duration::from_millis(1));
        Self { initial, max: max.max(initial), wait: initial }
    }

    /// The next wait: from three to five quarters of the step, or what the receiver asked for, if it is no more than
    /// the longest wait.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let step = self.wait;
        self.wait = (step * 2).min(self.max);
        if let Some(asked) = asked {
            return asked.clamp(self.initial, self.max);
        }
        // The standard library's hash keys are its only randomness; a spread needs no better one.
        let spread = u32::try_from(RandomState::new().hash_one(0) % 1024).unwrap_or(0);
        step * 3 / 4 + step * spread / 2048
    }

    pub(super) const fn reset(&mut self) {
        self.wait = self.initial;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Backoff;

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
        for step in [1, 2, 4, 5, 5] {
            let step = Duration::from_secs(step);
            let wait = backoff.next(None);
            assert!(step * 3 / 4 <= wait && wait <= step * 5 / 4, "{wait:?} for {step:?}");
        }
        backoff.reset();
        assert!(backoff.next(None) <= Duration::from_millis(1250));
    }

    #[test]
    fn a_receiver_may_ask_for_a_wait_within_bounds() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
        for (asked, given) in [(0, 1), (3, 3), (3600, 5)] {
            assert_eq!(backoff.next(Some(Duration::from_secs(asked))), Duration::from_secs(given));
        }
    }
}

//! Sorts alerts into causes as they come, and joins causes at the end. Bounded, whatever comes.

use super::{Cause, exception};
use crate::incident::PastAlert;

/// Causes that are told apart while reading.
const MAX_CAUSES: usize = 2_000;
/// Alerts that are kept to hold the proposal against.
const MAX_KEPT: usize = 20_000;
/// A cause that came so often came often.
const OFTEN: u64 = 3;

/// Alerts on their way to causes.
#[derive(Default)]
pub struct Gathering {
    causes: Vec<Cause>,
    kept: Vec<PastAlert>,
    /// Alerts that were not looked at, because there are too many causes.
    pub unsorted: u64,
    /// All alerts.
    pub alerts: u64,
}

impl Gathering {
    /// Takes an alert in.
    pub fn add(&mut self, alert: PastAlert) {
        self.alerts += 1;
        let cause = Cause::of(&alert);
        if self.kept.len() < MAX_KEPT {
            self.kept.push(alert);
        }
        // Into the cause that gives up least for it.
        let best = self
            .causes
            .iter()
            .enumerate()
            .filter_map(|(index, known)| Some((index, known.joined(&cause, false)?)))
            .max_by_key(|(_, joined)| weight(joined));
        match best {
            Some((index, joined)) => self.causes[index] = joined,
            None if self.causes.len() == MAX_CAUSES => self.unsorted += 1,
            None => self.causes.push(cause),
        }
    }

    /// The causes, those with most alerts first, and the alerts that were kept. Causes with fewer than `least` alerts
    /// are joined with no others than those that already cover them.
    #[must_use]
    pub fn finish(mut self, least: u64) -> (Vec<Cause>, Vec<PastAlert>) {
        loop {
            let mut best: Option<(usize, usize, Cause)> = None;
            for first in 0..self.causes.len() {
                for second in first + 1..self.causes.len() {
                    let (one, two) = (&self.causes[first], &self.causes[second]);
                    let frequent = one.count.min(two.count) >= least.max(OFTEN);
                    let Some(joined) = one.joined(two, frequent) else { continue };
                    if best.as_ref().is_none_or(|(.., known)| weight(&joined) > weight(known)) {
                        best = Some((first, second, joined));
                    }
                }
            }
            let Some((first, second, joined)) = best else { break };
            self.causes[first] = joined;
            self.causes.swap_remove(second);
        }
        self.causes.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.name.cmp(&other.name)));
        (self.causes, self.kept)
    }
}

/// How narrow a cause is.
fn weight(cause: &Cause) -> u32 {
    exception::weight(cause)
}

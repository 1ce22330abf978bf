//! Sorts alerts into causes as they come, and joins causes at the end. Bounded in memory, and in what one alert costs,
//! whatever comes.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher as _, RandomState},
};

use super::{Cause, index::Index, join::join, sample::Sample};
use crate::incident::{Execution, PastAlert};

/// Causes that are told apart while reading. With so many, those that came least often make room.
const MAX_CAUSES: usize = 1_000;
/// How many make room at once.
const ROOM: usize = MAX_CAUSES / 4;
/// Different alerts of which it is remembered which cause took them in.
const MAX_SEEN: usize = 100_000;

/// Alerts on their way to causes.
#[derive(Default)]
pub struct Gathering {
    /// By ids that grow, so that the order in which they came is known.
    causes: BTreeMap<u32, Cause>,
    next: u32,
    index: Index,
    hasher: RandomState,
    /// Which cause took in an alert with this hash. Only a cache: it is emptied when it is full.
    seen: HashMap<u64, u32>,
    sample: Sample,
    /// Alerts of causes that came so rarely among so many others that they were given up.
    pub unsorted: u64,
    /// Alerts that name no rule: nothing can be proposed for them.
    pub unnamed: u64,
    /// All alerts.
    pub alerts: u64,
}

impl Gathering {
    /// Takes an alert in.
    pub fn add(&mut self, alert: PastAlert) {
        self.alerts += 1;
        if alert.rule.is_none() {
            self.unnamed += 1;
            return;
        }
        let execution = Execution { first: alert, count: 1, last_ns: None };
        let cause = Cause::of(&execution);
        self.sample.add(execution.first);
        let hash = self.hasher.hash_one(&cause);
        if let Some(known) = self.seen.get(&hash).and_then(|id| self.causes.get_mut(id)) {
            known.again(&cause);
            return;
        }
        let id = match self.nearest(&cause) {
            Some(id) => {
                self.take_in(id, &cause);
                id
            }
            None => self.insert(cause),
        };
        if self.seen.len() == MAX_SEEN {
            self.seen.clear();
        }
        self.seen.insert(hash, id);
    }

    /// The cause that gives up least for this one.
    fn nearest(&self, cause: &Cause) -> Option<u32> {
        let near = self.index.near(cause).into_iter();
        near.filter_map(|id| Some((self.causes.get(&id)?.fit(cause, false)?, id))).max().map(|(_, id)| id)
    }

    fn take_in(&mut self, id: u32, cause: &Cause) {
        let Some(known) = self.causes.get_mut(&id) else { return };
        let images = known.images.len();
        *known = known.joined(cause);
        // All other keys of the alert are those that it was found by.
        if known.images.len() > images {
            self.index.post(id, known);
        }
    }

    fn insert(&mut self, cause: Cause) -> u32 {
        if self.causes.len() == MAX_CAUSES {
            self.make_room();
        }
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        self.index.post(id, &cause);
        self.causes.insert(id, cause);
        id
    }

    /// Gives up what came least often; of those that came as often, what came first.
    fn make_room(&mut self) {
        let mut order: Vec<(u64, u32)> = self.causes.iter().map(|(id, cause)| (cause.count, *id)).collect();
        order.sort_unstable();
        for (count, id) in order.into_iter().take(ROOM) {
            self.unsorted += count;
            self.causes.remove(&id);
        }
        self.index.clear();
        for (id, cause) in &self.causes {
            self.index.post(*id, cause);
        }
    }

    /// The causes, those with most alerts first, and alerts to hold a proposal against: all, or an even sample.
    #[must_use]
    pub fn finish(self, least: u64) -> (Vec<Cause>, Vec<PastAlert>) {
        let mut causes = join(self.causes.into_values().collect(), least);
        causes.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.name.cmp(&other.name)));
        (causes, self.sample.into_alerts())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests, Cause, Execution, Gathering};

    /// The index may leave out what is far; it must not leave out what gives up least.
    #[test]
    fn the_nearest_of_all_causes_is_found() {
        for seed in 1..5 {
            let (noise, attacks) = tests::day(seed);
            let mut gathering = Gathering::default();
            let (mut found, mut missed) = (0, Vec::new());
            for alert in tests::read(&[noise, attacks].concat()) {
                let cause = Cause::of(&Execution { first: alert.clone(), count: 1, last_ns: None });
                let all = gathering.causes.iter();
                let best = all.filter_map(|(id, known)| Some((known.fit(&cause, false)?, *id))).max();
                let nearest = gathering.nearest(&cause);
                if nearest == best.map(|(_, id)| id) {
                    found += u32::from(nearest.is_some());
                } else {
                    missed.push((cause.name, nearest, best));
                }
                gathering.add(alert);
            }
            assert!(found > 300 && missed.is_empty(), "seed {seed}: {found} found, missed {missed:?}");
        }
    }
}

//! The kernel side's counters: what was sent, what was lost, and why.

use std::{os::fd::OwnedFd, sync::Arc};

use aya::maps::{Map, MapData, PerCpuArray};
use detector_common::counters::Counter;

use super::{KernelError, RecursionMisses, journal::Journal, load, security_hooks::Sight};

/// Words of a journal's counts: from here on what the kernel kept from the copies of the program.
const RECURSION: usize = 32;
/// From here on what it kept from the hooks beside the main one, by the number of the sight.
const BESIDE: usize = RECURSION + 2;

/// What a journal keeps of counts.
type Told = [u64; BESIDE + Sight::COUNT];

/// The counts as the kernel side has them, since its maps were made.
type Sums = [u64; Counter::ALL.len()];

/// Reads the per-CPU counters.
pub struct Counters {
    map: CounterMap,
    /// What an earlier agent has told of the same counters; does not count again.
    told: Sums,
    /// What was counted before by hooks that are no more, and was told by nobody.
    untold: Sums,
    /// Where is remembered what was told.
    journal: Option<Arc<Journal>>,
}

/// The map alone.
pub(super) struct CounterMap(PerCpuArray<MapData, u64>);

/// Sums over all CPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    sums: Sums,
}

impl Loss {
    /// Sums of which one is not 0.
    #[cfg(test)]
    pub(crate) fn with(counter: Counter, sum: u64) -> Self {
        let mut loss = Self::default();
        loss.sums[counter as usize] = sum;
        loss
    }

    /// The sum of one counter.
    #[must_use]
    pub const fn of(&self, counter: Counter) -> u64 {
        self.sums[counter as usize]
    }

    /// Records that should have reached user space and did not.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.of(Counter::RingFull) + self.of(Counter::NoScratch)
    }
}

/// Takes over a map.
pub(super) fn open(map: OwnedFd) -> Result<CounterMap, KernelError> {
    let bad = |error: &dyn std::error::Error| KernelError::BadObject(load::with_causes(error));
    let map = MapData::from_fd(map).map_err(|error| bad(&error))?;
    PerCpuArray::try_from(Map::PerCpuArray(map)).map(CounterMap).map_err(|error| bad(&error))
}

impl CounterMap {
    /// A slot that cannot be read counts as 0.
    pub(super) fn sums(&self) -> Sums {
        Counter::ALL.map(|counter| self.0.get(&(counter as u32), 0).map_or(0, |values| values.iter().sum()))
    }
}

impl Counters {
    /// Reads this map. `journal` belongs to hooks that stay when the agent ends.
    pub(super) fn new(map: CounterMap, untold: Sums, journal: Option<Arc<Journal>>) -> Self {
        let before = journal.as_ref().map(|journal| journal.told());
        let told = std::array::from_fn(|index| before.map_or(0, |before| before[index]));
        Self { map, told, untold, journal }
    }

    /// Whether they can be read with the rights that the process has now.
    #[must_use]
    pub fn can_be_read(&self) -> bool {
        self.map.0.get(&0, 0).is_ok()
    }

    /// The sums now.
    #[must_use]
    pub fn read(&self) -> Loss {
        let mut sums = self.map.sums();
        for ((sum, told), untold) in sums.iter_mut().zip(self.told).zip(self.untold) {
            *sum = sum.saturating_sub(told) + untold;
        }
        Loss { sums }
    }

    /// All of this has been told: an agent that takes the hooks over says nothing of it. `missed` and `beside` as the kernel has
    /// them.
    pub(super) fn set_told(&self, missed: Option<RecursionMisses>, beside: [u64; Sight::COUNT]) {
        let Some(journal) = &self.journal else { return };
        journal.set_told(&told(self.map.sums(), missed, beside));
    }
}

fn told(sums: Sums, missed: Option<RecursionMisses>, beside: [u64; Sight::COUNT]) -> Told {
    let mut told = [0; BESIDE + Sight::COUNT];
    told[..sums.len()].copy_from_slice(&sums);
    if let Some(missed) = missed {
        told[RECURSION] = missed.first;
        told[RECURSION + 1] = missed.second.unwrap_or(0);
    }
    told[BESIDE..].copy_from_slice(&beside);
    told
}

/// What an earlier agent has told of the same programs.
pub(super) fn recursion_told(journal: &Journal) -> RecursionMisses {
    let told = journal.told();
    RecursionMisses { first: told[RECURSION], second: Some(told[RECURSION + 1]) }
}

/// The same of those beside the main one.
pub(super) fn beside_told(journal: &Journal) -> [u64; Sight::COUNT] {
    let told = journal.told();
    std::array::from_fn(|sight| told[BESIDE + sight])
}

#[cfg(test)]
mod tests {
    use super::{BESIDE, RECURSION, RecursionMisses, Sight, told};

    #[test]
    fn each_count_has_a_word_of_its_own() {
        let missed = RecursionMisses { first: 50, second: Some(51) };
        let words = told([1, 2, 3, 4, 5, 6, 7, 8, 9], Some(missed), [60, 61, 62]);
        assert_eq!(words[..9], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(words[RECURSION..BESIDE], [50, 51]);
        assert_eq!(words[BESIDE + Sight::Mappings as usize], 61);
        assert_eq!(words.iter().filter(|word| **word > 0).count(), 14);
    }
}

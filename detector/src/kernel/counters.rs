//! The kernel side's counters: what was sent, what was lost, and why.

use aya::maps::{MapData, PerCpuArray};
use detector_common::counters::Counter;

/// Reads the per-CPU counters.
pub struct Counters {
    map: PerCpuArray<MapData, u64>,
}

/// Sums over all CPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    sums: [u64; Counter::ALL.len()],
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

impl Counters {
    /// Takes over the map.
    #[must_use]
    pub const fn new(map: PerCpuArray<MapData, u64>) -> Self {
        Self { map }
    }

    /// The sums now; a slot that cannot be read counts as 0.
    #[must_use]
    pub fn read(&self) -> Loss {
        let mut loss = Loss::default();
        for counter in Counter::ALL {
            if let Ok(values) = self.map.get(&(counter as u32), 0) {
                loss.sums[counter as usize] = values.iter().sum();
            }
        }
        loss
    }
}

//! How many execs the kernel kept from all copies of the program: each copy counts what was kept from itself, and what one
//! missed the other may have seen.

use super::Loss;
use detector_common::counters::Counter;

/// The kernel's counts of runs that it skipped because the program was already running on that CPU (`recursion_misses`
/// in the program's `fdinfo`, since 5.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecursionMisses {
    /// Of the first copy.
    pub first: u64,
    /// Of the second, where it is attached.
    pub second: Option<u64>,
}

impl RecursionMisses {
    /// Nothing was missed.
    pub(super) const fn none() -> Self {
        Self { first: 0, second: None }
    }

    /// What has come to those that were counted before.
    pub(super) fn since(self, before: Self) -> Self {
        let second = self.second.map(|second| second.saturating_sub(before.second.unwrap_or(0)));
        Self { first: self.first.saturating_sub(before.first), second }
    }

    /// Execs that no copy has seen, at most. `duplicates`: records of the second copy whose exec the first had sent, too.
    ///
    /// Both copies missed such an exec, and it is none of those that only the second has sent.
    #[must_use]
    pub fn unseen(self, loss: &Loss, duplicates: u64) -> u64 {
        let caught = loss.of(Counter::SecondLook).saturating_sub(duplicates);
        self.second.map_or(self.first, |second| second.min(self.first.saturating_sub(caught)))
    }
}

#[cfg(test)]
mod tests {
    use super::RecursionMisses;
    use crate::kernel::Loss;
    use detector_common::counters::Counter;

    fn unseen(first: u64, second: Option<u64>, second_looks: u64, duplicates: u64) -> u64 {
        let loss = Loss::with(Counter::SecondLook, second_looks);
        RecursionMisses { first, second }.unseen(&loss, duplicates)
    }

    /// On 7.3 a burst of 200 drops made 200 alerts, and the agent said that one was lost.
    #[test]
    fn what_the_second_copy_saw_is_not_lost() {
        assert_eq!(unseen(2, Some(1), 2, 0), 0);
        assert_eq!(unseen(3, Some(2), 2, 0), 1);
        assert_eq!(unseen(9, Some(2), 1, 0), 2);
        assert_eq!(unseen(0, Some(7), 0, 0), 0);
    }

    #[test]
    fn what_both_sent_makes_up_for_nothing() {
        assert_eq!(unseen(2, Some(2), 2, 2), 2);
    }

    #[test]
    fn one_copy_alone_has_nobody_to_make_up_for_it() {
        assert_eq!(unseen(8, None, 0, 0), 8);
    }
}

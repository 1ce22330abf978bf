//! What user space tells the hooks: the filter that the loaded rules allow, and what else a record shall carry.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Facts that the kernel side can decide cheaply about an exec; the filter is written in them.
pub mod predicate {
    /// The file lives on an overlay.
    pub const OVERLAY: u32 = 1 << 0;
    /// The file has an upper layer inode.
    pub const UPPER_LAYER: u32 = 1 << 1;
    /// The file is a memfd.
    pub const MEMFD: u32 = 1 << 2;
    /// The task's mount or pid namespace is not the host's.
    pub const CONTAINER_LIKE: u32 = 1 << 3;
    /// The task has a controlling terminal.
    pub const TTY: u32 = 1 << 4;
    /// The layer could not be told; every term must be judged as if its layer bits were met.
    pub const LAYER_UNKNOWN: u32 = 1 << 5;
    /// The bits that are known from the file alone, before the task is looked at.
    pub const OF_FILE: u32 = OVERLAY | UPPER_LAYER | MEMFD;
    /// The bits that only a look at the task tells.
    pub const OF_TASK: u32 = CONTAINER_LIKE | TTY;
    /// There are so many combinations of all bits.
    pub const COMBINATIONS: u32 = 1 << 6;
}

/// One conjunction: an exec passes when `predicates & mask == value`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FilterTerm {
    /// The predicates that matter.
    pub mask: u32,
    /// What they must be.
    pub value: u32,
}

impl FilterTerm {
    /// Whether an exec with these predicates passes. Where the layer could not be told no term is refused for it.
    #[must_use]
    pub const fn passes(self, predicates: u32) -> bool {
        let undecided = if predicates & predicate::LAYER_UNKNOWN != 0 {
            predicate::OVERLAY | predicate::UPPER_LAYER
        } else {
            0
        };
        predicates & self.mask & !undecided == self.value & !undecided
    }
}

/// Settings of the hooks. They can be changed while the hooks run: each member is one word, and a mixture of old and
/// new members is harmless.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Settings {
    /// The filter: bit `n` is 1 when an exec whose predicates are the number `n` shall be sent.
    pub wanted: u64,
    /// 1 when records shall carry the environment.
    pub want_env: u32,
    /// Explicit padding.
    pub reserved: u32,
}

impl Settings {
    /// Settings that send the execs that pass any of the terms; without terms none is sent.
    #[must_use]
    pub const fn of(terms: &[FilterTerm], want_env: bool) -> Self {
        let mut wanted = 0;
        let mut predicates = 0;
        while predicates < predicate::COMBINATIONS {
            let mut index = 0;
            while index < terms.len() {
                if terms[index].passes(predicates) {
                    wanted |= 1 << predicates;
                }
                index += 1;
            }
            predicates += 1;
        }
        Self { wanted, want_env: want_env as u32, reserved: 0 }
    }

    /// Settings that send every exec.
    #[must_use]
    pub const fn everything() -> Self {
        Self { wanted: u64::MAX, want_env: 0, reserved: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::{FilterTerm, Settings, predicate};

    const UPPER: u32 = predicate::OVERLAY | predicate::UPPER_LAYER;

    fn sends(settings: Settings, predicates: u32) -> bool {
        settings.wanted >> predicates & 1 == 1
    }

    #[test]
    fn an_exec_is_sent_when_any_term_passes() {
        let terms = [
            FilterTerm { mask: UPPER | predicate::CONTAINER_LIKE, value: UPPER | predicate::CONTAINER_LIKE },
            FilterTerm { mask: predicate::MEMFD, value: predicate::MEMFD },
        ];
        let settings = Settings::of(&terms, true);
        assert_eq!(settings.want_env, 1);
        let table = [
            (0, false),
            (UPPER, false),
            (predicate::OVERLAY | predicate::CONTAINER_LIKE, false),
            (UPPER | predicate::CONTAINER_LIKE, true),
            (UPPER | predicate::CONTAINER_LIKE | predicate::TTY, true),
            (predicate::MEMFD, true),
            (predicate::MEMFD | predicate::TTY, true),
        ];
        for (predicates, expected) in table {
            assert_eq!(sends(settings, predicates), expected, "{predicates:#b}");
        }
    }

    #[test]
    fn an_unknown_layer_is_no_reason_to_refuse() {
        let unknown = predicate::OVERLAY | predicate::LAYER_UNKNOWN;
        for value in [0, predicate::UPPER_LAYER] {
            let term = FilterTerm { mask: predicate::UPPER_LAYER, value };
            assert!(sends(Settings::of(&[term], false), unknown), "{value}");
        }
        let in_container =
            FilterTerm { mask: UPPER | predicate::CONTAINER_LIKE, value: UPPER | predicate::CONTAINER_LIKE };
        let settings = Settings::of(&[in_container], false);
        assert!(!sends(settings, unknown), "what is known to differ still counts");
        assert!(sends(settings, unknown | predicate::CONTAINER_LIKE));
    }

    #[test]
    fn no_term_sends_nothing_and_an_empty_one_everything() {
        assert_eq!(Settings::of(&[], false), Settings::default());
        assert_eq!(Settings::of(&[FilterTerm::default()], false), Settings::everything());
    }
}

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
    /// What was executed is a script: the file is its interpreter. Set also where that could not be told.
    pub const SCRIPT: u32 = 1 << 6;
    /// The file does not lie on the root of its mount namespace, which is another than the host's: of a file on an overlay
    /// its file system counts, of others the mount. Set also where that could not be told.
    pub const FOREIGN: u32 = 1 << 7;
    /// The file is named like an interpreter, which may be told what to run by an argument or on its standard input.
    pub const INTERPRETER: u32 = 1 << 8;
    /// The file is on a tmpfs, and no memfd.
    pub const TMPFS: u32 = 1 << 9;
    /// The script is known to be the image's.
    pub const IMAGE_SCRIPT: u32 = 1 << 10;
    /// The bits that are known from the file alone, before the task is looked at.
    pub const OF_FILE: u32 = OVERLAY | UPPER_LAYER | MEMFD | TMPFS;
    /// The bits that only a look at the task tells.
    pub const OF_TASK: u32 = CONTAINER_LIKE | TTY;
    /// The bits that are looked at only where some term asks for them, because they cost more.
    pub const ON_DEMAND: u32 = SCRIPT | FOREIGN | INTERPRETER | IMAGE_SCRIPT;
    /// There are so many combinations of all bits.
    pub const COMBINATIONS: u32 = 1 << 11;
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

/// Words of the filter.
pub const FILTER_WORDS: usize = predicate::COMBINATIONS as usize / 64;

/// Which of all execs, or of all executable mappings, are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Filter {
    /// Bit `n % 64` of word `n / 64` is 1 when one whose predicates are the number `n` shall be sent.
    pub wanted: [u64; FILTER_WORDS],
    /// The same as if each bit of [`predicate::ON_DEMAND`] could be 0 or 1: one word for files that are not on a tmpfs, and
    /// one for those that are. What is not wanted by these needs no further look.
    pub possible: [u64; 2],
    /// Those bits of [`predicate::ON_DEMAND`] that some term asks for.
    pub on_demand: u64,
}

/// Settings of the hooks. They can be changed while the hooks run: each member is one word, and a mixture of old and
/// new members is harmless.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Settings {
    /// Of execs.
    pub execs: Filter,
    /// Of files that are mapped executable.
    pub mappings: Filter,
    /// 1 when records shall carry the environment.
    pub want_env: u64,
}

impl Filter {
    /// What passes any of the terms; without terms nothing does.
    #[must_use]
    pub const fn of(terms: &[FilterTerm]) -> Self {
        let mut wanted = [0; FILTER_WORDS];
        let mut possible = [0; 2];
        let mut on_demand = 0;
        let mut predicates = 0;
        while predicates < predicate::COMBINATIONS {
            let mut index = 0;
            while index < terms.len() {
                if terms[index].passes(predicates) {
                    wanted[predicates as usize / 64] |= 1 << (predicates % 64);
                    possible[(predicates & predicate::TMPFS != 0) as usize] |= 1 << (predicates % 64);
                }
                on_demand |= (terms[index].mask & predicate::ON_DEMAND) as u64;
                index += 1;
            }
            predicates += 1;
        }
        Self { wanted, possible, on_demand }
    }
}

impl Settings {
    /// Settings that send the execs, and the mappings, that pass any of the terms; without terms none is sent.
    #[must_use]
    pub const fn of(execs: &[FilterTerm], mappings: &[FilterTerm], want_env: bool) -> Self {
        Self { execs: Filter::of(execs), mappings: Filter::of(mappings), want_env: want_env as u64 }
    }

    /// Settings that send every exec.
    #[must_use]
    pub const fn everything() -> Self {
        Self::of(&[FilterTerm { mask: 0, value: 0 }], &[], false)
    }
}

#[cfg(test)]
mod tests {
    use super::{FilterTerm, Settings, predicate};

    const UPPER: u32 = predicate::OVERLAY | predicate::UPPER_LAYER;

    fn sends(settings: &Settings, predicates: u32) -> bool {
        settings.execs.wanted[predicates as usize / 64] >> (predicates % 64) & 1 == 1
    }

    #[test]
    fn an_exec_is_sent_when_any_term_passes() {
        let terms = [
            FilterTerm { mask: UPPER | predicate::CONTAINER_LIKE, value: UPPER | predicate::CONTAINER_LIKE },
            FilterTerm { mask: predicate::MEMFD, value: predicate::MEMFD },
        ];
        let settings = Settings::of(&terms, &[], true);
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
            assert_eq!(sends(&settings, predicates), expected, "{predicates:#b}");
        }
    }

    #[test]
    fn an_unknown_layer_is_no_reason_to_refuse() {
        let unknown = predicate::OVERLAY | predicate::LAYER_UNKNOWN;
        for value in [0, predicate::UPPER_LAYER] {
            let term = FilterTerm { mask: predicate::UPPER_LAYER, value };
            assert!(sends(&Settings::of(&[term], &[], false), unknown), "{value}");
        }
        let in_container =
            FilterTerm { mask: UPPER | predicate::CONTAINER_LIKE, value: UPPER | predicate::CONTAINER_LIKE };
        let settings = Settings::of(&[in_container], &[], false);
        assert!(!sends(&settings, unknown), "what is known to differ still counts");
        assert!(sends(&settings, unknown | predicate::CONTAINER_LIKE));
    }

    #[test]
    fn what_costs_more_is_looked_at_on_demand() {
        let script = predicate::SCRIPT | predicate::CONTAINER_LIKE;
        let settings = Settings::of(&[FilterTerm { mask: script, value: script }], &[], false);
        assert_eq!(settings.execs.on_demand, u64::from(predicate::SCRIPT));
        assert_eq!(settings.execs.possible[0] >> predicate::CONTAINER_LIKE & 1, 1);
        assert_eq!(settings.execs.possible[1] & 1, 0, "no host");
        assert!(sends(&settings, script | predicate::OVERLAY));
        assert!(!sends(&settings, predicate::CONTAINER_LIKE) && !sends(&settings, predicate::SCRIPT));
    }

    #[test]
    fn no_term_sends_nothing_and_an_empty_one_everything() {
        assert_eq!(Settings::of(&[], &[], false), Settings::default());
        assert_eq!(Settings::of(&[FilterTerm::default()], &[], false), Settings::everything());
    }
}

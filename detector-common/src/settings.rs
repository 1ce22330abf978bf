//! What user space tells the hooks: the filter that the loaded rules allow, and what else a record shall carry.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::limits::FILTER_TERMS;

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
}

/// One conjunction: an exec passes when `predicates & mask == value`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FilterTerm {
    /// The predicates that matter.
    pub mask: u32,
    /// What they must be.
    pub value: u32,
}

/// Read-only settings of the hooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Settings {
    /// An exec is sent when any of the first `term_count` terms passes.
    pub terms: [FilterTerm; FILTER_TERMS],
    /// Number of terms in use; 0 sends nothing.
    pub term_count: u32,
    /// 1 when records shall carry the environment.
    pub want_env: u32,
}

impl Settings {
    /// Settings that send every exec.
    #[must_use]
    pub const fn everything() -> Self {
        Self { terms: [FilterTerm { mask: 0, value: 0 }; FILTER_TERMS], term_count: 1, want_env: 0 }
    }
}

//! Read-only globals that user space writes before load. They are frozen, so the verifier sees constants and cuts
//! away what this kernel or these rules do not need.

use detector_common::{
    kernel_offsets::KernelOffsets,
    limits::FILTER_TERMS,
    settings::{FilterTerm, Settings},
};

#[unsafe(no_mangle)]
pub(crate) static OFFSETS: KernelOffsets = KernelOffsets::NONE;

#[unsafe(no_mangle)]
pub(crate) static SETTINGS: Settings =
    Settings { terms: [FilterTerm { mask: 0, value: 0 }; FILTER_TERMS], term_count: 0, want_env: 0 };

/// One entry of the offset table: `offset!(inode_sb)`.
macro_rules! offset {
    ($name:ident) => {{
        // SAFETY: the static lives for ever; volatile because user space replaces the value before load.
        unsafe { core::ptr::read_volatile(core::ptr::addr_of!($crate::settings::OFFSETS.$name)) }
    }};
}

/// One setting: `setting!(want_env)`.
macro_rules! setting {
    ($($path:tt)+) => {{
        // SAFETY: as for offset!.
        unsafe { core::ptr::read_volatile(core::ptr::addr_of!($crate::settings::SETTINGS.$($path)+)) }
    }};
}

pub(crate) use {offset, setting};

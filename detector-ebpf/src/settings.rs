//! Globals that user space writes. The offsets are read-only and frozen before load, so the verifier sees constants and
//! cuts away what this kernel does not have; the settings can be changed while the hooks run.

use core::cell::UnsafeCell;

use detector_common::{
    kernel_offsets::KernelOffsets,
    settings::{FILTER_WORDS, Filter, Settings},
};

#[unsafe(no_mangle)]
pub(crate) static OFFSETS: KernelOffsets = KernelOffsets::NONE;

/// 1 when both copies of the program are attached.
#[unsafe(no_mangle)]
pub(crate) static SECOND_ATTACHED: u32 = 0;

/// 1 when it is remembered who opens files for writing.
#[unsafe(no_mangle)]
pub(crate) static WRITERS_SEEN: u32 = 0;

/// 1 when scripts are looked at before they are executed.
#[unsafe(no_mangle)]
pub(crate) static SCRIPTS_SEEN: u32 = 0;

/// In a map of their own, which user space maps into its memory.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.settings")]
pub(crate) static SETTINGS: Changeable<Settings> =
    Changeable(UnsafeCell::new(Settings { execs: NOTHING, mappings: NOTHING, want_env: 0 }));

const NOTHING: Filter = Filter { wanted: [0; FILTER_WORDS], possible: [0; 2], on_demand: 0 };

/// What user space may change at any time.
#[repr(transparent)]
pub(crate) struct Changeable<T>(pub(crate) UnsafeCell<T>);

// SAFETY: only read here, one whole word at a time.
unsafe impl<T> Sync for Changeable<T> {}

/// One entry of the offset table: `offset!(inode_sb)`.
macro_rules! offset {
    ($name:ident) => {{
        // SAFETY: the static lives for ever; volatile because user space replaces the value before load.
        unsafe { core::ptr::read_volatile(core::ptr::addr_of!($crate::settings::OFFSETS.$name)) }
    }};
}

/// One setting: `setting!(want_env)`.
macro_rules! setting {
    ($name:ident) => {{
        // SAFETY: the static lives for ever, and the member is a word of its own; volatile because user space changes it.
        unsafe { core::ptr::read_volatile(core::ptr::addr_of!((*$crate::settings::SETTINGS.0.get()).$name)) }
    }};
}

/// Whether both copies of the program are attached.
#[inline(always)]
pub(crate) fn second_attached() -> bool {
    // SAFETY: as for offset!.
    unsafe { core::ptr::read_volatile(core::ptr::addr_of!(SECOND_ATTACHED)) != 0 }
}

/// Whether it is remembered who opens files for writing.
#[inline(always)]
pub(crate) fn writers_seen() -> bool {
    // SAFETY: as for offset!.
    unsafe { core::ptr::read_volatile(core::ptr::addr_of!(WRITERS_SEEN)) != 0 }
}

/// Whether scripts are looked at before they are executed.
#[inline(always)]
pub(crate) fn scripts_seen() -> bool {
    // SAFETY: as for offset!.
    unsafe { core::ptr::read_volatile(core::ptr::addr_of!(SCRIPTS_SEEN)) != 0 }
}

/// One of the two filters.
#[derive(Clone, Copy)]
pub(crate) struct Wanted(*const Filter);

impl Wanted {
    #[inline(always)]
    pub(crate) fn execs() -> Self {
        // SAFETY: only the address is taken.
        Self(unsafe { core::ptr::addr_of!((*SETTINGS.0.get()).execs) })
    }

    #[inline(always)]
    pub(crate) fn mappings() -> Self {
        // SAFETY: only the address is taken.
        Self(unsafe { core::ptr::addr_of!((*SETTINGS.0.get()).mappings) })
    }

    /// The word that says what is possible, of files on a tmpfs or of others.
    #[inline(always)]
    pub(crate) fn possible(self, on_tmpfs: bool) -> u64 {
        // SAFETY: as for setting!, and within the array.
        unsafe {
            let words = core::ptr::addr_of!((*self.0).possible).cast::<u64>();
            core::ptr::read_volatile(words.add(on_tmpfs as usize))
        }
    }

    /// What is looked at only on demand, as far as it is asked for.
    #[inline(always)]
    pub(crate) fn on_demand(self) -> u32 {
        // SAFETY: as for setting!.
        unsafe { core::ptr::read_volatile(core::ptr::addr_of!((*self.0).on_demand)) as u32 }
    }

    /// One word.
    #[inline(always)]
    pub(crate) fn word(self, number: u32) -> u64 {
        // The bound is for the verifier.
        let number = number as usize & (FILTER_WORDS - 1);
        // SAFETY: as for setting!, and within the array.
        unsafe { core::ptr::read_volatile(core::ptr::addr_of!((*self.0).wanted).cast::<u64>().add(number)) }
    }
}

pub(crate) use {offset, setting};

//! The settings of the running hooks, in memory that the kernel side reads and we write: no system call stands between
//! an old word and a new one.

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering},
};

use detector_common::settings::{Filter, Settings};

/// The map's one page; unmapped on drop.
pub(super) struct LiveSettings {
    settings: NonNull<Settings>,
}

// SAFETY: the page belongs to this value, and is only written, through atomics.
unsafe impl Send for LiveSettings {}

impl LiveSettings {
    /// Maps the first element of an array that was made with `BPF_F_MMAPABLE` and holds one [`Settings`].
    pub(super) fn map(array: &OwnedFd) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size_of::<Settings>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                array.as_raw_fd(),
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let settings = NonNull::new(address.cast()).ok_or_else(|| io::Error::other("mapped at address 0"))?;
        Ok(Self { settings })
    }

    /// Takes effect with the next exec on each CPU.
    pub(super) fn set(&self, settings: &Settings) {
        let place = self.settings.as_ptr();
        // SAFETY: the page is mapped as long as self lives, and pages are aligned; the members are written as whole
        // words, which is how the kernel side reads them.
        unsafe {
            store(&raw mut (*place).execs, &settings.execs);
            store(&raw mut (*place).mappings, &settings.mappings);
            AtomicU64::from_ptr(&raw mut (*place).want_env).store(settings.want_env, Ordering::Relaxed);
        }
    }
}

/// Writes a filter word by word.
///
/// # Safety
/// `place` must be valid and aligned, and only be read as whole words by others.
unsafe fn store(place: *mut Filter, filter: &Filter) {
    const WORDS: usize = size_of::<Filter>() / 8;
    const { assert!(size_of::<Filter>().is_multiple_of(8)) };
    let words: [u64; WORDS] = zerocopy::transmute!(*filter);
    for (index, word) in words.into_iter().enumerate() {
        // SAFETY: within the filter, which is made of such words.
        unsafe { AtomicU64::from_ptr(place.cast::<u64>().add(index)).store(word, Ordering::Relaxed) };
    }
}

impl Drop for LiveSettings {
    fn drop(&mut self) {
        // SAFETY: mapped in `map` with this length, and nobody else knows the address.
        unsafe { libc::munmap(self.settings.as_ptr().cast(), size_of::<Settings>()) };
    }
}

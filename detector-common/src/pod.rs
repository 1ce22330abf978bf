//! The only unsafe code of this crate: telling aya that the layouts are plain old data.

use crate::{kernel_offsets::KernelOffsets, settings::Settings};

// SAFETY: repr(C), only integers, and no padding (zerocopy's IntoBytes derive proves it).
unsafe impl aya::Pod for KernelOffsets {}
// SAFETY: as above.
unsafe impl aya::Pod for Settings {}

//! Hooks and maps that outlive the agent: each has a name below a folder of a bpffs, which holds it when the process
//! ends. A new agent finds what happened meanwhile in the ring buffer.
//!
//! ```text
//! /sys/fs/bpf/detector      the folder; locked by the agent that runs
//!   1/                      a generation: what one agent loaded, and agents of the same making take over
//!     map_RECORDS ...       the maps of the object
//!     journal               records that were taken and whose alerts may not be out yet
//!     prog_NAME, link_NAME  each hook
//!     stamp                 what it was made from; comes last, so a generation without one is not whole
//! ```

mod cleanup;
mod error;
mod folder;
mod generation;
mod mount;
mod stamp;

pub use cleanup::{Removed, cleanup};
pub use error::PinError;
pub(super) use folder::PinFolder;
pub(super) use generation::{Generation, pin_name};
pub(super) use stamp::Stamp;

/// Magic number of a bpffs (`BPF_FS_MAGIC`).
const BPF_FS: u64 = 0xcafe_4a11;

//! What crosses the boundary between the kernel side and the agent, and nothing else: record layouts, the bounds
//! that both sides keep, offset tables and settings. No logic beyond accessors; both sides compile this crate, so
//! a layout cannot drift apart.
#![no_std]

pub mod abi_version;
pub mod counters;
pub mod exe_flags;
pub mod kernel_functions;
pub mod kernel_offsets;
pub mod limits;
pub mod record;
pub mod settings;

pub use abi_version::ABI_VERSION;

//! The only room that talks to the kernel's BPF: finds out what the kernel looks like, loads and attaches the
//! hooks, and reads their records and counters.

pub mod attach_plan;
mod bpf_call;
pub mod btf;
mod counters;
mod duplicates;
mod error;
mod fact_file;
mod handover;
pub mod hook_probes;
mod host;
mod instruction;
mod journal;
mod lacking;
mod live_settings;
mod load;
mod object;
pub mod offsets;
pub mod pins;
mod preemption;
mod recursion;
mod ring;
pub mod security_hooks;

pub use counters::{Counters, Loss};
pub use error::KernelError;
pub use host::Host;
pub use journal::Receipt;
pub use lacking::Lacking;
pub use load::{Kernel, LoadOptions};
pub use recursion::RecursionMisses;
pub use ring::RingReader;
pub use security_hooks::{Sight, Sights};

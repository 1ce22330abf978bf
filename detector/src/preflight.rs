//! What this host is like, as far as it decides what the agent can do: looked up once, and kept as plain facts.

mod bits;
mod look;

pub use bits::{CapabilitySet, Cgroups, Lockdown};
use bits::{cgroups, file_system_mounted, lockdown, lsm_list, status_field};

use crate::kernel::attach_plan::HookFacts;

/// Everything that was looked up. `None` is "could not be seen", never "no".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// As `uname -r` says it.
    pub kernel_release: Option<String>,
    /// Effective user id.
    pub euid: u32,
    /// Effective capabilities.
    pub capabilities: Option<CapabilitySet>,
    /// Whether the kernel's own BTF can be read and is well-formed; else why not.
    pub kernel_btf: Result<(), String>,
    /// Kernel fields that were looked for and are not in the BTF, or why the hooks cannot be told where to read.
    pub offsets: Result<Vec<String>, String>,
    /// How far the kernel is locked down.
    pub lockdown: Option<Lockdown>,
    /// The active LSMs, in their order.
    pub lsm: Option<Vec<String>>,
    /// Whether a bpffs is mounted at `/sys/fs/bpf`.
    pub bpffs: Option<bool>,
    /// Which versions of cgroups are mounted.
    pub cgroups: Option<Cgroups>,
    /// Whether the kernel knows overlay now.
    pub overlay: Option<bool>,
    /// Whether the overlay module shows BTF of its own.
    pub overlay_btf: bool,
    /// Whether this process lives in the host's first pid namespace.
    pub host_pid_namespace: Option<bool>,
    /// Container runtimes' sockets that are there.
    pub runtime_sockets: Vec<String>,
    /// What trying out the hooks showed.
    pub hooks: HookFacts,
    /// Whether the agent's own hook could be armed, and was disarmed again; else why not.
    pub armed: Result<(), String>,
}

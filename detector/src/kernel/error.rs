//! Why the hooks cannot be armed, in words that name the cause and the remedy. A verifier log is never all there is.

use super::{btf::BtfError, lacking::Lacking, offsets::OffsetsError, pins::PinError};

/// A start that failed.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The build has no eBPF object in it.
    #[error("this program was built without its eBPF object; build it with `cargo xtask build`")]
    NoObject,
    /// The embedded object is broken.
    #[error("the embedded eBPF object is not usable: {0}; build the program anew with `cargo xtask build`")]
    BadObject(String),
    /// Not enough rights.
    #[error("the kernel refuses to load eBPF programs: {what} ({errno}); {lacking}")]
    NotPermitted {
        /// What was tried.
        what: String,
        /// The kernel's answer.
        errno: String,
        /// What would help.
        lacking: Lacking,
    },
    /// The kernel is locked down.
    #[error(
        "the kernel is in lockdown mode `confidentiality`, which forbids eBPF programs to read kernel memory; boot \
         with `lockdown=integrity` (or without `lockdown=`) to run this agent"
    )]
    Lockdown,
    /// A map type is missing.
    #[error(
        "the kernel cannot make the map `{map}`: {reason}; ring buffers need Linux 5.8 or later with \
         CONFIG_BPF_SYSCALL=y"
    )]
    NoMap {
        /// Name of the map.
        map: String,
        /// The kernel's answer.
        reason: String,
    },
    /// A program was refused for another reason.
    #[error(
        "the kernel refuses the program `{program}`: {reason}; please report this with the kernel release {release} \
         and the text below\n{log}"
    )]
    Refused {
        /// Name of the program.
        program: &'static str,
        /// The kernel's answer.
        reason: String,
        /// Kernel release.
        release: String,
        /// The last lines of the verifier's log.
        log: String,
    },
    /// The tracepoint is not there.
    #[error("cannot attach to the raw tracepoint `{tracepoint}`: {reason}; it needs CONFIG_TRACEPOINTS=y")]
    Attach {
        /// Its name.
        tracepoint: &'static str,
        /// The kernel's answer.
        reason: String,
    },
    /// The type information is missing or broken.
    #[error(transparent)]
    Btf(#[from] BtfError),
    /// A struct lacks what the hooks need.
    #[error(transparent)]
    Offsets(#[from] OffsetsError),
    /// The hooks cannot be kept beyond the agent's end.
    #[error(transparent)]
    Pins(#[from] PinError),
    /// A file of the host that must be read.
    #[error("cannot read {path}: {source}; {remedy}")]
    HostFile {
        /// The file.
        path: &'static str,
        /// Why.
        source: std::io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// Something that should be in the object is not.
    #[error("the eBPF object has no `{0}`; the agent and its object do not belong together")]
    Missing(&'static str),
    /// The ring buffer cannot be read.
    #[error("cannot read the ring buffer: {0}")]
    Ring(#[source] std::io::Error),
}

//! Why hooks cannot be kept beyond the agent's end.

use std::{io, path::PathBuf};

/// Why hooks cannot be kept beyond the agent's end, or not be taken away.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// Another agent runs with them.
    #[error(
        "the pinned hooks below {folder} belong to an agent that runs; stop it, or give this one another `pin.path`"
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// No bpffs, and none could be mounted.
    #[error(
        "{folder} is on no bpffs, which alone can hold pinned hooks, and none can be mounted over it: {source}; \
         mount one (`mount -t bpf bpf {folder}`), or set `pin.enabled` to false"
    )]
    NoBpffs {
        /// Where it should be mounted.
        folder: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Something else is there.
    #[error("{folder} is on no bpffs, so it holds no pinned hooks; is `pin.path` right?")]
    OtherFileSystem {
        /// The folder.
        folder: PathBuf,
    },
    /// Others could have put something there.
    #[error(
        "{folder} {what}, so others could have changed the hooks; remove it (`rm -r {folder}`), or choose another \
         `pin.path`"
    )]
    Unsafe {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A call failed.
    #[error("cannot {what} {path}: {source}; is `pin.path` writable on a bpffs?")]
    Failed {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Something that this agent did not put there.
    #[error("{folder} holds `{name}`, which no agent puts there; it was left alone")]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// Its name.
        name: String,
    },
    /// Two agents come and go.
    #[error(
        "{folder} is removed again and again while this agent starts; does `detector cleanup` run in a loop?"
    )]
    Vanishing {
        /// The folder.
        folder: PathBuf,
    },
}

//! Why the agent cannot run, or had to stop.

use std::{io, path::PathBuf};

use crate::{
    examine::SampleError, kernel::KernelError, output::StartError, privileges::PrivilegeError,
    recording::RecordingError, rules::RulesError, telemetry::web::WebError,
};

/// Why the agent cannot run, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The kernel side.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// Rights that are not needed.
    #[error(transparent)]
    Privileges(#[from] PrivilegeError),
    /// The process for the self-test.
    #[error("cannot start the process that keeps the rights of the self-test: {0}; is /proc mounted?")]
    Keeper(#[source] io::Error),
    /// The rules.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The folder of copies.
    #[error(transparent)]
    Samples(#[from] SampleError),
    /// The outputs.
    #[error(transparent)]
    Outputs(#[from] StartError),
    /// Signals.
    #[error("cannot listen to signals: {0}")]
    Signals(#[source] io::Error),
    /// The threads for metadata.
    #[error("cannot start the threads that look up metadata: {0}; is the limit of processes reached?")]
    Enricher(#[source] io::Error),
    /// The recording cannot be made.
    #[error("cannot make the recording {path}: {source}")]
    RecordTo {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The recording cannot be written.
    #[error("cannot write the recording: {0}")]
    Recording(#[source] RecordingError),
    /// The web server.
    #[error(transparent)]
    Web(#[from] WebError),
    /// Execs were lost, and `syscall_event_drops.actions` has `exit`.
    #[error("execs were lost, and syscall_event_drops.actions says to exit; the log says how many")]
    Lost,
    /// Standard output.
    #[error(
        "whoever read standard output has closed it, and it is the only output; alerts would be lost, so the agent \
         stops"
    )]
    StdoutClosed,
}

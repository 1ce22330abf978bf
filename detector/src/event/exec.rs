//! One successful execve or execveat, as an event.

use std::sync::Arc;

use super::{
    Ancestor, Cgroups, Container, Credentials, ExecutedFile, HostFacts, Names, Namespaces, Process, Stdio,
    Stream, Usage,
};

/// How the file got to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExecKind {
    /// It was executed itself.
    #[default]
    Exec,
    /// A script was executed; the file is its interpreter.
    Script,
}

impl ExecKind {
    /// The word that users see in `drop.kind`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Script => "script",
        }
    }
}

/// What of the record was not whole: names of sections, for `drop.truncated`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completeness {
    /// Sections that were cut at a bound.
    pub truncated: Vec<&'static str>,
    /// Sections that could not be read.
    pub failed: Vec<&'static str>,
}

/// A successful exec. The default is one of which nothing is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExecEvent {
    /// Running number of the event, from 1.
    pub number: u64,
    /// When, nanoseconds since the epoch.
    pub time_ns: u64,
    /// When, on `CLOCK_BOOTTIME`.
    pub boot_ns: u64,
    /// CPU it happened on.
    pub cpu: u32,
    /// How the file got to run.
    pub kind: ExecKind,
    /// The process.
    pub process: Process,
    /// Its credentials.
    pub credentials: Credentials,
    /// Its namespaces.
    pub namespaces: Namespaces,
    /// Its standard descriptors; `None` = unknown.
    pub stdio: Option<Stdio>,
    /// Figures.
    pub usage: Usage,
    /// The executed file.
    pub file: ExecutedFile,
    /// The processes above it, parent first.
    pub ancestors: Vec<Ancestor>,
    /// Its cgroups.
    pub cgroups: Cgroups,
    /// Its container.
    pub container: Container,
    /// Names of its users and groups.
    pub names: Names,
    /// The host.
    pub host: Arc<HostFacts>,
    /// Its place among the events.
    pub stream: Stream,
    /// What is missing.
    pub completeness: Completeness,
}

//! One successful execve or execveat, as an event.

use std::sync::Arc;

use super::{
    Ancestor, Cgroups, Container, Credentials, Dropper, Examination, ExecutedFile, Finding, Gap, HostFacts,
    Names, Namespaces, Process, Script, Stdio, Stream, Usage,
};

/// How the file got to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExecKind {
    /// It was executed itself.
    #[default]
    Exec,
    /// A script was executed; the file is its interpreter.
    Script,
    /// An interpreter was executed, and told by its arguments or its standard input what to run.
    InterpreterArg,
    /// A file was mapped executable: a library, or a program that a dynamic loader was told to run.
    ExecMap,
}

impl ExecKind {
    /// The word that users see in `drop.kind`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Script => "script",
            Self::InterpreterArg => "interpreter_arg",
            Self::ExecMap => "exec_map",
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
    /// The file that was mapped executable, where the event is about that and not about the exec.
    pub mapped: Option<Box<ExecutedFile>>,
    /// The script that was executed, where the kernel side has seen it.
    pub script_file: Option<Box<ExecutedFile>>,
    /// The processes above it, parent first.
    pub ancestors: Vec<Ancestor>,
    /// Its cgroups.
    pub cgroups: Cgroups,
    /// Its container.
    pub container: Container,
    /// Names of its users and groups.
    pub names: Names,
    /// What was found out about the file; `None` = nobody was asked to look.
    pub examination: Option<Box<Examination>>,
    /// Who wrote the file, where that was seen.
    pub dropper: Option<Box<Dropper>>,
    /// The host.
    pub host: Arc<HostFacts>,
    /// Its place among the events.
    pub stream: Stream,
    /// What is missing.
    pub completeness: Completeness,
}

impl ExecEvent {
    /// The file that the event is about: the one that was mapped, else the executed one.
    #[must_use]
    pub fn subject(&self) -> &ExecutedFile {
        self.mapped.as_deref().unwrap_or(&self.file)
    }

    /// A part of the examination, or why there is none.
    pub fn finding<'e, T>(
        &'e self,
        part: impl FnOnce(&'e Examination) -> Result<&'e T, &'e Gap>,
    ) -> Finding<&'e T> {
        part(self.examination.as_deref().ok_or(Gap::NotAsked)?).map_err(|gap| *gap)
    }

    /// What an interpreter was told to run.
    #[must_use]
    pub fn script(&self) -> Option<&Script> {
        self.examination.as_deref()?.script.as_ref()
    }

    /// How the file got to run, with what was found out since the record was made.
    #[must_use]
    pub fn kind(&self) -> ExecKind {
        match self.script() {
            Some(script) if script.by_argument && self.kind == ExecKind::Exec => ExecKind::InterpreterArg,
            _ => self.kind,
        }
    }
}

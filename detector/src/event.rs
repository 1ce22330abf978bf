//! Typed values made from records: plain data, no IO, no kernel types. `None` and [`Origin::Unknown`] mean "could
//! not tell" and are never folded into a harmless default.

mod clock;
mod container;
mod examination;
#[cfg(test)]
pub(crate) mod example;
mod exec;
mod file;
mod host;
mod names;
mod open_flags;
mod process;
mod stdio;
mod text;
pub mod time;
mod value;

pub use clock::BootClock;
pub use container::{
    Cgroup, Cgroups, Container, ContainerId, ContainerMetadata, Healthcheck, ImageReference, Metadata,
    MetadataState, MissingReason, Mount, Pod, Runtime,
};
pub use examination::{
    Content, Dropper, ElfFacts, Examination, FileMount, Finding, Gap, Script, ScriptSource, Whereabouts,
};
pub use exec::{Completeness, ExecEvent, ExecKind};
pub use file::{ExeFlags, ExecutedFile, Origin};
pub use host::{HostFacts, Stream, StreamPosition};
pub use names::{Account, Names};
pub use open_flags::OpenFlags;
pub use process::{Ancestor, Arguments, Credentials, Namespaces, Process, ProcessDetails, Usage};
pub use stdio::{Stdio, StdioFile, StdioKind};
pub use text::{Path, lossy};
pub use value::Value;

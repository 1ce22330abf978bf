//! Lines to the outside. Outputs know bytes only.
//!
//! ```text
//!              +-> queue -> thread -> stdout      (no thread when the pipe has room)
//! send(line) --+-> queue -> thread -> file
//!  never       +-> queue -> thread -> syslog
//!  blocks      +-> queue -> thread -> program
//!              +-> queue -> thread -> [spool ->] http
//!              +-> queue -> thread -> [spool ->] otlp (over HTTP)
//! ```
//!
//! Each output waits for nobody but itself: what it cannot take is counted where it is lost.

mod direct;
mod fan_out;
mod file;
mod http;
mod line;
mod outage;
mod program;
mod queue;
mod settings;
mod sink;
mod spool;
mod stdout;
mod syslog;
mod watchdog;

pub use fan_out::{Flushed, Outputs, StartError};
pub use http::{HttpError, TlsError, UrlError};
pub use line::Line;
pub use queue::OutputCounters;
pub use settings::{
    DEFAULT_QUEUE_CAPACITY, FileSettings, HttpSettings, OutputSettings, Overflow, ProgramSettings, Protocol,
    SpoolSettings, SyslogSettings, TlsSettings,
};
pub use spool::SpoolError;

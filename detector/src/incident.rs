//! Alerts read back: whoever wrote them, and however they were wrapped on the way. Pure: bytes come from a reader, and
//! nothing here looks at the host.
//!
//! ```text
//! bytes -> pieces -> past alert -> group -> facts -> risk, timeline, commands
//! ```

pub mod actors;
mod commands;
mod facts;
mod group;
pub mod inert;
mod json;
mod past_alert;
mod pieces;
mod reader;
mod risk;
mod sentence;
pub mod shell;
mod text_line;
pub mod time_words;

pub use commands::{Commands, Engine, Step};
pub use facts::{Ancestor, Facts, Provenance, Subject};
pub use group::{Execution, Grouping, Incident};
pub use past_alert::{Fields, PastAlert, Written};
pub use reader::{AlertReader, Malformed, ReadError, Tally};
pub use risk::{Answer, Level, Risk, Term};
pub use sentence::{Fact, Part, Sentence};

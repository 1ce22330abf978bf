//! Alerts read back: whoever wrote them, and however they were wrapped on the way. Pure: bytes come from a reader, and
//! nothing here looks at the host.
//!
//! ```text
//! bytes -> pieces -> past alert -> group -> facts -> risk, timeline, commands
//! ```

mod group;
mod json;
mod past_alert;
mod pieces;
mod reader;
mod text_line;

pub use group::{Execution, Grouping, Incident};
pub use past_alert::{Fields, PastAlert, Written};
pub use reader::{AlertReader, Malformed, ReadError, Tally};

//! Alerts to lines, in Falco's layouts.

mod internal;
mod json;
mod otlp;
mod text;

pub use internal::InternalAlert;
pub use json::{JsonOptions, internal_json, json};
pub use otlp::{OtlpOrigin, internal_otlp, otlp};
pub use text::{message, text};

use crate::event::time;

/// Which time format the text of a line has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TimeFormat {
    /// `HH:MM:SS.nnnnnnnnn`, local.
    #[default]
    Local,
    /// `YYYY-MM-DDTHH:MM:SS.nnnnnnnnn+0000`, UTC.
    Iso8601,
}

impl TimeFormat {
    /// The moment in this format.
    #[must_use]
    pub fn text(self, ns: u64) -> String {
        match self {
            Self::Local => time::local(ns),
            Self::Iso8601 => time::iso8601(ns),
        }
    }

    /// The field that goes into `output_fields` with it.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Local => "evt.time",
            Self::Iso8601 => "evt.time.iso8601",
        }
    }
}

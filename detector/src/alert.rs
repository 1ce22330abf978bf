//! An alert: an event plus the rule that matched it, with the values that the rule shows taken out of the event.

use std::sync::Arc;

use crate::event::Value;

/// Severity of a rule, most severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// 0
    Emergency,
    /// 1
    Alert,
    /// 2
    Critical,
    /// 3
    Error,
    /// 4
    Warning,
    /// 5
    Notice,
    /// 6
    Informational,
    /// 7
    Debug,
}

impl Priority {
    /// The name in alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Emergency => "Emergency",
            Self::Alert => "Alert",
            Self::Critical => "Critical",
            Self::Error => "Error",
            Self::Warning => "Warning",
            Self::Notice => "Notice",
            Self::Informational => "Informational",
            Self::Debug => "Debug",
        }
    }
}

/// A piece of a rule's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text as it stands.
    Literal(String),
    /// A field's value.
    Value {
        /// Index in [`Alert::values`].
        index: usize,
        /// Padded with blanks, or cut, to this many characters.
        width: Option<usize>,
    },
    /// A value that was computed from fields.
    Computed {
        /// Index in [`Alert::computed`].
        index: usize,
        /// Padded with blanks, or cut, to this many characters.
        width: Option<usize>,
    },
}

/// What a rule says about itself in its alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertRule {
    /// Its name.
    pub name: String,
    /// Its severity.
    pub priority: Priority,
    /// Its source, `syscall`.
    pub source: String,
    /// Its tags, sorted bytewise.
    pub tags: Vec<String>,
    /// Its output, cut into pieces.
    pub output: Vec<Piece>,
    /// Names of the fields in [`Alert::values`], as written, sorted bytewise.
    pub fields: Vec<String>,
}

/// A rule that matched an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// The rule.
    pub rule: Arc<AlertRule>,
    /// Time of the event, nanoseconds since the epoch.
    pub time_ns: u64,
    /// One value for each of [`AlertRule::fields`]; `None` = no value.
    pub values: Vec<Option<Value<'static>>>,
    /// Values of the output that are no fields; `None` = no value.
    pub computed: Vec<Option<Value<'static>>>,
}

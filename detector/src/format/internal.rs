//! The agent's messages about itself, in the layout of Falco's: no rule file makes them, no tags, `source` is
//! `internal`, and the text has neither time nor priority in front of it within JSON.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write as _};

use serde_json::Value;

use super::TimeFormat;
use crate::alert::Priority;

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct InternalAlert {
    /// Its name, stable.
    pub rule: &'static str,
    /// How bad it is.
    pub priority: Priority,
    /// For people.
    pub output: String,
    /// Names and values, in the order in which they are written; receivers such as falcosidekick want at least one.
    /// In Falco's messages all values are texts, but for those of snapshots.
    pub fields: BTreeMap<Cow<'static, str>, Value>,
    /// When, nanoseconds since the epoch.
    pub time_ns: u64,
}

impl InternalAlert {
    /// A message without fields.
    #[must_use]
    pub fn new(rule: &'static str, priority: Priority, output: impl Into<String>, time_ns: u64) -> Self {
        Self { rule, priority, output: output.into(), fields: BTreeMap::new(), time_ns }
    }

    /// The same with one more field.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }

    /// The text line, without its newline: the fields follow in parentheses.
    #[must_use]
    pub fn text(&self, format: TimeFormat) -> String {
        let mut line = format!("{}: {} {}", format.text(self.time_ns), self.priority.name(), self.output);
        for (index, (name, value)) in self.fields.iter().enumerate() {
            let before = if index == 0 { " (" } else { " " };
            // As JSON, so that a value cannot forge a line.
            let _ = write!(line, "{before}{name}={value}");
        }
        if !self.fields.is_empty() {
            line.push(')');
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::InternalAlert;
    use crate::{
        alert::Priority,
        format::{TimeFormat, internal_json},
    };

    const TIME: u64 = 1_728_129_802_123_456_789;

    fn alert() -> InternalAlert {
        let name = "detector internal: blind";
        InternalAlert::new(name, Priority::Critical, "Detector internal: blind.", TIME)
            .with("b", "two\nlines")
            .with("a", 1)
    }

    #[test]
    fn json_has_falcos_keys_and_no_tags() {
        assert_eq!(
            internal_json(&alert(), "h"),
            r#"{"hostname":"h","output":"Detector internal: blind.","output_fields":{"a":1,"b":"two\nlines"},"priority":"Critical","rule":"detector internal: blind","source":"internal","time":"2024-10-05T12:03:22.123456789Z"}"#
        );
    }

    #[test]
    fn text_is_one_line_with_sorted_fields() {
        let text = alert().text(TimeFormat::Iso8601);
        assert_eq!(
            text,
            "2024-10-05T12:03:22.123456789+0000: Critical Detector internal: blind. (a=1 b=\"two\\nlines\")"
        );
        let bare = InternalAlert::new("r", Priority::Debug, "blind.", TIME);
        assert!(bare.text(TimeFormat::Iso8601).ends_with("blind."));
    }
}

//! The agent's messages about itself, in the layout of Falco's: no rule file makes them, no tags, `source` is
//! `internal`, and the text has neither time nor priority in front of it within JSON.

use std::fmt::Write as _;

use super::TimeFormat;
use crate::alert::Priority;

/// One message. Field values are texts, as in Falco's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalAlert {
    /// Its name, stable.
    pub rule: &'static str,
    /// How bad it is.
    pub priority: Priority,
    /// For people.
    pub output: String,
    /// Name and value, in any order; receivers such as falcosidekick want at least one.
    pub fields: Vec<(&'static str, String)>,
    /// When, nanoseconds since the epoch.
    pub time_ns: u64,
}

impl InternalAlert {
    /// The text line, without its newline: the fields follow in parentheses.
    #[must_use]
    pub fn text(&self, format: TimeFormat) -> String {
        let mut line = format!("{}: {} {}", format.text(self.time_ns), self.priority.name(), self.output);
        for (index, (name, value)) in self.sorted().into_iter().enumerate() {
            let before = if index == 0 { " (" } else { " " };
            // As JSON, so that a value cannot forge a line.
            let _ = write!(line, "{before}{name}={}", serde_json::Value::from(value));
        }
        if !self.fields.is_empty() {
            line.push(')');
        }
        line
    }

    /// The fields in the order in which they are written.
    pub(super) fn sorted(&self) -> Vec<(&'static str, &str)> {
        let mut fields: Vec<_> = self.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        fields.sort_unstable();
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::InternalAlert;
    use crate::{
        alert::Priority,
        format::{TimeFormat, internal_json},
    };

    fn alert() -> InternalAlert {
        InternalAlert {
            rule: "detector internal: blind",
            priority: Priority::Critical,
            output: "Detector internal: blind.".to_owned(),
            fields: vec![("b", "two\nlines".to_owned()), ("a", "1".to_owned())],
            time_ns: 1_728_129_802_123_456_789,
        }
    }

    #[test]
    fn json_has_falcos_keys_and_no_tags() {
        assert_eq!(
            internal_json(&alert(), "h"),
            r#"{"hostname":"h","output":"Detector internal: blind.","output_fields":{"a":"1","b":"two\nlines"},"priority":"Critical","rule":"detector internal: blind","source":"internal","time":"2024-10-05T12:03:22.123456789Z"}"#
        );
    }

    #[test]
    fn text_is_one_line_with_sorted_fields() {
        let text = alert().text(TimeFormat::Iso8601);
        assert_eq!(
            text,
            "2024-10-05T12:03:22.123456789+0000: Critical Detector internal: blind. (a=\"1\" b=\"two\\nlines\")"
        );
        assert!(
            InternalAlert { fields: Vec::new(), ..alert() }.text(TimeFormat::Iso8601).ends_with("blind.")
        );
    }
}

//! The JSON line of an alert: one object, no spaces, keys sorted bytewise, as Falco 0.39 and later write it. Made
//! here and nowhere else.

use std::fmt::{Display, Write as _};

use super::{InternalAlert, TimeFormat, message, text};
use crate::{
    alert::Alert,
    event::{Value, lossy, time},
};

/// Which parts a line has (`json_include_*_property`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonOptions {
    /// `message`: the output without time and priority.
    pub message: bool,
    /// `output`
    pub output: bool,
    /// `output_fields`
    pub output_fields: bool,
    /// `tags`
    pub tags: bool,
}

impl Default for JsonOptions {
    fn default() -> Self {
        Self { message: false, output: true, output_fields: true, tags: true }
    }
}

/// The line, without its newline.
#[must_use]
pub fn json(alert: &Alert, hostname: &str, options: &JsonOptions, format: TimeFormat) -> String {
    let mut line = Object::new(2048);
    line.key("hostname").string(hostname);
    if options.message {
        line.key("message").string(&message(alert));
    }
    if options.output {
        line.key("output").string(&text(alert, format));
    }
    if options.output_fields {
        line.key("output_fields").open();
        for (name, value) in alert.rule.fields.iter().zip(&alert.values) {
            line.key(name).value(value.as_ref());
        }
        line.close();
    }
    line.key("priority").string(alert.rule.priority.name());
    line.key("rule").string(&alert.rule.name);
    line.key("source").string(&alert.rule.source);
    if options.tags {
        line.key("tags").strings(&alert.rule.tags);
    }
    line.key("time").string(&time::rfc3339(alert.time_ns));
    line.end()
}

/// The line of a message about the agent itself, without its newline: no tags, no `message`, whatever the options say.
#[must_use]
pub fn internal_json(alert: &InternalAlert, hostname: &str) -> String {
    let mut line = Object::new(512);
    line.key("hostname").string(hostname);
    line.key("output").string(&alert.output);
    line.key("output_fields").open();
    for (name, value) in &alert.fields {
        line.key(name).raw(&value.to_string());
    }
    line.close();
    line.key("priority").string(alert.priority.name());
    line.key("rule").string(alert.rule);
    line.key("source").string("internal");
    line.key("time").string(&time::rfc3339(alert.time_ns));
    line.end()
}

/// Stands in [`ESCAPES`] for itself.
const PLAIN: u8 = 0;
/// Is escaped by its number.
const NUMBERED: u8 = b'u';
/// What follows the backslash, for each byte: a table, as most of the work for an alert is to look at its text.
const ESCAPES: [u8; 256] = {
    let mut table = [PLAIN; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = NUMBERED;
        control += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// A JSON object that grows; the caller adds keys in their order.
struct Object {
    text: String,
}

impl Object {
    fn new(capacity: usize) -> Self {
        let mut text = String::with_capacity(capacity);
        text.push('{');
        Self { text }
    }

    /// Begins an object as the value of the key before.
    fn open(&mut self) {
        self.text.push('{');
    }

    fn close(&mut self) {
        self.text.push('}');
    }

    fn key(&mut self, key: &str) -> &mut Self {
        // A key is the first one right behind its brace; elsewhere there is a value, which never ends in an open one.
        if !self.text.ends_with('{') {
            self.text.push(',');
        }
        self.string(key);
        self.text.push(':');
        self
    }

    fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Escapes exactly what JSON demands.
    fn string(&mut self, text: &str) {
        self.text.push('"');
        let (bytes, mut plain) = (text.as_bytes(), 0);
        for (at, byte) in bytes.iter().enumerate() {
            let escape = ESCAPES[usize::from(*byte)];
            if escape == PLAIN {
                continue;
            }
            self.text.push_str(&text[plain..at]);
            plain = at + 1;
            if escape == NUMBERED {
                // Writing to a String cannot fail.
                let _ = write!(self.text, "\\u{byte:04x}");
            } else {
                self.text.push('\\');
                self.text.push(char::from(escape));
            }
        }
        self.text.push_str(&text[plain..]);
        self.text.push('"');
    }

    fn number(&mut self, number: impl Display) {
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{number}");
    }

    fn strings(&mut self, texts: &[String]) {
        self.text.push('[');
        for (index, text) in texts.iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            self.string(text);
        }
        self.text.push(']');
    }

    fn value(&mut self, value: Option<&Value<'_>>) {
        match value {
            None => self.raw("null"),
            Some(Value::Text(bytes)) => self.string(&lossy(bytes)),
            Some(Value::Signed(number)) => self.number(number),
            Some(Value::Unsigned(number)) => self.number(number),
            Some(Value::Time { ns, .. }) => self.number(ns),
            Some(value @ Value::Hex(_)) => self.string(&lossy(&value.to_text())),
            // What is no number in JSON (not a number, infinite) becomes null.
            Some(Value::Double(number)) => self.raw(&serde_json::Value::from(*number).to_string()),
            Some(Value::Bool(truth)) => self.raw(if *truth { "true" } else { "false" }),
        }
    }

    fn end(mut self) -> String {
        self.close();
        self.text
    }
}

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, sync::Arc};

    use super::{JsonOptions, json};
    use crate::{
        alert::{Alert, AlertRule, Piece, Priority},
        event::Value,
        format::TimeFormat,
    };

    fn alert() -> Alert {
        let rule = AlertRule {
            name: "R".to_owned(),
            priority: Priority::Informational,
            source: "syscall".to_owned(),
            tags: vec!["A".to_owned(), "b".to_owned()],
            output: vec![
                Piece::Literal("x=".to_owned()),
                Piece::Value { index: 0, width: None },
                Piece::Literal(" y=".to_owned()),
                Piece::Value { index: 1, width: None },
            ],
            fields: ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec(),
        };
        let values = vec![
            Some(Value::text(b"\xff\xfe\n\"\\/\x01\xc3\xa9")),
            None,
            Some(Value::Unsigned(u64::MAX)),
            Some(Value::Signed(-1)),
            Some(Value::Time { ns: 7, text: Cow::Borrowed("t") }),
        ];
        Alert { rule: Arc::new(rule), time_ns: 1_728_129_802_123_456_789, values, computed: Vec::new() }
    }

    #[test]
    fn the_line_byte_for_byte() {
        let line = json(&alert(), "h1", &JsonOptions::default(), TimeFormat::Iso8601);
        let expected = concat!(
            r#"{"hostname":"h1","output":"2024-10-05T12:03:22.123456789+0000: Informational "#,
            "x=\u{fffd}\u{fffd}",
            r#"\\n\"\\/\\u0001é y=<NA>","output_fields":{"a":""#,
            "\u{fffd}\u{fffd}",
            r#"\n\"\\/\u0001é","b":null,"c":18446744073709551615,"d":-1,"e":7},"priority":"Informational","#,
            r#""rule":"R","source":"syscall","tags":["A","b"],"time":"2024-10-05T12:03:22.123456789Z"}"#,
        );
        assert_eq!(line, expected);
    }

    #[test]
    fn every_character_is_escaped_as_a_json_library_does() {
        let all: String = (0..=0x2100).filter_map(char::from_u32).collect();
        let mut line = super::Object::new(0);
        line.key(&all).string(&all);
        let library = serde_json::json!({ all.as_str(): all.as_str() }).to_string();
        assert_eq!(line.end(), library);
    }

    #[test]
    fn each_part_can_be_left_out() {
        let options = JsonOptions { message: true, output: false, output_fields: false, tags: false };
        let line = json(&alert(), "h1", &options, TimeFormat::Iso8601);
        assert!(line.starts_with(r#"{"hostname":"h1","message":"x="#), "{line}");
        for key in ["\"output\"", "output_fields", "tags"] {
            assert!(!line.contains(key), "{line}");
        }
    }
}

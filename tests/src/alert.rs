//! One line of the agent's output, parsed, with its bytes kept.

use std::fmt;
use std::time::SystemTime;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// An alert as the agent printed it.
#[derive(Clone, Debug)]
pub struct Alert {
    /// The line's bytes, without the line end.
    pub line: String,
    /// When it was read.
    pub received: SystemTime,
    json: Value,
}

impl Alert {
    /// Parses a line: one JSON object with the parts `rule` and `output_fields`.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let lossy = || String::from_utf8_lossy(line).into_owned();
        let text = std::str::from_utf8(line).map_err(|error| format!("not UTF-8: {error}: {}", lossy()))?;
        let json: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}: {text}"))?;
        if !json["rule"].is_string() || !json["output_fields"].is_object() {
            return Err(format!("not an alert: {text}"));
        }
        Ok(Self { line: text.to_owned(), received: SystemTime::now(), json })
    }

    /// A part of the alert itself: `rule`, `time`, `tags` and so on; null when absent.
    #[must_use]
    pub fn part(&self, name: &str) -> &Value {
        &self.json[name]
    }

    /// A part that must be text.
    #[track_caller]
    #[must_use]
    pub fn part_text(&self, name: &str) -> &str {
        self.part(name).as_str().unwrap_or_else(|| panic!("`{name}` is not text in {self}"))
    }

    /// One of the output fields; it must be there, but may be null.
    #[track_caller]
    #[must_use]
    pub fn field(&self, name: &str) -> &Value {
        self.json["output_fields"].get(name).unwrap_or_else(|| panic!("no field `{name}` in {self}"))
    }

    /// An output field that must be text.
    #[track_caller]
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.field(name).as_str().unwrap_or_else(|| panic!("field `{name}` is not text in {self}"))
    }

    /// An output field that must be an integer.
    #[track_caller]
    #[must_use]
    pub fn integer(&self, name: &str) -> i128 {
        let value = self.field(name);
        let number = value.as_u64().map(i128::from).or_else(|| value.as_i64().map(i128::from));
        number.unwrap_or_else(|| panic!("field `{name}` is not an integer in {self}"))
    }

    /// Whether the alert is about something with this unique name: it stands in a path or the command line.
    #[must_use]
    pub fn mentions(&self, marker: &str) -> bool {
        let fields = &self.json["output_fields"];
        ["proc.exepath", "proc.exe", "proc.cmdline"]
            .iter()
            .any(|name| fields[*name].as_str().is_some_and(|text| text.contains(marker)))
    }

    /// The alert's keys in the order of its bytes.
    #[track_caller]
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.entries().into_iter().map(|(key, _)| key).collect()
    }

    /// The keys of `output_fields` in the order of its bytes.
    #[track_caller]
    #[must_use]
    pub fn field_keys(&self) -> Vec<String> {
        let fields =
            self.entries().into_iter().find_map(|(key, keys)| (key == "output_fields").then_some(keys));
        fields.unwrap_or_default()
    }

    /// Keys with the keys of their objects: a parsed [`Value`] has forgotten order and repetition.
    fn entries(&self) -> Vec<(String, Vec<String>)> {
        let mut reader = serde_json::Deserializer::from_str(&self.line);
        match reader.deserialize_map(TopLevel) {
            Ok(entries) => entries,
            Err(error) => panic!("cannot read the keys of {self}: {error}"),
        }
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

struct TopLevel;

impl<'de> Visitor<'de> for TopLevel {
    type Value = Vec<(String, Vec<String>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an alert")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let keys = if key == "output_fields" {
                map.next_value::<Keys>()?.0
            } else {
                map.next_value::<IgnoredAny>()?;
                Vec::new()
            };
            entries.push((key, keys));
        }
        Ok(entries)
    }
}

/// The keys of an object, in order, repeated ones included.
struct Keys(Vec<String>);

impl<'de> serde::Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] =
        br#"{"time":"t","output_fields":{"z":1,"a":null,"z":18446744073709551615},"rule":"r","proc.exe":"x"}"#;

    #[test]
    fn the_order_and_repetition_of_keys_are_seen() {
        let alert = Alert::parse(LINE).expect("an alert");
        assert_eq!(alert.keys(), ["time", "output_fields", "rule", "proc.exe"]);
        assert_eq!(alert.field_keys(), ["z", "a", "z"]);
        assert_eq!(alert.integer("z"), i128::from(u64::MAX));
    }

    #[test]
    fn what_is_no_alert_is_told() {
        assert!(Alert::parse(b"{\"rule\":1}").is_err());
        assert!(Alert::parse(b"\xff").is_err());
        assert!(Alert::parse(b"INFO started").is_err());
    }
}

//! An alert that was written some time ago, by this agent or by Falco, with what can still be asked of it.

use serde_json::{Map, Value};

/// How an alert was written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// As JSON: each value stands for itself.
    Json,
    /// As text: values were taken out of the message.
    Text,
    /// As text, and it cannot be told where one value ends and the next begins; no value was taken out.
    AmbiguousText,
}

/// An alert read back. `None` = it does not say.
#[derive(Clone, Debug, PartialEq)]
pub struct PastAlert {
    /// How it was written.
    pub written: Written,
    /// Line of the input that it begins on, from 1.
    pub line: u64,
    /// Its time, nanoseconds since the epoch; text without a date has none.
    pub time_ns: Option<u64>,
    /// The time as it was written, where [`PastAlert::time_ns`] could not be made of it.
    pub time_text: Option<String>,
    /// Host.
    pub hostname: Option<String>,
    /// Rule.
    pub rule: Option<String>,
    /// Priority, as written.
    pub priority: Option<String>,
    /// Event source.
    pub source: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// The text of the alert.
    pub output: Option<String>,
    /// The values.
    pub fields: Fields,
}

impl PastAlert {
    /// Time of the event with the name of what says it.
    #[must_use]
    pub fn event_ns(&self) -> Option<(u64, &'static str)> {
        let field = |name| self.fields.time_ns(name).map(|ns| (ns, name));
        let time = self.time_ns.map(|ns| (ns, "time"));
        time.or_else(|| ["evt.time", "evt.time.iso8601", "evt.rawtime"].into_iter().find_map(field))
    }

    /// About how many bytes it takes in memory.
    #[must_use]
    pub fn footprint(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
        let texts = [&self.time_text, &self.hostname, &self.rule, &self.priority, &self.source, &self.output];
        size_of::<Self>()
            + texts.into_iter().map(text).sum::<usize>()
            + self.tags.iter().map(|tag| tag.capacity() + size_of::<String>()).sum::<usize>()
            + map_footprint(self.fields.all())
    }

    /// Whether it is about the agent itself (lost events, metrics).
    #[must_use]
    pub fn is_internal(&self) -> bool {
        self.source.as_deref() == Some("internal")
            || self.rule.as_deref().is_some_and(|rule| rule.starts_with("Falco internal: "))
    }
}

/// What a key and the tree around it take, beside their texts.
const ENTRY: usize = 96;

fn map_footprint(map: &Map<String, Value>) -> usize {
    map.iter().map(|(key, value)| ENTRY + key.capacity() + value_footprint(value)).sum()
}

fn value_footprint(value: &Value) -> usize {
    match value {
        Value::String(text) => text.capacity(),
        Value::Array(items) => {
            items.iter().map(|item| size_of::<Value>() + value_footprint(item)).sum::<usize>()
        }
        Value::Object(map) => map_footprint(map),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// The values of an alert, by the names of their fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Takes over `output_fields`.
    #[must_use]
    pub const fn new(values: Map<String, Value>) -> Self {
        Self(values)
    }

    /// As they were read.
    #[must_use]
    pub const fn all(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Puts a value in.
    pub fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// Takes a value out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    /// Whether the alert has this field, with or without a value.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The value as it was read; `None` for null and for Falco's word `<NA>`.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        match self.0.get(name)? {
            Value::Null => None,
            Value::String(text) if text == "<NA>" => None,
            value => Some(value),
        }
    }

    /// A text that is not empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.value(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// Whether the value is known to be empty.
    #[must_use]
    pub fn is_empty(&self, name: &str) -> bool {
        self.value(name).and_then(Value::as_str) == Some("")
    }

    /// A number that can be negative; also one that was written as text.
    #[must_use]
    pub fn signed(&self, name: &str) -> Option<i64> {
        let value = self.value(name)?;
        value.as_i64().or_else(|| value.as_str()?.parse().ok())
    }

    /// A number that cannot.
    #[must_use]
    pub fn unsigned(&self, name: &str) -> Option<u64> {
        let value = self.value(name)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }

    /// A time in nanoseconds since the epoch; 0 says that it is not known.
    #[must_use]
    pub fn time_ns(&self, name: &str) -> Option<u64> {
        self.unsigned(name).filter(|ns| *ns > 0)
    }

    /// A truth value.
    #[must_use]
    pub fn truth(&self, name: &str) -> Option<bool> {
        let value = self.value(name)?;
        value.as_bool().or_else(|| value.as_str()?.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Fields;

    fn fields(value: Value) -> Fields {
        match value {
            Value::Object(map) => Fields::new(map),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn what_has_no_value_is_none_and_not_a_word() {
        let fields = fields(json!({"user.name": "<NA>", "a": null, "b": "", "c": 0, "d": "x"}));
        assert_eq!((fields.text("user.name"), fields.text("a"), fields.text("b")), (None, None, None));
        assert!(fields.is_empty("b") && !fields.is_empty("a") && fields.names("a") && !fields.names("z"));
        assert_eq!((fields.time_ns("c"), fields.unsigned("c"), fields.text("d")), (None, Some(0), Some("x")));
    }

    #[test]
    fn numbers_stay_whole() {
        let fields =
            fields(json!({"big": u64::MAX, "neg": -1, "text": "1795316194489558928", "yes": "true"}));
        assert_eq!((fields.unsigned("big"), fields.signed("neg")), (Some(u64::MAX), Some(-1)));
        assert_eq!(fields.unsigned("text"), Some(1_795_316_194_489_558_928));
        assert_eq!(fields.truth("yes"), Some(true));
    }
}

//! Sentences that know which fields they come from. Reports are made of these and of nothing else, so that nothing can
//! be stated that no field says.

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use super::inert::visible;

/// A piece of a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Ours.
    Words(String),
    /// From the alert; made visible, otherwise untrusted.
    Value(String),
    /// That something is not known, and why.
    Unknown(String),
}

/// A sentence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentence {
    /// Its pieces, in order.
    pub parts: Vec<Part>,
    /// The fields that it comes from; empty for one that holds for every alert.
    pub from: Vec<String>,
}

/// A value with the fields that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact<T> {
    /// The value.
    pub value: T,
    /// Names of fields.
    pub from: Vec<String>,
}

impl Serialize for Sentence {
    /// Also as one text, for programs that only show it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Sentence", 3)?;
        out.serialize_field("text", &self.text())?;
        out.serialize_field("parts", &self.parts)?;
        out.serialize_field("from", &self.from)?;
        out.end()
    }
}

impl<T> Fact<T> {
    /// A value of one field.
    pub fn new(value: T, from: &str) -> Self {
        Self { value, from: vec![from.to_owned()] }
    }

    /// A value that was computed from several.
    pub fn of(value: T, from: &[&str]) -> Self {
        Self { value, from: from.iter().map(|name| (*name).to_owned()).collect() }
    }

    /// The value changed, its source kept.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Fact<U> {
        Fact { value: change(self.value), from: self.from }
    }
}

impl Sentence {
    /// Begins a sentence.
    #[must_use]
    pub fn new(words: &str) -> Self {
        Self::default().words(words)
    }

    /// Words of ours.
    #[must_use]
    pub fn words(mut self, words: &str) -> Self {
        if !words.is_empty() {
            self.parts.push(Part::Words(words.to_owned()));
        }
        self
    }

    /// A value from the alert.
    #[must_use]
    pub fn value<T: ToString>(mut self, fact: &Fact<T>) -> Self {
        self.parts.push(Part::Value(visible(&fact.value.to_string())));
        self.because(&fact.from)
    }

    /// Words of ours that a fact makes true.
    #[must_use]
    pub fn fact(self, fact: &Fact<impl AsRef<str>>) -> Self {
        self.words(fact.value.as_ref()).because(&fact.from)
    }

    /// That something is not known.
    #[must_use]
    pub fn unknown(mut self, what: &str) -> Self {
        self.parts.push(Part::Unknown(what.to_owned()));
        self
    }

    /// Names fields that make the sentence true.
    #[must_use]
    pub fn because(mut self, from: &[String]) -> Self {
        for name in from.iter().map(|name| visible(name)) {
            if !self.from.contains(&name) {
                self.from.push(name);
            }
        }
        self
    }

    /// Appends another sentence's pieces.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        self.parts.extend(other.parts);
        self.because(&other.from)
    }

    /// As plain text, values in quotes.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Words(words) | Part::Unknown(words) => text.push_str(words),
                Part::Value(value) => {
                    text.push('"');
                    text.push_str(&value.replace('"', "\\\""));
                    text.push('"');
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Fact, Sentence};

    #[test]
    fn a_sentence_knows_its_fields() {
        let path = Fact::new("/tmp/\u{1b}x\"".to_owned(), "proc.exepath");
        let root = Fact::new("as root", "user.uid");
        let sentence = Sentence::new("").value(&path).words(" ran ").fact(&root).words(".");
        assert_eq!(sentence.text(), "\"/tmp/\\u{1b}x\\\"\" ran as root.");
        assert_eq!(sentence.from, ["proc.exepath", "user.uid"]);
    }
}

//! Single values out of the configuration tree. What does not fit is noted with its place, and a default goes on.

use std::{sync::Arc, time::Duration};

use super::SettingError;
use crate::config::{Kind, Tree};

/// Reads values by the path of their key.
pub(super) struct Values<'a> {
    pub(super) tree: &'a Tree,
    pub(super) errors: Vec<SettingError>,
}

impl<'a> Values<'a> {
    pub(super) fn new(tree: &'a Tree) -> Self {
        Self { tree, errors: Vec::new() }
    }

    /// What stands at `a.b`.
    pub(super) fn at(&self, path: &str) -> Option<&'a Tree> {
        path.split('.').try_fold(self.tree, |tree, key| tree.get(key))
    }

    /// The place of a key, or of the nearest thing above it.
    pub(super) fn place(&self, path: &str) -> Arc<str> {
        let mut found = self.tree;
        for key in path.split('.') {
            match found.get(key) {
                Some(below) => found = below,
                None => break,
            }
        }
        Arc::clone(&found.place)
    }

    pub(super) fn bool(&mut self, path: &str, default: bool) -> bool {
        let Some(value) = self.at(path) else { return default };
        match &value.kind {
            Kind::Scalar(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" => return true,
                "false" | "no" | "off" => return false,
                _ => {}
            },
            Kind::Null => return default,
            _ => {}
        }
        self.wrong(path, value, "true or false");
        default
    }

    /// Text that is not empty.
    pub(super) fn text(&mut self, path: &str) -> Option<String> {
        let value = self.at(path)?;
        self.as_text(path, value).filter(|text| !text.is_empty())
    }

    pub(super) fn as_text(&mut self, path: &str, value: &Tree) -> Option<String> {
        match &value.kind {
            Kind::Scalar(text) => Some(text.clone()),
            Kind::Null => None,
            _ => {
                self.wrong(path, value, "text");
                None
            }
        }
    }

    pub(super) fn texts(&mut self, path: &str) -> Vec<String> {
        let Some(value) = self.at(path) else { return Vec::new() };
        match &value.kind {
            Kind::List(items) => items.iter().filter_map(|item| self.as_text(path, item)).collect(),
            Kind::Scalar(text) => vec![text.clone()],
            Kind::Null => Vec::new(),
            Kind::Map(_) => {
                self.wrong(path, value, "a list of texts");
                Vec::new()
            }
        }
    }

    /// A whole number of at least 0.
    pub(super) fn number<N: std::str::FromStr>(&mut self, path: &str, default: N) -> N {
        self.parsed(path, "a whole number", |text| text.parse().ok()).unwrap_or(default)
    }

    pub(super) fn millis(&mut self, path: &str, default: Duration) -> Duration {
        let whole = |text: &str| text.parse().ok().map(Duration::from_millis);
        self.parsed(path, "a number of milliseconds", whole).unwrap_or(default)
    }

    pub(super) fn duration(&mut self, path: &str, default: Duration) -> Duration {
        let wanted = "a time with its unit, for example 250ms, 10s or 1h 30m";
        self.parsed(path, wanted, |text| humantime::parse_duration(text).ok()).unwrap_or(default)
    }

    /// As [`Self::duration`], or a whole number of milliseconds.
    pub(super) fn interval(&mut self, path: &str, default: Duration) -> Duration {
        let either = |text: &str| {
            let whole = text.parse().ok().map(Duration::from_millis);
            whole.or_else(|| humantime::parse_duration(text).ok())
        };
        self.parsed(path, "a time, for example 15m, 1h 30m or 1000 (milliseconds)", either).unwrap_or(default)
    }

    /// A number of at least 0 with a fraction.
    pub(super) fn fraction(&mut self, path: &str, default: f64) -> f64 {
        let parse =
            |text: &str| text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
        self.parsed(path, "a number of at least 0", parse).unwrap_or(default)
    }

    /// Bytes.
    pub(super) fn size(&mut self, path: &str, default: u64) -> u64 {
        self.parsed(path, "a number of bytes, for example 67108864 or 64 MiB", bytes).unwrap_or(default)
    }

    /// The index of one of these words.
    pub(super) fn word(&mut self, path: &str, words: &[&str]) -> Option<usize> {
        let text = self.text(path)?;
        let found = words.iter().position(|word| text.eq_ignore_ascii_case(word));
        if found.is_none() {
            let place = self.place(path);
            let error =
                SettingError::Word { place, key: path.to_owned(), words: words.join(", "), found: text };
            self.errors.push(error);
        }
        found
    }

    fn parsed<V>(
        &mut self,
        path: &str,
        wanted: &'static str,
        parse: impl Fn(&str) -> Option<V>,
    ) -> Option<V> {
        let value = self.at(path)?;
        let parsed = match &value.kind {
            Kind::Null => return None,
            Kind::Scalar(text) => parse(text.trim()),
            _ => None,
        };
        if parsed.is_none() {
            self.wrong(path, value, wanted);
        }
        parsed
    }

    pub(super) fn wrong(&mut self, path: &str, value: &Tree, wanted: &'static str) {
        let place = Arc::clone(&value.place);
        self.errors.push(SettingError::Kind { place, key: path.to_owned(), wanted, found: described(value) });
    }
}

/// `64 MiB`, `1G`, `1000`: units are powers of 1024 with and without `i`, as nobody means another thing on disk.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let shift = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

pub(super) fn described(value: &Tree) -> String {
    match &value.kind {
        Kind::Null => "nothing".to_owned(),
        Kind::Scalar(text) => format!("`{text}`"),
        Kind::List(_) => "a list".to_owned(),
        Kind::Map(_) => "a map".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes() {
        assert_eq!(
            ["7", "64 MiB", "1g", "2KB"].map(bytes),
            [Some(7), Some(64 << 20), Some(1 << 30), Some(2048)]
        );
        assert_eq!(
            ["", "x", "-1", "1.5M", "1 XiB", "99999999999999999999", "99999999T"].map(bytes),
            [None; 7]
        );
    }
}

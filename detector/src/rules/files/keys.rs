//! The keys of each kind of item, and which of them `override` may name.

use crate::yaml::{Node, Value};

/// The kinds of items in the order in which their keys are looked for.
pub(super) const KINDS: [&str; 5] =
    ["required_engine_version", "required_plugin_versions", "list", "macro", "rule"];

/// Keys of a list.
pub(super) const LIST: [&str; 4] = ["list", "items", "append", "override"];

/// Keys of a macro.
pub(super) const MACRO: [&str; 4] = ["macro", "condition", "append", "override"];

/// Keys of a rule.
pub(super) const RULE: [&str; 15] = [
    "rule",
    "desc",
    "condition",
    "output",
    "priority",
    "source",
    "enabled",
    "tags",
    "exceptions",
    "warn_evttypes",
    "skip-if-unknown-filter",
    "capture",
    "capture_duration",
    "override",
    "append",
];

/// Keys of an exception.
pub(super) const EXCEPTION: [&str; 4] = ["name", "fields", "comps", "values"];

/// Keys of a rule that can be added to.
pub(super) const RULE_APPEND: [&str; 5] = ["condition", "output", "desc", "tags", "exceptions"];

/// Keys of a rule that can be replaced.
pub(super) const RULE_REPLACE: [&str; 11] = [
    "condition",
    "output",
    "desc",
    "tags",
    "exceptions",
    "priority",
    "enabled",
    "warn_evttypes",
    "skip-if-unknown-filter",
    "capture",
    "capture_duration",
];

/// A map of the file: the first use of a key counts.
#[derive(Clone, Copy)]
pub(super) struct Map<'n>(pub(super) &'n [(Node, Node)]);

impl<'n> Map<'n> {
    /// The value of a key.
    pub(super) fn get(self, key: &str) -> Option<&'n Node> {
        self.0.iter().find(|(name, _)| text_of(name) == Some(key)).map(|(_, value)| value)
    }

    /// Whether the key is there.
    pub(super) fn has(self, key: &str) -> bool {
        self.get(key).is_some()
    }
}

/// The text of a scalar.
pub(super) fn text_of(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar(text, _) => Some(text),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) => None,
    }
}

/// A truth value, in all the ways of writing it that YAML 1.1 has.
pub(super) fn truth(text: &str) -> Option<bool> {
    let mixed = |text: &str| {
        let lower = text.to_ascii_lowercase();
        let capital = lower.get(..1).map(|first| first.to_ascii_uppercase() + &lower[1..]);
        (text == lower || text == text.to_ascii_uppercase() || Some(text) == capital.as_deref())
            .then_some(lower)
    };
    match mixed(text)?.as_str() {
        "true" | "yes" | "on" | "y" => Some(true),
        "false" | "no" | "off" | "n" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::truth;

    #[test]
    fn truth_is_written_in_many_ways() {
        for (text, value) in [
            ("true", Some(true)),
            ("True", Some(true)),
            ("YES", Some(true)),
            ("on", Some(true)),
            ("y", Some(true)),
            ("false", Some(false)),
            ("No", Some(false)),
            ("OFF", Some(false)),
            ("tRue", None),
            ("1", None),
            ("", None),
            ("ä", None),
        ] {
            assert_eq!(truth(text), value, "{text:?}");
        }
    }
}

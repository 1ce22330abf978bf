//! Which of the loaded rules run: switched on and off by name or tag, and severe enough.

use std::collections::BTreeSet;

use crate::alert::Priority;

/// One entry of the option `rules`: switches the rules that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// On or off.
    pub enable: bool,
    /// Which.
    pub which: Which,
}

/// The rules that a selection names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those whose name matches; `*` stands for any run of characters.
    Name(String),
    /// Those with this tag.
    Tag(String),
}

impl Which {
    /// Whether a rule is among them.
    #[must_use]
    pub fn matches(&self, name: &str, tags: &BTreeSet<String>) -> bool {
        match self {
            Self::Name(pattern) => wildcard(pattern, name),
            Self::Tag(tag) => tags.contains(tag),
        }
    }
}

/// Whether a rule runs: its own switch, then the selections in order (the last that names it wins), and at least as
/// severe as `minimum`.
#[must_use]
pub fn runs(
    (name, tags, priority, enabled): (&str, &BTreeSet<String>, Priority, bool),
    selections: &[Selection],
    minimum: Priority,
) -> bool {
    let last = selections.iter().rev().find(|selection| selection.which.matches(name, tags));
    last.map_or(enabled, |selection| selection.enable) && priority <= minimum
}

/// Whether `text` matches `pattern`, where `*` is any run of characters.
fn wildcard(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    // split gives at least one part.
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::{Selection, Which, runs, wildcard};
    use crate::alert::Priority;

    #[test]
    fn a_star_is_any_run_of_characters() {
        let cases = [
            ("", "", true),
            ("", "a", false),
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("*", "", true),
            ("**", "abc", true),
            ("*bc", "abc", true),
            ("*bc", "abcabc", true),
            ("*b", "abc", false),
            ("ab*", "abc", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*a", "a", false),
            ("a*b*c", "a--b--b--c", true),
            ("a*b*c", "a--c--b", false),
            ("Drop*", "Drop and execute", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(wildcard(pattern, text), expected, "{pattern:?} on {text:?}");
        }
    }

    #[test]
    fn the_last_selection_wins_and_the_minimum_holds() {
        let selection = |enable, which| Selection { enable, which };
        let all_off = selection(false, Which::Name("*".to_owned()));
        let tag_on = selection(true, Which::Tag("t".to_owned()));
        let tags = ["t".to_owned()].into();
        let run = |enabled, selections: &[Selection], minimum| {
            runs(("R", &tags, Priority::Notice, enabled), selections, minimum)
        };
        assert!(run(true, &[], Priority::Debug));
        assert!(!run(false, &[], Priority::Debug));
        assert!(!run(true, &[], Priority::Warning));
        assert!(run(true, &[], Priority::Notice));
        assert!(run(false, &[all_off.clone(), tag_on.clone()], Priority::Debug));
        assert!(!run(true, &[tag_on, all_off], Priority::Debug));
    }
}

//! One finding about the rule files: what, where, inside of what, and what to do about it.

use super::Code;
use crate::rules::files::Place;

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its kind.
    pub code: Code,
    /// What is wrong: a lowercase fragment.
    pub message: String,
    /// Where.
    pub place: Place,
    /// What to write beside the marker, shorter than the message.
    pub label: Option<String>,
    /// What to do next.
    pub help: Option<String>,
    /// The items around it, outermost first.
    pub within: Vec<Within>,
}

/// A part of a rule file that a finding lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Within {
    /// What it is: `rule`, `macro`, `exception` ...; the names of Falco's reports.
    pub kind: &'static str,
    /// Its name, empty if it has none.
    pub name: String,
    /// Where it starts.
    pub place: Place,
}

impl Diagnostic {
    /// A finding without advice.
    #[must_use]
    pub fn new(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), place, label: None, help: None, within: Vec::new() }
    }

    /// Says what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says something beside the marker.
    #[must_use]
    pub fn label(mut self, label: &str) -> Self {
        self.label = (!label.is_empty()).then(|| label.to_owned());
        self
    }

    /// Says what to do next if there is something to say.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// Says what it lies in.
    #[must_use]
    pub fn within(mut self, within: &[Within]) -> Self {
        self.within = within.to_vec();
        self
    }
}

/// Help for a word that is not known: the nearest known one, if it is near enough to be a slip.
#[must_use]
pub fn did_you_mean<'n>(word: &str, known: impl IntoIterator<Item = &'n str>) -> Option<String> {
    detector_rule_lang::did_you_mean(word, known).map(|name| format!("did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["condition", "output", "priority", "tags"];
        let help = |word| did_you_mean(word, known);
        assert_eq!(help("condtion"), Some("did you mean `condition`?".to_owned()));
        assert_eq!(help("pirority"), Some("did you mean `priority`?".to_owned()));
        assert_eq!(help("exceptions"), None);
    }
}

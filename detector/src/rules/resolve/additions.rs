//! What is added to the outputs of rules beside what their files say: text, and fields of the structured output.

use std::collections::BTreeSet;

use detector_rule_lang::Template;

use super::definitions::RuleDefinition;

/// What is added to the rules' outputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// What takes the place of `%container.info`. Empty: the token is deprecated and leaves nothing.
    pub container_info: String,
    /// Outputs without the token get it too, after a blank.
    pub container_info_everywhere: bool,
    /// What is added, in this order.
    pub append_output: Vec<AppendOutput>,
}

/// What is added to the outputs of some rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppendOutput {
    /// Text with fields, added after a blank; empty = none.
    pub format: String,
    /// Fields that only the structured output shows.
    pub fields: Vec<ExtraField>,
    /// Only to rules of this source.
    pub source: Option<String>,
    /// Only to the rule with this name.
    pub rule: Option<String>,
    /// Only to rules with all of these tags.
    pub tags: BTreeSet<String>,
}

/// A field that only the structured output shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtraField {
    /// A field under its own name, as a typed value.
    Plain(String),
    /// Text with fields in it, under a name.
    Formatted {
        /// The name.
        name: String,
        /// The text.
        format: String,
    },
}

/// An [`ExtraField`], compiled.
#[derive(Clone, Debug)]
pub struct ExtraTemplate<F> {
    /// Its name in the structured output.
    pub name: String,
    /// It is shown as the typed value of the one field that the template is.
    pub plain: bool,
    /// The text.
    pub template: Template<F>,
}

impl AppendOutput {
    pub(super) fn concerns(&self, rule: &RuleDefinition) -> bool {
        self.source.as_ref().is_none_or(|source| *source == rule.source)
            && self.rule.as_ref().is_none_or(|name| *name == rule.name)
            && self.tags.is_subset(&rule.tags)
    }
}

impl ExtraField {
    /// The name in the structured output.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Plain(name) | Self::Formatted { name, .. } => name,
        }
    }

    /// The value as text with fields.
    pub(super) fn format(&self) -> String {
        match self {
            Self::Plain(field) => format!("%{field}"),
            Self::Formatted { format, .. } => format.clone(),
        }
    }
}

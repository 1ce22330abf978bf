//! What a rule file can hold, typed. One item of the file is one value here; what several items make together is
//! decided in `resolve`.

use super::{LocatedText, Place, Version};
use crate::{alert::Priority, rules::report::Within};

/// One item of a rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `required_engine_version`, served by us.
    EngineVersion(Version),
    /// `required_plugin_versions`, all of them built in.
    Plugins(Vec<PluginRequirement>),
    /// `list`
    List(ListItem),
    /// `macro`
    Macro(MacroItem),
    /// `rule`
    Rule(RuleItem),
}

/// A plugin that a file needs, and what would do instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginRequirement {
    /// Name of the plugin.
    pub name: String,
    /// Its version, as written.
    pub version: String,
    /// Others (name and version) that would do.
    pub alternatives: Vec<(String, String)>,
}

/// Where an item stands, for diagnostics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The place of its name.
    pub place: Place,
    /// The parts of the file around it, itself the last.
    pub within: Vec<Within>,
}

/// Text of one scalar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// What it reads.
    pub text: String,
    /// Where it stands.
    pub place: Place,
}

/// A list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListItem {
    /// Its name.
    pub name: String,
    /// Its items: values or names of lists.
    pub items: Vec<Scalar>,
    /// Whether they are added to what is there.
    pub append: bool,
    /// Where it stands.
    pub standing: Standing,
}

/// A macro.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacroItem {
    /// Its name.
    pub name: String,
    /// Its condition.
    pub condition: LocatedText,
    /// Whether the condition is added to what is there.
    pub append: bool,
    /// Where it stands.
    pub standing: Standing,
}

/// A rule, or a change to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleItem {
    /// Its name.
    pub name: String,
    /// The source that is written there, if one is.
    pub source: Option<Scalar>,
    /// What the item does.
    pub action: RuleAction,
    /// Where it stands.
    pub standing: Standing,
}

/// What an item with the key `rule` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleAction {
    /// Defines the rule, also over an earlier definition. Condition, output, description and priority are there.
    Define(Box<RuleKeys>),
    /// Changes an earlier definition: first adds, then replaces.
    Change {
        /// What is added.
        append: Option<Box<RuleKeys>>,
        /// What is replaced.
        replace: Option<Box<RuleKeys>>,
    },
    /// Switches an earlier definition on or off.
    Enable(bool),
}

/// The keys of a rule that are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the keys of the file format")]
pub struct RuleKeys {
    pub condition: Option<LocatedText>,
    pub output: Option<LocatedText>,
    pub desc: Option<String>,
    pub priority: Option<Priority>,
    pub tags: Option<Vec<String>>,
    pub exceptions: Option<Vec<Exception>>,
    pub enabled: Option<bool>,
    pub warn_evttypes: Option<bool>,
    pub skip_if_unknown_filter: Option<bool>,
    pub capture: Option<bool>,
    /// Milliseconds.
    pub capture_duration: Option<u64>,
}

/// A named exception to a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Its name.
    pub name: String,
    /// The fields that are compared.
    pub fields: Option<Entry>,
    /// The operators; each field has one.
    pub comps: Option<Entry>,
    /// What the fields are compared with.
    pub values: Vec<Entry>,
    /// Where it stands.
    pub standing: Standing,
}

/// A scalar or a list of entries, as the file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A scalar.
    One(Scalar),
    /// A list.
    Many(Vec<Entry>, Place),
}

impl Entry {
    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> &Place {
        match self {
            Self::One(scalar) => &scalar.place,
            Self::Many(_, place) => place,
        }
    }
}

//! Resolved settings: typed and checked. Stages get plain values from here, never flags or YAML.

mod keys;
mod reader;

use std::path::PathBuf;

pub use reader::{SettingError, Settled, settle};

use crate::format::{JsonOptions, TimeFormat};

/// How the agent shall run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Rule files and folders of rule files, in order; empty = the rules that are built in.
    pub rules_files: Vec<PathBuf>,
    /// Which rules are switched on and off, in order.
    pub rule_switches: Vec<RuleSwitch>,
    /// Name of the least severe priority whose rules are loaded.
    pub minimum_priority: String,
    /// Every rule that matches gives an alert, and not only the first.
    pub all_matching_rules: bool,
    /// Lines are JSON.
    pub json_output: bool,
    /// What JSON lines contain.
    pub json: JsonOptions,
    /// Time format of texts.
    pub time_format: TimeFormat,
    /// Which tail the output of a rule gets.
    pub output_style: OutputStyle,
    /// Alerts wait in buffers until these are full.
    pub buffered_outputs: bool,
    /// Alerts go to standard output.
    pub stdout_enabled: bool,
    /// Alerts go to this file.
    pub file: Option<FileSettings>,
    /// The debug log of the kernel side goes to stderr.
    pub kernel_log: bool,
    /// Records are written to this file, for `detector replay`.
    pub record_to: Option<PathBuf>,
}

/// A rule switched on or off at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSwitch {
    /// On or off.
    pub enable: bool,
    /// Which.
    pub selector: RuleSelector,
}

/// Which rules a switch means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleSelector {
    /// By name; `*` stands for any characters.
    Name(String),
    /// By tag.
    Tag(String),
}

/// The file that alerts go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSettings {
    /// Its path.
    pub path: PathBuf,
    /// It is opened once, and not for each alert.
    pub keep_alive: bool,
}

/// What `%container.info` and the tail of an output are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OutputStyle {
    /// As Falco 0.41 and later: suggested fields behind the output.
    #[default]
    Current,
    /// As Falco 0.39 and 0.40: `%container.info` is the container's id and name.
    Classic,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rules_files: Vec::new(),
            rule_switches: Vec::new(),
            minimum_priority: "debug".to_owned(),
            all_matching_rules: false,
            json_output: false,
            json: JsonOptions::default(),
            time_format: TimeFormat::default(),
            output_style: OutputStyle::default(),
            buffered_outputs: false,
            stdout_enabled: true,
            file: None,
            kernel_log: false,
            record_to: None,
        }
    }
}

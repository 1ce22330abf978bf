//! Resolved settings: typed and checked. Stages get plain values from here, never flags or YAML.

mod additions;
mod keys;
mod reader;

use std::path::PathBuf;

pub use reader::{SettingError, Settled, settle};

use crate::{
    format::{JsonOptions, TimeFormat},
    rules::RuleChoice,
};

/// How the agent shall run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which rules run.
    pub rules: RuleChoice,
    /// Lines are JSON.
    pub json_output: bool,
    /// What JSON lines contain.
    pub json: JsonOptions,
    /// Time format of texts.
    pub time_format: TimeFormat,
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

/// The file that alerts go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSettings {
    /// Its path.
    pub path: PathBuf,
    /// It is opened once, and not for each alert.
    pub keep_alive: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rules: RuleChoice::default(),
            json_output: false,
            json: JsonOptions::default(),
            time_format: TimeFormat::default(),
            buffered_outputs: false,
            stdout_enabled: true,
            file: None,
            kernel_log: false,
            record_to: None,
        }
    }
}

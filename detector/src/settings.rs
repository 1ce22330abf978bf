//! Resolved settings: typed and checked. Stages get plain values from here, never flags or YAML.

mod additions;
mod keys;
mod other_keys;
mod outputs;
mod reader;
mod values;

use std::path::PathBuf;

pub use reader::{SettingError, Settled, settle};

use crate::{
    format::{JsonOptions, TimeFormat},
    output::OutputSettings,
    rules::RuleChoice,
    telemetry::logging::LogSettings,
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
    /// Where alerts go.
    pub outputs: OutputSettings,
    /// The agent's own log.
    pub log: LogSettings,
    /// The debug log of the kernel side goes to stderr.
    pub kernel_log: bool,
    /// Records are written to this file, for `detector replay`.
    pub record_to: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rules: RuleChoice::default(),
            json_output: false,
            json: JsonOptions::default(),
            time_format: TimeFormat::default(),
            outputs: OutputSettings { stdout: true, ..OutputSettings::default() },
            log: LogSettings::default(),
            kernel_log: false,
            record_to: None,
        }
    }
}

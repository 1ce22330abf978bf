//! `pin`: whether the hooks outlive the agent.

use std::path::PathBuf;

use super::values::Values;

/// Where hooks are found by the next agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinSettings {
    /// `enabled`: the hooks stay armed when the agent ends.
    pub enabled: bool,
    /// `path`: the folder, on a bpffs.
    pub folder: PathBuf,
}

impl Default for PinSettings {
    fn default() -> Self {
        Self { enabled: false, folder: PathBuf::from("/sys/fs/bpf/detector") }
    }
}

pub(super) fn pins(values: &mut Values<'_>) -> PinSettings {
    let defaults = PinSettings::default();
    PinSettings {
        enabled: values.bool("pin.enabled", defaults.enabled),
        folder: values.text("pin.path").map_or(defaults.folder, PathBuf::from),
    }
}

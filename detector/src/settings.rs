//! Resolved settings: typed and checked. Stages get plain values from here, never flags or YAML.

use crate::format::{JsonOptions, TimeFormat};

/// How the agent shall run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Lines are JSON.
    pub json_output: bool,
    /// What JSON lines contain.
    pub json: JsonOptions,
    /// Time format of texts.
    pub time_format: TimeFormat,
    /// Alerts wait in buffers until these are full.
    pub buffered_outputs: bool,
    /// The debug log of the kernel side goes to stderr.
    pub kernel_log: bool,
    /// Stop by itself after so many seconds.
    pub stop_after_seconds: Option<u64>,
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// No `=`.
    #[error("`-o {0}` is not KEY=VALUE; for example: -o json_output=true")]
    NotKeyValue(String),
    /// An unknown key.
    #[error("setting `{key}` is unknown; known settings: {known}")]
    UnknownKey {
        /// The key.
        key: String,
        /// All keys.
        known: String,
    },
    /// Not a truth value.
    #[error("setting `{key}` takes true or false, not `{value}`")]
    NotBool {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
}

type Set = fn(&mut Settings, bool);

const SWITCHES: [(&str, Set); 8] = [
    ("buffered_outputs", |settings, value| settings.buffered_outputs = value),
    ("json_include_message_property", |settings, value| settings.json.message = value),
    ("json_include_output_fields_property", |settings, value| settings.json.output_fields = value),
    ("json_include_output_property", |settings, value| settings.json.output = value),
    ("json_include_tags_property", |settings, value| settings.json.tags = value),
    ("json_output", |settings, value| settings.json_output = value),
    ("kernel_log", |settings, value| settings.kernel_log = value),
    ("time_format_iso_8601", |settings, value| {
        settings.time_format = if value { TimeFormat::Iso8601 } else { TimeFormat::Local };
    }),
];

impl Settings {
    /// Applies one `KEY=VALUE`.
    pub fn set(&mut self, assignment: &str) -> Result<(), SettingError> {
        let (key, value) =
            assignment.split_once('=').ok_or_else(|| SettingError::NotKeyValue(assignment.to_owned()))?;
        let (key, value) = (key.trim(), value.trim());
        let (_, set) = SWITCHES.iter().find(|(name, _)| *name == key).ok_or_else(|| {
            SettingError::UnknownKey { key: key.to_owned(), known: SWITCHES.map(|(name, _)| name).join(", ") }
        })?;
        let value = match value {
            "true" => true,
            "false" => false,
            _ => return Err(SettingError::NotBool { key: key.to_owned(), value: value.to_owned() }),
        };
        set(self, value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{SettingError, Settings};
    use crate::format::TimeFormat;

    #[test]
    fn switches_are_set() {
        let mut settings = Settings::default();
        settings.set("json_output=true").unwrap();
        settings.set("time_format_iso_8601 = true").unwrap();
        settings.set("json_include_tags_property=false").unwrap();
        assert!(settings.json_output && !settings.json.tags);
        assert_eq!(settings.time_format, TimeFormat::Iso8601);
    }

    #[test]
    fn bad_settings_are_refused_by_name() {
        let mut settings = Settings::default();
        assert!(matches!(settings.set("json_output"), Err(SettingError::NotKeyValue(_))));
        assert!(matches!(settings.set("jsn=true"), Err(SettingError::UnknownKey { .. })));
        assert!(matches!(settings.set("json_output=1"), Err(SettingError::NotBool { .. })));
    }
}

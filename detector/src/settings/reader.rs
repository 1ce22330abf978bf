//! From the configuration tree to settings. All mistakes are reported in one go, each with its place.

use std::{path::PathBuf, sync::Arc};

use super::{FileSettings, Settings, additions, keys};
use crate::{
    alert::Priority,
    config::{Kind, Tree},
    format::TimeFormat,
    rules::{
        OutputAdditions, OutputStyle, RuleChoice,
        files::parse_priority,
        resolve::{Selection, Which},
    },
};

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// Not a truth value.
    #[error("{place}: `{key}` takes true or false, not {found}")]
    NotBool {
        /// Where.
        place: Arc<str>,
        /// The key.
        key: String,
        /// What stands there.
        found: String,
    },
    /// Not text.
    #[error("{place}: `{key}` takes {wanted}, not {found}")]
    Kind {
        /// Where.
        place: Arc<str>,
        /// The key.
        key: String,
        /// What it takes.
        wanted: &'static str,
        /// What stands there.
        found: String,
    },
    /// Not one of the words.
    #[error("{place}: `{key}` is one of {words}, not `{found}`")]
    Word {
        /// Where.
        place: Arc<str>,
        /// The key.
        key: &'static str,
        /// The words.
        words: &'static str,
        /// What stands there.
        found: String,
    },
    /// Both the old and the new key.
    #[error("{place}: `rules_file` is the old name of `rules_files`; both are set, remove one")]
    BothRulesFiles {
        /// Where.
        place: Arc<str>,
    },
    /// Alerts would go nowhere.
    #[error(
        "no output is enabled, so alerts would go nowhere; set stdout_output.enabled or file_output.enabled"
    )]
    NoOutput,
    /// A file output without a file.
    #[error("{place}: file_output is enabled but file_output.filename is not set")]
    NoFileName {
        /// Where.
        place: Arc<str>,
    },
}

/// Settings and what is worth saying about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The settings.
    pub settings: Settings,
    /// Keys that are accepted but do not concern this program.
    pub ignored: Vec<String>,
    /// Keys that nobody knows: text with a suggestion.
    pub warnings: Vec<String>,
}

/// Reads all settings out of a tree.
pub fn settle(tree: &Tree) -> Result<Settled, Vec<SettingError>> {
    let mut reader = Reader { tree, errors: Vec::new() };
    let settings = reader.settings();
    let mut errors = reader.errors;
    if errors.is_empty() && !settings.stdout_enabled && settings.file.is_none() {
        errors.push(SettingError::NoOutput);
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let (ignored, warnings) = other_keys(tree);
    Ok(Settled { settings, ignored, warnings })
}

struct Reader<'a> {
    tree: &'a Tree,
    errors: Vec<SettingError>,
}

impl Reader<'_> {
    fn settings(&mut self) -> Settings {
        let defaults = Settings::default();
        let mut json = defaults.json.clone();
        json.message = self.bool("json_include_message_property", json.message);
        json.output = self.bool("json_include_output_property", json.output);
        json.output_fields = self.bool("json_include_output_fields_property", json.output_fields);
        json.tags = self.bool("json_include_tags_property", json.tags);
        let iso = self.bool("time_format_iso_8601", false);
        let rules = RuleChoice {
            files: self.rules_files(),
            selections: self.selections(),
            minimum: self.priority().unwrap_or(Priority::Debug),
            all_matching: self.word("rule_matching", "first or all", &["first", "all"]) == Some(1),
            additions: self.additions(),
        };
        Settings {
            rules,
            json_output: self.bool("json_output", false),
            json,
            time_format: if iso { TimeFormat::Iso8601 } else { TimeFormat::Local },
            buffered_outputs: self.bool("buffered_outputs", false),
            stdout_enabled: self.bool_below("stdout_output", "enabled", defaults.stdout_enabled),
            file: self.file(),
            kernel_log: self.bool("kernel_log", false),
            record_to: self.text("record_to").map(PathBuf::from),
        }
    }

    fn additions(&mut self) -> OutputAdditions {
        let style = match self.word("output_style", "current or classic", &["current", "classic"]) {
            Some(1) => OutputStyle::Classic,
            _ => OutputStyle::Current,
        };
        let appended = additions::appended(self.tree, &mut self.errors);
        let static_fields = additions::static_fields(self.tree, &mut self.errors);
        OutputAdditions { style, appended, print: None, static_fields }
    }

    fn bool(&mut self, key: &str, default: bool) -> bool {
        self.tree.get(key).map_or(default, |value| self.as_bool(key, value, default))
    }

    fn bool_below(&mut self, section: &str, key: &str, default: bool) -> bool {
        let value = self.tree.get(section).and_then(|section| section.get(key));
        value.map_or(default, |value| self.as_bool(&format!("{section}.{key}"), value, default))
    }

    fn as_bool(&mut self, key: &str, value: &Tree, default: bool) -> bool {
        match &value.kind {
            Kind::Scalar(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" => return true,
                "false" | "no" | "off" => return false,
                _ => {}
            },
            Kind::Null => return default,
            _ => {}
        }
        self.errors.push(SettingError::NotBool {
            place: Arc::clone(&value.place),
            key: key.to_owned(),
            found: described(value),
        });
        default
    }

    fn text(&mut self, key: &str) -> Option<String> {
        let value = self.tree.get(key)?;
        self.as_text(key, value)
    }

    fn as_text(&mut self, key: &str, value: &Tree) -> Option<String> {
        match &value.kind {
            Kind::Scalar(text) => Some(text.clone()),
            Kind::Null => None,
            _ => {
                self.wrong_kind(key, value, "text");
                None
            }
        }
    }

    fn wrong_kind(&mut self, key: &str, value: &Tree, wanted: &'static str) {
        self.errors.push(SettingError::Kind {
            place: Arc::clone(&value.place),
            key: key.to_owned(),
            wanted,
            found: described(value),
        });
    }

    fn word(&mut self, key: &'static str, words: &'static str, allowed: &[&str]) -> Option<usize> {
        let text = self.text(key)?;
        let found = allowed.iter().position(|word| text.eq_ignore_ascii_case(word));
        if found.is_none() {
            self.unknown_word(key, words, text);
        }
        found
    }

    fn unknown_word(&mut self, key: &'static str, words: &'static str, found: String) {
        let place = self.tree.get(key).map_or_else(|| Arc::from(key), |value| Arc::clone(&value.place));
        self.errors.push(SettingError::Word { place, key, words, found });
    }

    fn priority(&mut self) -> Option<Priority> {
        const WORDS: &str = "emergency, alert, critical, error, warning, notice, informational, debug";
        let text = self.text("priority")?;
        let priority = parse_priority(&text);
        if priority.is_none() {
            self.unknown_word("priority", WORDS, text);
        }
        priority
    }

    fn rules_files(&mut self) -> Vec<PathBuf> {
        let value = match (self.tree.get("rules_files"), self.tree.get("rules_file")) {
            (Some(_), Some(old)) => {
                self.errors.push(SettingError::BothRulesFiles { place: Arc::clone(&old.place) });
                return Vec::new();
            }
            (Some(value), None) | (None, Some(value)) => value,
            (None, None) => return Vec::new(),
        };
        match &value.kind {
            Kind::List(items) => {
                items.iter().filter_map(|item| self.as_text("rules_files", item)).map(PathBuf::from).collect()
            }
            Kind::Scalar(path) => vec![PathBuf::from(path)],
            Kind::Null => Vec::new(),
            Kind::Map(_) => {
                self.wrong_kind("rules_files", value, "a list of paths");
                Vec::new()
            }
        }
    }

    /// `rules: [{enable: {rule: NAME}}, {disable: {tag: NAME}}]`
    fn selections(&mut self) -> Vec<Selection> {
        const WANTED: &str = "a list of `enable:` and `disable:`, each with `rule:` or `tag:`";
        let Some(value) = self.tree.get("rules") else { return Vec::new() };
        let Kind::List(items) = &value.kind else {
            self.wrong_kind("rules", value, WANTED);
            return Vec::new();
        };
        let mut selections = Vec::new();
        for item in items {
            let Kind::Map(entries) = &item.kind else {
                self.wrong_kind("rules", item, WANTED);
                continue;
            };
            for (verb, what) in entries {
                let enable = match verb.as_str() {
                    "enable" => true,
                    "disable" => false,
                    _ => {
                        self.wrong_kind("rules", item, WANTED);
                        continue;
                    }
                };
                let by_name = what.get("rule").and_then(|value| self.as_text("rules", value));
                let by_tag = what.get("tag").and_then(|value| self.as_text("rules", value));
                let which = match (by_name, by_tag) {
                    (Some(name), None) => Which::Name(name),
                    (None, Some(tag)) => Which::Tag(tag),
                    _ => {
                        self.wrong_kind("rules", what, WANTED);
                        continue;
                    }
                };
                selections.push(Selection { enable, which });
            }
        }
        selections
    }

    fn file(&mut self) -> Option<FileSettings> {
        let section = self.tree.get("file_output")?;
        if !self.bool_below("file_output", "enabled", false) {
            return None;
        }
        let keep_alive = self.bool_below("file_output", "keep_alive", false);
        let name = section.get("filename").and_then(|value| self.as_text("file_output.filename", value));
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            self.errors.push(SettingError::NoFileName { place: Arc::clone(&section.place) });
            return None;
        };
        Some(FileSettings { path: PathBuf::from(name), keep_alive })
    }
}

pub(super) fn described(value: &Tree) -> String {
    match &value.kind {
        Kind::Null => "nothing".to_owned(),
        Kind::Scalar(text) => format!("`{text}`"),
        Kind::List(_) => "a list".to_owned(),
        Kind::Map(_) => "a map".to_owned(),
    }
}

/// Keys that are ignored, and warnings about keys that nobody knows.
fn other_keys(tree: &Tree) -> (Vec<String>, Vec<String>) {
    let Kind::Map(entries) = &tree.kind else { return (Vec::new(), Vec::new()) };
    let mut ignored = Vec::new();
    let mut warnings = Vec::new();
    for (key, value) in entries {
        if keys::KNOWN.contains(&key.as_str()) {
            continue;
        }
        if keys::IGNORED.contains(&key.as_str()) {
            ignored.push(key.clone());
            continue;
        }
        let nearest = keys::KNOWN
            .iter()
            .chain(&keys::IGNORED)
            .map(|known| (strsim::damerau_levenshtein(known, key), known))
            .min()
            .filter(|(distance, _)| *distance <= key.len() / 3);
        let hint = nearest.map_or_else(String::new, |(_, known)| format!("; did you mean `{known}`?"));
        warnings.push(format!("{}: configuration key `{key}` is unknown{hint}", value.place));
    }
    (ignored, warnings)
}

#[cfg(test)]
mod tests {
    use super::{SettingError, Settled, settle};
    use crate::{
        alert::Priority,
        config,
        format::TimeFormat,
        rules::resolve::{Selection, Which},
        settings::{FileSettings, Settings},
    };

    fn from(overrides: &[&str]) -> Result<Settled, Vec<SettingError>> {
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        settle(&config::load(None, &overrides).unwrap().tree)
    }

    #[test]
    fn nothing_set_is_the_defaults() {
        assert_eq!(from(&[]).unwrap().settings, Settings::default());
    }

    #[test]
    fn what_is_set_is_read() {
        let settings = from(&[
            "json_output=true",
            "time_format_iso_8601=True",
            "json_include_tags_property=false",
            "file_output.enabled=true",
            "file_output.filename=/x",
            "rule_matching=all",
            "priority=Warning",
            "rules_files[]=/r",
            "rules[]={disable: {tag: network}}",
            "rules[]={enable: {rule: 'Drop*'}}",
        ])
        .unwrap()
        .settings;
        assert!(settings.json_output && !settings.json.tags && settings.rules.all_matching);
        assert_eq!(settings.time_format, TimeFormat::Iso8601);
        assert_eq!(settings.file, Some(FileSettings { path: "/x".into(), keep_alive: false }));
        assert_eq!(settings.rules.minimum, Priority::Warning);
        assert_eq!(settings.rules.files, [std::path::PathBuf::from("/r")]);
        let off = Selection { enable: false, which: Which::Tag("network".to_owned()) };
        let on = Selection { enable: true, which: Which::Name("Drop*".to_owned()) };
        assert_eq!(settings.rules.selections, [off, on]);
    }

    #[test]
    fn all_mistakes_come_in_one_go() {
        let errors =
            from(&["json_output=1", "priority=high", "rules=x", "file_output.enabled=true"]).unwrap_err();
        assert_eq!(errors.len(), 4, "{errors:?}");
        assert!(
            errors.iter().any(|error| error.to_string().starts_with("-o json_output=1: `json_output` takes"))
        );
    }

    #[test]
    fn alerts_that_go_nowhere_are_an_error() {
        assert_eq!(from(&["stdout_output.enabled=false"]).unwrap_err(), [SettingError::NoOutput]);
    }

    #[test]
    fn unknown_keys_warn_and_keys_of_falco_are_listed() {
        let settled = from(&["jsn_output=true", "engine.kind=modern_ebpf"]).unwrap();
        assert_eq!(settled.ignored, ["engine"]);
        assert!(settled.warnings[0].contains("did you mean `json_output`?"), "{:?}", settled.warnings);
    }
}

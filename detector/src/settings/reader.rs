//! From the configuration tree to settings. All mistakes are reported in one go, each with its place.

use std::{path::PathBuf, sync::Arc};

use log::LevelFilter;

use super::{
    Settings, additions, keys, observation, other_keys::other_keys, outputs, pins, privileges, values::Values,
};
use crate::{
    alert::Priority,
    config::{Kind, Tree},
    format::TimeFormat,
    kernel::btf::BtfChoice,
    rules::{
        OutputAdditions, OutputStyle, RuleChoice,
        files::parse_priority,
        resolve::{Selection, Which},
    },
    telemetry::logging::LogSettings,
};

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// Not what the key takes.
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
        key: String,
        /// The words.
        words: String,
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
        "no output is enabled, so alerts would go nowhere; enable one, for example stdout_output.enabled"
    )]
    NoOutput,
    /// An output without what it needs.
    #[error("{place}: {section} is enabled but {key} is not set")]
    Needed {
        /// Where.
        place: Arc<str>,
        /// The output.
        section: &'static str,
        /// The key that is missing.
        key: String,
    },
    /// Not an IP address.
    #[error("{place}: `webserver.listen_address` takes an IP address, not `{found}`")]
    Address {
        /// Where.
        place: Arc<str>,
        /// What stands there.
        found: String,
    },
    /// A spool that would hold next to nothing.
    #[error("{place}: a spool of {bytes} bytes is too small; the least is {least}")]
    SmallSpool {
        /// Where.
        place: Arc<str>,
        /// What was asked for.
        bytes: u64,
        /// What is needed.
        least: u64,
    },
}

impl SettingError {
    /// Where it stands; `None` for what stands nowhere.
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        match self {
            Self::Kind { place, .. }
            | Self::Word { place, .. }
            | Self::BothRulesFiles { place }
            | Self::Needed { place, .. }
            | Self::Address { place, .. }
            | Self::SmallSpool { place, .. } => Some(place),
            Self::NoOutput => None,
        }
    }
}

/// Settings and what is worth saying about them.
#[derive(Clone, Debug, PartialEq)]
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
    let mut values = Values::new(tree);
    let settings = settings(&mut values);
    if !values.errors.is_empty() {
        return Err(values.errors);
    }
    let (ignored, warnings) = other_keys(tree);
    Ok(Settled { settings, ignored, warnings })
}

fn settings(values: &mut Values<'_>) -> Settings {
    let mut json = Settings::default().json;
    json.message = values.bool("json_include_message_property", json.message);
    json.output = values.bool("json_include_output_property", json.output);
    json.output_fields = values.bool("json_include_output_fields_property", json.output_fields);
    json.tags = values.bool("json_include_tags_property", json.tags);
    let metrics = observation::metrics(values);
    let iso = values.bool("time_format_iso_8601", false);
    Settings {
        rules: rules(values),
        json_output: values.bool("json_output", false),
        json,
        time_format: if iso { TimeFormat::Iso8601 } else { TimeFormat::Local },
        log: log_settings(values, iso),
        kernel_log: values.bool("kernel_log", false),
        btf: BtfChoice {
            file: values.text("btf_file").map(PathBuf::from),
            folder: values.text("btf_dir").map(PathBuf::from),
        },
        pins: pins::pins(values),
        privileges: privileges::privileges(values),
        metadata_wait: values.duration("metadata.wait", Settings::default().metadata_wait),
        selftest_interval: values.duration("selftest.interval", Settings::default().selftest_interval),
        record_to: values.text("record_to").map(PathBuf::from),
        samples: observation::samples(values),
        outputs: outputs::read(values),
        otlp_resource: outputs::texts_by_name(values, "otlp_output.resource"),
        watch_config_files: values.bool("watch_config_files", true),
        webserver: observation::webserver(values, metrics.is_some()),
        metrics,
        losses: observation::losses(values),
        throttle: observation::throttle(values),
    }
}

fn rules(values: &mut Values<'_>) -> RuleChoice {
    RuleChoice {
        files: rules_files(values),
        selections: selections(values),
        minimum: priority(values).unwrap_or(Priority::Debug),
        all_matching: values.word("rule_matching", keys::MATCHING) == Some(1),
        additions: additions(values),
    }
}

fn additions(values: &mut Values<'_>) -> OutputAdditions {
    let style = match values.word("output_style", keys::STYLES) {
        Some(1) => OutputStyle::Classic,
        _ => OutputStyle::Current,
    };
    let appended = additions::appended(values.tree, &mut values.errors);
    let static_fields = additions::static_fields(values.tree, &mut values.errors);
    OutputAdditions { style, appended, print: None, static_fields }
}

fn priority(values: &mut Values<'_>) -> Option<Priority> {
    let index = values.word("priority", keys::PRIORITIES)?;
    parse_priority(keys::PRIORITIES[index])
}

fn log_settings(values: &mut Values<'_>, iso_times: bool) -> LogSettings {
    let defaults = LogSettings::default();
    let level = values.word("log_level", keys::LOG_LEVELS).map(|index| match keys::LOG_LEVELS[index] {
        "warning" => LevelFilter::Warn,
        "notice" | "info" => LevelFilter::Info,
        "debug" => LevelFilter::Debug,
        _ => LevelFilter::Error,
    });
    let libraries = values.word("libs_logger.severity", keys::LIBRARY_LEVELS).map(|index| {
        match keys::LIBRARY_LEVELS[index] {
            "warning" => LevelFilter::Warn,
            "notice" | "info" => LevelFilter::Info,
            "debug" => LevelFilter::Debug,
            "trace" => LevelFilter::Trace,
            _ => LevelFilter::Error,
        }
    });
    LogSettings {
        stderr: values.bool("log_stderr", defaults.stderr),
        syslog: values.bool("log_syslog", defaults.syslog),
        level: level.unwrap_or(defaults.level),
        libraries: if values.bool("libs_logger.enabled", true) {
            libraries.unwrap_or(defaults.libraries)
        } else {
            LevelFilter::Off
        },
        iso_times,
    }
}

fn rules_files(values: &mut Values<'_>) -> Vec<PathBuf> {
    let key = match (values.at("rules_files"), values.at("rules_file")) {
        (Some(_), Some(old)) => {
            let place = Arc::clone(&old.place);
            values.errors.push(SettingError::BothRulesFiles { place });
            return Vec::new();
        }
        (None, Some(_)) => "rules_file",
        _ => "rules_files",
    };
    values.texts(key).into_iter().map(PathBuf::from).collect()
}

/// `rules: [{enable: {rule: NAME}}, {disable: {tag: NAME}}]`
fn selections(values: &mut Values<'_>) -> Vec<Selection> {
    const WANTED: &str = "a list of `enable:` and `disable:`, each with `rule:` or `tag:`";
    let Some(value) = values.at("rules") else { return Vec::new() };
    let Kind::List(items) = &value.kind else {
        if value.kind != Kind::Null {
            values.wrong("rules", value, WANTED);
        }
        return Vec::new();
    };
    let mut selections = Vec::new();
    for item in items {
        let Kind::Map(entries) = &item.kind else {
            values.wrong("rules", item, WANTED);
            continue;
        };
        for (verb, what) in entries {
            let enable = match verb.as_str() {
                "enable" => true,
                "disable" => false,
                _ => {
                    values.wrong("rules", item, WANTED);
                    continue;
                }
            };
            let by_name = what.get("rule").and_then(|value| values.as_text("rules", value));
            let by_tag = what.get("tag").and_then(|value| values.as_text("rules", value));
            let which = match (by_name, by_tag) {
                (Some(name), None) => Which::Name(name),
                (None, Some(tag)) => Which::Tag(tag),
                _ => {
                    values.wrong("rules", what, WANTED);
                    continue;
                }
            };
            selections.push(Selection { enable, which });
        }
    }
    selections
}

#[cfg(test)]
mod tests {
    use log::LevelFilter;

    use super::{SettingError, Settled, settle};
    use crate::{
        alert::Priority,
        config,
        format::TimeFormat,
        output::FileSettings,
        rules::resolve::{Selection, Which},
        settings::Settings,
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
        assert_eq!(settings.outputs.file, Some(FileSettings { path: "/x".into(), keep_alive: false }));
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
        let settled = from(&["jsn_output=true", "engine.kind=modern_ebpf", "http_output.ulr=x"]).unwrap();
        assert_eq!(settled.ignored, ["engine"]);
        assert_eq!(settled.warnings.len(), 2, "{:?}", settled.warnings);
        assert!(settled.warnings[0].contains("did you mean `json_output`?"), "{:?}", settled.warnings);
        assert!(settled.warnings[1].contains("did you mean `http_output.url`?"), "{:?}", settled.warnings);
    }

    #[test]
    fn the_log_is_set_as_falco_has_it() {
        let overrides = [
            "log_stderr=false",
            "log_syslog=true",
            "log_level=alert",
            "libs_logger={enabled: false, severity: info}",
        ];
        let log = from(&overrides).unwrap().settings.log;
        assert_eq!((log.stderr, log.syslog), (false, true));
        assert_eq!((log.level, log.libraries), (LevelFilter::Error, LevelFilter::Off));
    }
}

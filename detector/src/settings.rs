//! Resolved settings: typed and checked. Stages get plain values from here, never flags or YAML.

mod additions;
mod keys;
mod observation;
mod other_keys;
mod outputs;
mod pins;
mod privileges;
mod reader;
mod schema;
mod values;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

pub use observation::{LossSettings, MetricsSettings};
pub use pins::PinSettings;
pub use reader::{SettingError, Settled, settle};
pub use schema::config_schema;

use crate::{
    examine::SampleSettings,
    format::{JsonOptions, TimeFormat},
    kernel::btf::BtfChoice,
    output::OutputSettings,
    privileges::Restrictions,
    rules::RuleChoice,
    telemetry::{logging::LogSettings, web::WebSettings},
    throttle::ThrottleSettings,
};

/// `metadata.wait` unless it is set.
const METADATA_WAIT: Duration = Duration::from_millis(500);

/// How the agent shall run.
#[derive(Clone, Debug, PartialEq)]
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
    /// `otlp_output.resource`: attributes of the resource that OTLP's records name.
    pub otlp_resource: BTreeMap<String, String>,
    /// The agent's own log.
    pub log: LogSettings,
    /// Rules and configuration are loaded anew when their files change.
    pub watch_config_files: bool,
    /// The web server, when enabled.
    pub webserver: Option<WebSettings>,
    /// Snapshots of the figures, when enabled.
    pub metrics: Option<MetricsSettings>,
    /// What is done when execs are lost.
    pub losses: LossSettings,
    /// What is held back and told as a count.
    pub throttle: ThrottleSettings,
    /// The debug log of the kernel side goes to stderr.
    pub kernel_log: bool,
    /// Where the kernel's types are described, when not by the kernel.
    pub btf: BtfChoice,
    /// Whether hooks outlive the agent.
    pub pins: PinSettings,
    /// Which rights are given up once the hooks are armed; see [`Settings::restrictions`].
    pub privileges: Restrictions,
    /// The longest that an alert waits for what is not known at once about its container and its users.
    pub metadata_wait: Duration,
    /// Time between two self-tests; zero = only at the start.
    pub selftest_interval: Duration,
    /// Records are written to this file, for `detector replay`.
    pub record_to: Option<PathBuf>,
    /// Where copies of what was executed are kept, when they are.
    pub samples: Option<SampleSettings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rules: RuleChoice::default(),
            json_output: false,
            json: JsonOptions::default(),
            time_format: TimeFormat::default(),
            outputs: OutputSettings { stdout: true, ..OutputSettings::default() },
            otlp_resource: BTreeMap::new(),
            log: LogSettings::default(),
            watch_config_files: true,
            webserver: None,
            metrics: None,
            losses: LossSettings::default(),
            throttle: ThrottleSettings::default(),
            kernel_log: false,
            btf: BtfChoice::default(),
            pins: PinSettings::default(),
            privileges: Restrictions::default(),
            metadata_wait: METADATA_WAIT,
            selftest_interval: Duration::from_secs(600),
            record_to: None,
            samples: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::{Settings, keys::known, settle};
    use crate::config::{self, Kind, Tree};

    fn leaves(tree: &Tree, prefix: &str, into: &mut BTreeSet<String>) {
        let Kind::Map(entries) = &tree.kind else { return };
        for (name, value) in entries {
            let path = format!("{prefix}{name}");
            if !known().any(|key| key.path == path) {
                leaves(value, &format!("{path}."), into);
            }
            into.insert(path);
        }
    }

    /// The shipped configuration is the documentation of the defaults: it has every key, and changes nothing.
    #[test]
    fn the_shipped_configuration_has_every_key_with_its_default() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/detector.yaml");
        let loaded = config::load(Some(&file), &[]).unwrap();
        let settled = settle(&loaded.tree).unwrap();
        assert_eq!((settled.ignored, settled.warnings), (Vec::<String>::new(), Vec::<String>::new()));
        assert_eq!(settled.settings, Settings::default());
        let mut found = BTreeSet::new();
        leaves(&loaded.tree, "", &mut found);
        let missing: Vec<&str> = known()
            .map(|key| key.path)
            .filter(|path| *path != "rules_file" && !found.contains(*path))
            .collect();
        assert_eq!(missing, Vec::<&str>::new());
    }
}

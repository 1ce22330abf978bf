//! What `/versions` answers: Falco's keys as far as there is such a thing here, and the agent's own version.

use serde_json::json;

use crate::rules::files::ENGINE_VERSION;

pub(super) fn versions() -> String {
    let version = env!("CARGO_PKG_VERSION");
    json!({
        "detector_version": version,
        "engine_version": ENGINE_VERSION.minor.to_string(),
        "engine_version_semver": ENGINE_VERSION.to_string(),
        "falco_version": version,
        "plugin_versions": {},
    })
    .to_string()
}

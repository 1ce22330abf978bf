//! Which version this is, in the words of Falco's tools: they ask it what rule files it can take.

use serde_json::{Value, json};

use crate::rules::files::ENGINE_VERSION;

/// The release of Falco whose lines, fields and rule language this program follows.
pub const FALCO_VERSION: &str = "0.44.1";
/// What stands for parts that Falco has and this program does not.
const NONE: &str = "none";

/// The lines of `--version`.
#[must_use]
pub fn text() -> String {
    format!(
        "Falco version: {FALCO_VERSION} (detector {})\n\
         Libs version:  {NONE}\n\
         Plugin API:    {NONE}\n\
         Engine:        {ENGINE_VERSION}\n\
         Driver:\n  \
         API version:    {NONE}\n  \
         Schema version: {NONE}\n  \
         Default driver: {NONE}\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// The same for programs; also what `GET /versions` answers.
#[must_use]
pub fn json() -> Value {
    json!({
        "default_driver_version": NONE,
        "detector_version": env!("CARGO_PKG_VERSION"),
        "driver_api_version": NONE,
        "driver_schema_version": NONE,
        // The name and form that tools knew before the engine had versions of three numbers.
        "engine_version": ENGINE_VERSION.minor.to_string(),
        "engine_version_semver": ENGINE_VERSION.to_string(),
        "falco_version": FALCO_VERSION,
        "libs_version": NONE,
        "plugin_api_version": NONE,
    })
}

#[cfg(test)]
mod tests {
    use super::{json, text};

    #[test]
    fn the_lines_have_falcos_labels() {
        let labels: Vec<String> =
            text().lines().map(|line| line.split(':').next().unwrap().to_owned()).collect();
        assert_eq!(
            labels,
            [
                "Falco version",
                "Libs version",
                "Plugin API",
                "Engine",
                "Driver",
                "  API version",
                "  Schema version",
                "  Default driver"
            ]
        );
    }

    #[test]
    fn tools_find_the_engine_by_both_of_its_names() {
        let json = json();
        assert_eq!(json["engine_version"], "63");
        assert_eq!(json["engine_version_semver"], "0.63.0");
    }
}

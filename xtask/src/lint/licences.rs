//! Compares the licence and the source of every dependency with deny.toml.
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use spdx::{Expression, LicenseReq, ParseMode};

use crate::workspace::Workspace;

/// What deny.toml allows.
struct Policy {
    allowed: Vec<LicenseReq>,
}

pub(super) fn check(workspace: &Workspace) -> Result<()> {
    let path = workspace.root().join("deny.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let policy = Policy::read(&text).with_context(|| format!("{} is not understood", path.display()))?;
    let metadata = super::metadata(workspace)?;
    let packages = metadata["packages"].as_array().context("`cargo metadata` lists no packages")?;
    let faults: Vec<_> = packages
        .iter()
        .filter(|package| !is_ours(package, workspace.root()))
        .filter_map(|package| Some((package, policy.fault(package)?)))
        .map(|(package, fault)| {
            format!("\n  {} {}: {fault}", text_of(package, "name"), text_of(package, "version"))
        })
        .collect();
    if !faults.is_empty() {
        bail!("{} dependencies do not pass deny.toml: replace them{}", faults.len(), faults.concat());
    }
    Ok(())
}

impl Policy {
    fn read(toml: &str) -> Result<Self> {
        let document: toml::Table = toml.parse()?;
        let list = document
            .get("licenses")
            .and_then(|licenses| licenses.get("allow")?.as_array())
            .context("it has no list `allow` under [licenses]")?;
        let mut allowed = Vec::new();
        for entry in list {
            let text = entry.as_str().context("an entry of `allow` is no string")?;
            let expression = Expression::parse(text).map_err(|error| anyhow::anyhow!("`{text}`: {error}"))?;
            allowed.extend(expression.requirements().map(|requirement| requirement.req.clone()));
        }
        Ok(Self { allowed })
    }

    /// Why this package may not be used, if it may not.
    fn fault(&self, package: &Value) -> Option<String> {
        match package["source"].as_str() {
            Some(source) if source.starts_with("registry+") => {}
            Some(source) => return Some(format!("comes from {source} instead of the crate registry")),
            None => return Some("comes from a folder outside the workspace".to_owned()),
        }
        let Some(licence) = package["license"].as_str() else {
            return Some("states no licence expression".to_owned());
        };
        // Lax: old crates write `MIT/Apache-2.0`.
        match Expression::parse_mode(licence, ParseMode::LAX) {
            Ok(expression) if expression.evaluate(|needed| self.allowed.contains(needed)) => None,
            Ok(_) => Some(format!("licence `{licence}` is not allowed")),
            Err(error) => Some(format!("licence `{licence}` is not understood: {}", error.reason)),
        }
    }
}

/// Members of the workspace, and nothing else, lie below its root without a source.
fn is_ours(package: &Value, root: &Path) -> bool {
    package["source"].is_null() && Path::new(text_of(package, "manifest_path")).starts_with(root)
}

fn text_of<'a>(package: &'a Value, key: &str) -> &'a str {
    package[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTRY: &str = "registry+https://example.org/index";

    fn fault(licence: &Value, source: &str) -> Option<String> {
        let policy = Policy::read(
            "[licenses]\nallow = ['MIT', 'Apache-2.0', 'Unicode-3.0', 'Apache-2.0 WITH LLVM-exception']",
        )
        .unwrap();
        policy.fault(&serde_json::json!({ "license": licence, "source": source }))
    }

    fn allows(licence: &str) -> bool {
        fault(&licence.into(), REGISTRY).is_none()
    }

    #[test]
    fn expressions_are_read_as_spdx_means_them() {
        assert!(allows("MIT"));
        assert!(allows("Unlicense OR MIT"));
        assert!(allows("MIT/Apache-2.0"));
        assert!(allows("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(allows("Apache-2.0 WITH LLVM-exception"));
        assert!(!allows("MIT AND GPL-3.0-only"));
        assert!(!allows("GPL-2.0-only OR MPL-2.0"));
        assert!(!allows("MIT WITH LLVM-exception"));
    }

    #[test]
    fn silence_and_nonsense_are_not_a_licence() {
        assert!(fault(&Value::Null, REGISTRY).unwrap().contains("states no licence"));
        assert!(fault(&"Whatever".into(), REGISTRY).unwrap().contains("not understood"));
    }

    #[test]
    fn other_sources_are_refused() {
        assert!(fault(&"MIT".into(), "git+https://example.org/x").unwrap().contains("instead of"));
        let policy = Policy { allowed: Vec::new() };
        assert!(
            policy.fault(&serde_json::json!({ "license": "MIT" })).unwrap().contains("outside the workspace")
        );
    }

    #[test]
    fn a_policy_without_a_list_is_an_error() {
        assert!(Policy::read("[licenses]").is_err());
        assert!(Policy::read("[licenses]\nallow = ['No Such Licence']").is_err());
    }
}

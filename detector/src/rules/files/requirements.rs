//! What a file requires of the engine: its version, and plugins.

use super::{
    Version,
    item::PluginRequirement,
    keys::Map,
    reader::{Reader, Reported},
    version::ENGINE_VERSION,
};
use crate::rules::report::Code;
use crate::yaml::{Node, Value};

/// Plugins whose fields are built in, whatever version of them a file asks for.
const BUILT_IN_PLUGINS: [&str; 1] = ["container"];

impl Reader {
    pub(super) fn engine_version(&mut self, item: &Node, map: Map<'_>) -> Option<Version> {
        let outside = self.enter("required_engine_version", "", item);
        self.check_keys(map, &["required_engine_version"]);
        let version = self.engine_version_of(item, map).ok();
        self.leave(outside);
        version
    }

    fn engine_version_of(&mut self, item: &Node, map: Map<'_>) -> Result<Version, Reported> {
        let key = "required_engine_version";
        let text = self.text(map, key, item)?.text;
        let node = map.get(key).unwrap_or(item);
        let Some(wanted) = Version::parse_engine(&text) else {
            let message = format!("`{text}` is not an engine version");
            return Err(self.wrong(node, message).help("write a number (26) or three (0.57.0)").report(self));
        };
        if ENGINE_VERSION.serves(wanted) {
            return Ok(wanted);
        }
        let message = format!("the file needs engine version {wanted}, this is {ENGINE_VERSION}");
        let help = "use rules made for this version, or a newer detector";
        Err(self.wrong(node, message).code(Code::Validate).help(help).report(self))
    }

    pub(super) fn plugins(&mut self, item: &Node, map: Map<'_>) -> Option<Vec<PluginRequirement>> {
        let outside = self.enter("required plugin versions", "", item);
        self.check_keys(map, &["required_plugin_versions"]);
        let requirements = match map.get("required_plugin_versions").map(|node| (node, &node.value)) {
            Some((_, Value::Sequence(entries))) => {
                let read: Vec<_> = entries.iter().map(|entry| self.plugin(entry)).collect();
                read.into_iter().collect::<Result<Vec<_>, _>>().ok()
            }
            Some((node, _)) => {
                self.wrong(node, "`required_plugin_versions` must be a list").report(self);
                None
            }
            None => None,
        };
        self.leave(outside);
        requirements
    }

    fn plugin(&mut self, entry: &Node) -> Result<PluginRequirement, Reported> {
        let (name, version, map) = self.name_and_version(entry, &["name", "version", "alternatives"])?;
        let mut alternatives = Vec::new();
        if let Some(node) = map.get("alternatives") {
            let Value::Sequence(entries) = &node.value else {
                return Err(self.wrong(node, "`alternatives` must be a list").report(self));
            };
            for entry in entries {
                let (name, version, _) = self.name_and_version(entry, &["name", "version"])?;
                alternatives.push((name, version));
            }
        }
        let names = || std::iter::once(&name).chain(alternatives.iter().map(|(name, _)| name));
        if names().any(|name| BUILT_IN_PLUGINS.contains(&name.as_str())) {
            return Ok(PluginRequirement { name, version, alternatives });
        }
        let message = format!("the file needs the plugin `{name}`, which is not there");
        let help =
            "no plugin can be loaded; `container` is built in: leave out the rules that need another one";
        let node = map.get("name").unwrap_or(entry);
        Err(self.wrong(node, message).code(Code::Validate).help(help).report(self))
    }

    fn name_and_version<'n>(
        &mut self,
        entry: &'n Node,
        known: &[&str],
    ) -> Result<(String, String, Map<'n>), Reported> {
        let Value::Mapping(pairs) = &entry.value else {
            let help = "write `- name: container` and `version: 0.4.0` under it";
            return Err(self.wrong(entry, "a required plugin must be a map").help(help).report(self));
        };
        let map = Map(pairs);
        self.check_keys(map, known);
        let name = self.text(map, "name", entry)?.text;
        let version = self.text(map, "version", entry)?.text;
        if Version::parse(&version).is_none() {
            let node = map.get("version").unwrap_or(entry);
            let message = format!("`{version}` is not a version of plugin `{name}`");
            return Err(self.wrong(node, message).help("write three numbers, like 0.4.0").report(self));
        }
        Ok((name, version, map))
    }
}

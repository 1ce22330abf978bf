//! The sets of rules that figures are taken with: the rule that is built in, our own two files, and Falco's own files where
//! a folder of them is at hand.

use std::path::{Path, PathBuf};

use crate::Outcome;

/// Where our own rule files are; `cargo xtask bench` sets it.
const OWN: &str = "DETECTOR_OWN_RULES";
/// Where Falco's rule files are, which are not part of the project.
const FALCO: &str = "DETECTOR_FALCO_RULES";

/// A set of rules.
pub(crate) struct RuleSet {
    pub(crate) name: &'static str,
    files: Vec<PathBuf>,
}

impl RuleSet {
    /// What the agent is told to load; nothing for the rule that is built in.
    pub(crate) fn arguments(&self) -> Vec<&str> {
        self.files.iter().filter_map(|file| file.to_str()).flat_map(|file| ["-r", file]).collect()
    }
}

/// All sets that there are, and a remark about those that there are not.
pub(crate) fn all() -> Outcome<(Vec<RuleSet>, Vec<String>)> {
    let own = std::env::var_os(OWN)
        .ok_or_else(|| format!("{OWN} is not set: start this by `cargo xtask bench`"))?;
    let own = ["falco_rules.yaml", "detector_rules.yaml"].map(|name| Path::new(&own).join(name));
    let mut sets = vec![
        RuleSet { name: "default rule", files: Vec::new() },
        RuleSet { name: "all our rules", files: own.into() },
    ];
    let mut notes = Vec::new();
    match std::env::var_os(FALCO) {
        Some(folder) => sets.push(RuleSet { name: "Falco's stock files", files: stock(Path::new(&folder))? }),
        None => notes.push(format!("Falco's stock files: not measured, as {FALCO} names no folder of them")),
    }
    Ok((sets, notes))
}

/// The newest stable file, which is the last by name, and all others that are no stable ones.
fn stock(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let entries = folder.read_dir().map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "yaml"));
    files.sort();
    let is_stable = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("falco_rules"))
    };
    let (stable, mut others): (Vec<_>, Vec<_>) = files.into_iter().partition(is_stable);
    others.splice(0..0, stable.into_iter().last());
    Ok(others)
}

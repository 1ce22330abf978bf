//! Keys that nothing reads: those of Falco that do not concern this program, and those that nobody knows.

use super::keys;
use crate::config::{Kind, Tree};

/// Keys that are ignored, and warnings about keys that nobody knows.
pub(super) fn other_keys(tree: &Tree) -> (Vec<String>, Vec<String>) {
    let mut found = Found::default();
    found.look(tree, "");
    (found.ignored, found.warnings)
}

#[derive(Default)]
struct Found {
    ignored: Vec<String>,
    warnings: Vec<String>,
}

impl Found {
    fn look(&mut self, tree: &Tree, prefix: &str) {
        let Kind::Map(entries) = &tree.kind else { return };
        for (name, value) in entries {
            let path = format!("{prefix}{name}");
            if keys::IGNORED.contains(&path.as_str()) {
                self.ignored.push(path);
            } else if keys::known().any(|key| key.path == path) {
                // What stands below belongs to the key.
            } else if has_children(&path) {
                self.look(value, &format!("{path}."));
            } else {
                let hint =
                    nearest(&path).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                self.warnings.push(format!("{}: configuration key `{path}` is unknown{hint}", value.place));
            }
        }
    }
}

fn has_children(path: &str) -> bool {
    keys::known().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// The known key, or part of one, that a mistyped one comes nearest to.
fn nearest(path: &str) -> Option<&'static str> {
    let parts = keys::known().flat_map(|key| {
        let ends = key.path.match_indices('.').map(|(at, _)| at).chain([key.path.len()]);
        ends.map(|end| &key.path[..end])
    });
    parts
        .chain(keys::IGNORED.iter().copied())
        .map(|known| (strsim::damerau_levenshtein(known, path), known))
        .min()
        .filter(|(distance, _)| *distance <= path.len() / 3)
        .map(|(_, known)| known)
}

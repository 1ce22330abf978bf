//! A cause as an exception of its rule: conditions that all must hold, and what makes them broad.

use super::{Cause, cause::is_installer};
use crate::{
    incident::actors,
    rules::fields::{Lookup, lookup},
};

/// What may go into exceptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Only fields that Falco knows.
    pub falco_only: bool,
    /// Exactly these versions of images.
    pub pin_digests: bool,
    /// Alerts that a cause needs to be proposed.
    pub least: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { falco_only: false, pin_digests: false, least: 3 }
    }
}

/// One comparison of an exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The field.
    pub field: &'static str,
    /// The operator: `=`, `in` or `glob`.
    pub operator: &'static str,
    /// The values; one, unless the operator is `in`.
    pub values: Vec<String>,
}

/// A proposed exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The rule that it belongs to.
    pub rule: String,
    /// Its name, unique in the proposal.
    pub name: String,
    /// Alerts that it was made of.
    pub count: u64,
    /// Its comparisons.
    pub conditions: Vec<Condition>,
    /// What makes it broad, or worth a second look.
    pub warnings: Vec<String>,
}

impl Exception {
    /// The exception of a cause; `number` makes its name unique. `None` when nothing narrow can be said.
    #[must_use]
    pub fn of(cause: &Cause, number: usize, options: &Options) -> Option<Self> {
        let mut conditions = Vec::new();
        let mut warnings = Vec::new();
        let mut add = |field: &'static str, operator, values: Vec<String>| {
            conditions.push(Condition { field, operator, values });
        };
        let several = |values: Vec<String>| (if values.len() == 1 { "=" } else { "in" }, values);
        if options.pin_digests && !cause.digests.is_empty() {
            let (operator, values) = several(cause.digests.iter().cloned().collect());
            add("container.image.digest", operator, values);
        } else if cause.images.is_empty() {
            warnings.push("it holds for every image: the alerts name none".to_owned());
        } else {
            let (operator, values) = several(cause.images.iter().cloned().collect());
            add("container.image.repository", operator, values);
        }
        let own = |field: &str| !options.falco_only && matches!(lookup(field), Lookup::Known(_));
        let via = cause.via.clone().filter(|_| own("drop.via"));
        let dropper = cause.dropper.clone().filter(|_| own("drop.by.comm"));
        let hash = cause.sha256.clone().filter(|_| own("drop.sha256"));
        // Falco does not tell the script of an interpreter.
        let script = cause.path_field != "proc.exepath";
        if script && options.falco_only {
            return None;
        }
        // A pattern that says nothing but where everybody writes is no condition.
        let path = cause.path.as_ref().filter(|path| path.is_exact() || path.weight() >= 1);
        match (path, cause.listed_paths()) {
            (_, Some(paths)) => {
                let (operator, values) = several(paths.into_iter().map(str::to_owned).collect());
                add(cause.path_field, operator, values);
            }
            (Some(path), None) if path.is_exact() => add(cause.path_field, "=", vec![path.path()]),
            (Some(path), None) => {
                if path.weight() < 4 {
                    warnings.push(format!("its path pattern says little: {}", path.glob()));
                }
                add(cause.path_field, "glob", vec![path.glob()]);
            }
            (None, None) => {
                if let Some(hash) = &hash {
                    add("drop.sha256", "=", vec![hash.clone()]);
                } else {
                    warnings.push("it holds for every path: the paths have too little in common".to_owned());
                }
            }
        }
        if let Some(via) = &via {
            add("drop.via", "=", vec![via.clone()]);
        }
        if let Some(dropper) = &dropper {
            add("drop.by.comm", "=", vec![dropper.clone()]);
        }
        match &cause.parents {
            Some(parents) => {
                let (operator, values) = several(parents.iter().cloned().collect());
                add("proc.pname", operator, values);
            }
            None => {
                if let Some(actor) = anchor(cause) {
                    add("proc.aname", "in", vec![actor]);
                } else if via.is_none() && dropper.is_none() {
                    warnings.push("it holds whoever starts the file: the parents differ".to_owned());
                }
            }
        }
        if let Some(user) = &cause.user {
            add("user.name", "=", vec![user.clone()]);
        }
        let named =
            cause.listed_paths().is_some() || path.is_some_and(|path| path.is_exact() || path.weight() >= 2);
        let told = conditions.iter().any(|one| ["drop.sha256", "drop.via"].contains(&one.field));
        let installed = match &cause.parents {
            Some(parents) => parents.iter().all(|parent| is_installer(parent)),
            None => anchor(cause).is_some_and(|actor| is_installer(&actor)),
        };
        if !(named || told || installed) {
            return None;
        }
        let tool = cause
            .parents
            .iter()
            .flatten()
            .chain(&cause.dropper)
            .find(|name| actors::NETWORK_TOOLS.contains(&name.as_str()));
        if let Some(tool) = tool {
            warnings.push(format!("a network tool has a part in it ({tool}): make sure that it is yours"));
        }
        let name = format!("suggested_{number}_{}", slug(&cause.name));
        Some(Self { rule: cause.rule.clone(), name, count: cause.count, conditions, warnings })
    }
}

/// The program above all of them that tells most: one whose job is to install, else the first.
fn anchor(cause: &Cause) -> Option<String> {
    cause.actors.iter().find(|actor| is_installer(actor)).or_else(|| cause.actors.first()).cloned()
}

/// Letters that may stand in a name.
fn slug(name: &str) -> String {
    let clean: String = name
        .chars()
        .map(|character| if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '_' })
        .take(24)
        .collect();
    let clean = clean.trim_matches('_');
    if clean.is_empty() { "unnamed".to_owned() } else { clean.to_owned() }
}

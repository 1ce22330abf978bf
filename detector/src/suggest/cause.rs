//! A cause of alerts: alerts of one rule that have enough in common to be one thing.

use std::collections::BTreeSet;

use super::path_pattern::PathPattern;
use crate::incident::{Execution, Facts, Provenance, Subject, actors, inert::is_hidden};

/// Parents that an exception names at most.
const MAX_PARENTS: usize = 4;
/// Images that one exception names at most.
const MAX_IMAGES: usize = 8;
/// Paths that one exception lists at most, instead of a pattern.
const MAX_PATHS: usize = 4;
/// Bytes that a path may have (`PATH_MAX`).
const MAX_PATH: usize = 4096;
/// Bytes that any other value may have: names of images are the longest.
const MAX_NAME: usize = 512;
/// A pattern of this weight (two whole parts) can stand without a telling program beside it.
const STRONG: u32 = 4;

/// Alerts that belong together.
#[derive(Clone, Debug, Hash)]
pub struct Cause {
    /// The rule.
    pub rule: String,
    /// How many alerts.
    pub count: u64,
    /// Image repositories; empty when none is known.
    pub images: BTreeSet<String>,
    /// Digests of the images; empty when one alert has none.
    pub digests: BTreeSet<String>,
    /// Names of the parents; `None` when there are too many, or one is not known.
    pub parents: Option<BTreeSet<String>>,
    /// Telling programs that had a part in all of them.
    pub actors: BTreeSet<String>,
    /// The package manager in all of them.
    pub via: Option<String>,
    /// The dropper of all of them.
    pub dropper: Option<String>,
    /// The hash of all of them.
    pub sha256: Option<String>,
    /// The user of all of them.
    pub user: Option<String>,
    /// A name for people: of the first file.
    pub name: String,
    /// The field that has the path: of a script its own, as its interpreter is the same for every script, and of a file
    /// that was mapped its own, as every program maps files.
    pub(super) path_field: &'static str,
    pub(super) path: Option<PathPattern>,
    /// Paths with how often each came; `None` when there are too many.
    pub(super) paths: Option<Vec<(String, u64)>>,
}

impl Cause {
    /// The cause of one alert.
    #[must_use]
    pub fn of(execution: &Execution) -> Self {
        let (alert, facts) = (&execution.first, Facts::of(execution));
        // What cannot be shown as it is does not go into a rule file, nor what is longer than anything that is real.
        let text = |field: &str| {
            let most = if field.ends_with("path") { MAX_PATH } else { MAX_NAME };
            let sound = |text: &&str| text.len() <= most && !text.contains(is_hidden);
            alert.fields.text(field).filter(sound).map(str::to_owned)
        };
        let path_field = match facts.subject().value {
            Subject::Program => "proc.exepath",
            Subject::Script => "drop.script.path",
            Subject::Mapped => "drop.path",
        };
        let path = text(path_field).filter(|path| path.starts_with('/'));
        let memfd = facts.provenance().is_some_and(|found| found.value == Provenance::Memfd);
        let parent = text("proc.pname").or_else(|| text("proc.aname[1]"));
        let tells =
            |name: &String| actors::is_telling(name) && name.len() <= MAX_NAME && !name.contains(is_hidden);
        Self {
            rule: alert.rule.clone().filter(|rule| rule.len() <= MAX_NAME).unwrap_or_default(),
            count: 1,
            images: text("container.image.repository").into_iter().collect(),
            digests: text("container.image.digest").into_iter().collect(),
            parents: parent.map(|parent| BTreeSet::from([parent])),
            actors: facts
                .ancestors()
                .into_iter()
                .filter_map(|one| one.name.map(|name| name.value))
                .filter(tells)
                .collect(),
            via: text("drop.via"),
            dropper: facts.dropper().and_then(|_| text("drop.by.comm")),
            sha256: facts.sha256().map(|hash| hash.value),
            user: text("user.name"),
            name: text("proc.name").unwrap_or_default(),
            path_field,
            path: path.as_deref().filter(|_| !memfd).map(PathPattern::of),
            paths: path.map(|path| vec![(path, 1)]),
        }
    }

    /// How narrow both are as one, if what they have in common is narrow enough to be one thing. `frequent` says whether
    /// both came often: only then a pattern may give up much.
    pub(super) fn fit(&self, other: &Self, frequent: bool) -> Option<u32> {
        if self.rule != other.rule || self.path_field != other.path_field {
            return None;
        }
        let across_images = self.images != other.images;
        if across_images && (self.images.is_empty() || other.images.is_empty()) {
            return None;
        }
        if across_images && self.images.union(&other.images).count() > MAX_IMAGES {
            return None;
        }
        let same = |one: &Option<String>, other: &Option<String>| one.is_some() && one == other;
        let via = same(&self.via, &other.via);
        let parents = self
            .parents
            .as_ref()
            .zip(other.parents.as_ref())
            .is_some_and(|(one, two)| one.union(two).count() <= MAX_PARENTS);
        let actors = self.actors.intersection(&other.actors);
        let narrow = |path| Narrowness { path, parents, actors: actors.clone().count(), via }.weight();
        let (Some(one), Some(two)) = (&self.path, &other.path) else {
            // Without a path only the same package manager or hash makes it one thing.
            return (via || same(&self.sha256, &other.sha256)).then(|| narrow(None));
        };
        let (weight, exact) = one.merged_weight(two);
        let anchor = via || actors.clone().any(|actor| is_installer(actor));
        let telling = anchor || actors.clone().next().is_some() || same(&self.dropper, &other.dropper);
        let same_parents = self.parents.is_some() && self.parents == other.parents;
        let lost = || one.weight().max(two.weight()).saturating_sub(weight);
        let fits = if exact {
            telling || same_parents || parents
        } else if across_images {
            // The same thing in several images: nothing may be given up for it.
            (telling || same_parents) && (lost() == 0 && weight >= STRONG || anchor && lost() <= 2)
        } else if anchor {
            true
        } else if one.differs_in_name_only(two) {
            actors.clone().next().is_some() && weight >= STRONG
        } else if one.differences(two).is_some_and(|differing| differing <= 2) {
            (telling || same_parents) && weight >= 2 || weight >= STRONG
        } else {
            frequent && telling && weight >= STRONG
                || frequent && same_parents && weight >= STRONG && lost() <= STRONG
        };
        fits.then(|| narrow(Some((weight, exact))))
    }

    /// How narrow it is.
    #[cfg(test)]
    pub(super) fn narrowness(&self) -> u32 {
        let path = self.path.as_ref().map(|path| (path.weight(), path.is_exact()));
        let (parents, via) = (self.parents.is_some(), self.via.is_some());
        Narrowness { path, parents, actors: self.actors.len(), via }.weight()
    }

    /// One more of what was taken in before.
    pub(super) fn again(&mut self, one: &Self) {
        self.count += one.count;
        for (path, count) in one.paths.iter().flatten() {
            if let Some((_, known)) = self.paths.iter_mut().flatten().find(|(known, _)| known == path) {
                *known += count;
            }
        }
    }

    /// Both as one, whether they fit or not.
    #[must_use]
    pub(super) fn joined(&self, other: &Self) -> Self {
        let same =
            |one: &Option<String>, other: &Option<String>| if one == other { one.clone() } else { None };
        let parents = match (&self.parents, &other.parents) {
            (Some(one), Some(other)) => Some(one | other).filter(|all| all.len() <= MAX_PARENTS),
            _ => None,
        };
        let paths = match (&self.paths, &other.paths) {
            (Some(one), Some(other)) => counted(one, other),
            _ => None,
        };
        Self {
            rule: self.rule.clone(),
            count: self.count + other.count,
            images: &self.images | &other.images,
            digests: if self.digests.is_empty() || other.digests.is_empty() {
                BTreeSet::new()
            } else {
                &self.digests | &other.digests
            },
            parents,
            actors: &self.actors & &other.actors,
            via: same(&self.via, &other.via),
            dropper: same(&self.dropper, &other.dropper),
            sha256: same(&self.sha256, &other.sha256),
            user: same(&self.user, &other.user),
            name: self.name.clone(),
            path_field: self.path_field,
            path: self.path.as_ref().zip(other.path.as_ref()).map(|(one, other)| one.merge(other)),
            paths,
        }
    }

    /// Paths to list instead of a pattern: few, and each came again, so that they are probably all.
    pub(super) fn listed_paths(&self) -> Option<Vec<&str>> {
        let paths = self.paths.as_ref()?;
        let again = paths.len() == 1 || paths.iter().all(|(_, count)| *count >= 3);
        (paths.len() <= MAX_PATHS && again).then(|| paths.iter().map(|(path, _)| path.as_str()).collect())
    }
}

/// What makes a cause narrow, for comparing what joining would give.
struct Narrowness {
    /// Weight of the path's pattern, and whether it is exact.
    path: Option<(u32, bool)>,
    /// Whether the parents are known.
    parents: bool,
    /// Telling programs that had a part in all.
    actors: usize,
    /// Whether a package manager is known.
    via: bool,
}

impl Narrowness {
    fn weight(&self) -> u32 {
        let path = self.path.map_or(0, |(weight, exact)| if exact { weight + 2 } else { weight });
        let parents = if self.parents { 2 } else { 0 };
        let actors = u32::try_from(self.actors.min(2)).unwrap_or(2);
        path * 2 + parents + actors + u32::from(self.via) * 3
    }
}

/// Whether a program's job is to install or build files.
pub(super) fn is_installer(name: &str) -> bool {
    actors::PACKAGE_MANAGERS.contains(&name)
}

fn counted(one: &[(String, u64)], other: &[(String, u64)]) -> Option<Vec<(String, u64)>> {
    let mut all = one.to_vec();
    for (path, count) in other {
        match all.iter_mut().find(|(known, _)| known == path) {
            Some((_, known)) => *known += count,
            None => all.push((path.clone(), *count)),
        }
    }
    (all.len() <= MAX_PATHS).then_some(all)
}

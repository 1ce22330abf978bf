//! `pmatch`: whether a path equals or lies below one of many. By components, so `/var/run` covers `/var/run/x` and not
//! `/var/runner`; a component may be a shell pattern. Empty components (`//`, a trailing `/`) do not count, as in Falco.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::glob::Glob;

/// Many paths as a tree of their components.
#[derive(Debug, Clone, Default)]
pub struct PathPrefixes {
    root: Directory,
}

#[derive(Debug, Clone, Default)]
struct Directory {
    /// A path of the list ends here: everything below matches.
    ends: bool,
    names: HashMap<Box<[u8]>, Directory, FixedState>,
    patterns: Vec<(Glob, Directory)>,
}

fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    path.split(|&b| b == b'/').filter(|component| !component.is_empty())
}

impl PathPrefixes {
    /// Adds a path. `/` covers everything.
    pub fn add(&mut self, path: &[u8]) {
        let mut here = &mut self.root;
        for component in components(path) {
            let glob = Glob::new(component, false);
            here = if let Some(name) = glob.literal() {
                here.names.entry(name.into_boxed_slice()).or_default()
            } else {
                let known = here.patterns.iter().position(|(pattern, _)| *pattern == glob);
                let index = known.unwrap_or_else(|| {
                    here.patterns.push((glob, Directory::default()));
                    here.patterns.len() - 1
                });
                &mut here.patterns[index].1
            };
        }
        here.ends = true;
    }

    /// Whether `path` equals or lies below one of the paths.
    #[must_use]
    pub fn covers(&self, path: &[u8]) -> bool {
        covers(&self.root, components(path))
    }
}

/// Only patterns branch, so a list without them is one walk. Recursion is bounded by the components of the list.
fn covers<'p>(directory: &Directory, mut rest: impl Iterator<Item = &'p [u8]> + Clone) -> bool {
    if directory.ends {
        return true;
    }
    let Some(component) = rest.next() else { return false };
    directory.names.get(component).is_some_and(|next| covers(next, rest.clone()))
        || directory
            .patterns
            .iter()
            .any(|(pattern, next)| pattern.matches(component) && covers(next, rest.clone()))
}

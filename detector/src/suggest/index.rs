//! Finds the causes that an alert could belong to without looking at all of them: by what two causes must share before
//! they can be one (a part of the path, the package manager, the hash), within an image or across images.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
};

use super::{
    Cause,
    cause::is_installer,
    path_pattern::{End, PathPattern},
};

/// Causes under one key. Those that are found by no other key are found by none.
const MAX_UNDER_KEY: usize = 64;
/// Causes that are looked at for one alert: those that share most.
const MAX_FOUND: usize = 32;

/// Causes by what they share with others.
#[derive(Default)]
pub(super) struct Index {
    hasher: RandomState,
    under: HashMap<u64, Vec<u32>>,
}

/// What two causes may share.
#[derive(Hash)]
enum Key<'c> {
    Path(String),
    Part(Option<usize>, usize, End, &'c [u8]),
    Installer(&'c str),
    PackageManager(&'c str),
    Hash(&'c str),
    /// Across images.
    InstalledPart(&'c str, usize, &'c [u8]),
}

impl Index {
    /// Puts a cause under its keys; those that it is already under stay.
    pub(super) fn post(&mut self, id: u32, cause: &Cause) {
        for key in self.keys(cause) {
            let ids = self.under.entry(key).or_default();
            if ids.len() < MAX_UNDER_KEY && !ids.contains(&id) {
                ids.push(id);
            }
        }
    }

    /// Forgets all causes.
    pub(super) fn clear(&mut self) {
        self.under.clear();
    }

    /// The causes that share most with this one, by their ids.
    pub(super) fn near(&self, cause: &Cause) -> Vec<u32> {
        let mut shared: HashMap<u32, u32> = HashMap::new();
        for id in self.keys(cause).iter().filter_map(|key| self.under.get(key)).flatten() {
            *shared.entry(*id).or_default() += 1;
        }
        let mut found: Vec<(u32, u32)> = shared.into_iter().collect();
        // The older one of two that share as much.
        found.sort_unstable_by_key(|(id, shared)| (u32::MAX - shared, *id));
        let mut ids: Vec<u32> = found.into_iter().take(MAX_FOUND).map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids
    }

    fn keys(&self, cause: &Cause) -> Vec<u64> {
        let mut keys = Vec::new();
        let none = String::new();
        let images = cause.images.iter().map(Some).chain(cause.images.is_empty().then_some(None));
        for image in images {
            let image = image.unwrap_or(&none);
            self.within(cause, image, &mut keys);
        }
        if !cause.images.is_empty() {
            self.across(cause, &mut keys);
        }
        keys
    }

    fn within(&self, cause: &Cause, image: &str, keys: &mut Vec<u64>) {
        let mut add = |key: Key<'_>| {
            keys.push(self.hasher.hash_one((&cause.rule, cause.path_field, image, key)));
        };
        for name in installers(cause) {
            add(Key::Installer(name));
        }
        if let Some(name) = &cause.via {
            add(Key::PackageManager(name));
        }
        let Some(path) = &cause.path else {
            if let Some(hash) = &cause.sha256 {
                add(Key::Hash(hash));
            }
            return;
        };
        add(Key::Path(path.glob()));
        for (at, end, bytes) in path.marks() {
            add(Key::Part(path.parts(), at, end, bytes));
        }
    }

    fn across(&self, cause: &Cause, keys: &mut Vec<u64>) {
        let mut add = |key: Key<'_>| keys.push(self.hasher.hash_one((&cause.rule, cause.path_field, key)));
        let Some(path) = &cause.path else { return };
        add(Key::Path(path.glob()));
        for name in installers(cause) {
            for (at, bytes) in starts(path) {
                add(Key::InstalledPart(name, at, bytes));
            }
        }
    }
}

fn installers(cause: &Cause) -> impl Iterator<Item = &str> {
    cause.actors.iter().map(String::as_str).filter(|name| is_installer(name))
}

fn starts(path: &PathPattern) -> impl Iterator<Item = (usize, &[u8])> {
    path.marks().filter(|(_, end, _)| *end == End::Start).map(|(at, _, bytes)| (at, bytes))
}

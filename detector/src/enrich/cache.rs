//! Containers that were looked up, bounded in number and bytes.

use std::{
    collections::{HashMap, VecDeque},
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use super::{bounds, disk::Found, subject::pid_namespace_since, watch::Listening};
use crate::event::{ContainerId, ExecEvent, MetadataState, Runtime};

/// Containers that are kept at most.
const CONTAINERS: usize = 4096;
/// Bytes that they take at most.
const BYTES: usize = 16 << 20;
/// How long complete metadata is believed: containers are renamed and joined to networks.
const FRESH: Duration = Duration::from_secs(60);
/// How long it is believed while its engine is listened to, which would tell.
const FRESH_WHILE_LISTENING: Duration = Duration::from_secs(3600);
/// How long it is believed that something cannot be found out.
const FRESH_PARTIAL: Duration = Duration::from_secs(1);
/// Length of ids that are never given twice.
const UNIQUE_ID: usize = 64;

/// A container as it was identified. Names are given again, so the namespaces are part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    id: String,
    place: Option<(u32, u64)>,
}

impl Key {
    pub(super) fn of(event: &ExecEvent, id: &ContainerId) -> Self {
        Self::with_place(id, (event.namespaces.mnt, pid_namespace_since(event)))
    }

    /// Under which a container of root's Podman is kept that its service told of: events do not tell processes there.
    /// Nothing in a user namespace is looked up so, as users make containers with ids of their choice.
    pub(super) fn told(event: &ExecEvent, id: &ContainerId) -> Option<Self> {
        let of_root = event.credentials.user_ns_level == 0;
        let podman = matches!(id, ContainerId::Named { runtime: Runtime::Podman, .. });
        (of_root && podman).then(|| Self::of_running(id, None))?
    }

    /// Of a container whose first process lives in this mount namespace and this pid namespace.
    pub(super) fn of_running(id: &ContainerId, place: Option<(u32, u64)>) -> Option<Self> {
        match place {
            Some(place) => Some(Self::with_place(id, place)),
            None => id.full().filter(|id| id.len() == UNIQUE_ID).map(|_| Self::with_place(id, (0, 0))),
        }
    }

    fn with_place(id: &ContainerId, place: (u32, u64)) -> Self {
        // Users of the host can give their containers of Podman the ids that others have.
        let by_user = matches!(id, ContainerId::Named { runtime: Runtime::Podman, .. });
        let id = id.full().unwrap_or_default().into_owned();
        let unique = id.len() == UNIQUE_ID && !by_user;
        Self { place: (!unique).then_some(place), id }
    }
}

struct Entry {
    found: Found,
    listening: Option<Listening>,
    since: Instant,
    weight: usize,
}

/// The containers.
#[derive(Default)]
pub(super) struct Cache {
    entries: HashMap<Key, Entry>,
    order: VecDeque<Key>,
    weight: usize,
}

impl Cache {
    /// What is known of a container, if that is still to be believed.
    pub(super) fn get(&self, key: &Key) -> Option<&Found> {
        let entry = self.entries.get(key)?;
        let listening = entry.listening.as_ref().is_some_and(|listening| listening.load(Ordering::Relaxed));
        let believed = match entry.found.state() {
            MetadataState::Complete if listening => FRESH_WHILE_LISTENING,
            MetadataState::Complete => FRESH,
            _ => FRESH_PARTIAL,
        };
        (entry.since.elapsed() < believed).then_some(&entry.found)
    }

    /// Keeps what was found and gives back the best that is known: a container that is gone by now is still what it
    /// was. `listening`: whether the engine that told of it is still listened to; who found it otherwise knows none.
    pub(super) fn put(&mut self, key: Key, found: Found, listening: Option<Listening>) -> Found {
        let before = self.remove(&key);
        let listening = listening.or_else(|| before.as_ref()?.listening.clone());
        let best = match before {
            Some(before) if better(&before.found, &found) => before.found,
            _ => found,
        };
        let weight = best.facts.as_deref().map_or(512, bounds::weight);
        self.weight += weight;
        self.entries
            .insert(key.clone(), Entry { found: best.clone(), listening, since: Instant::now(), weight });
        self.order.push_back(key);
        while (self.weight > BYTES || self.entries.len() > CONTAINERS)
            && let Some(oldest) = self.order.front().cloned()
        {
            self.remove(&oldest);
        }
        best
    }

    fn remove(&mut self, key: &Key) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        self.weight -= entry.weight;
        if let Some(at) = self.order.iter().position(|other| other == key) {
            self.order.remove(at);
        }
        Some(entry)
    }
}

fn better(one: &Found, other: &Found) -> bool {
    let missing = |found: &Found| match found.state() {
        MetadataState::Complete => 0,
        MetadataState::Partial { missing, .. } if !missing.is_empty() => missing.len(),
        MetadataState::Partial { .. } | MetadataState::Pending => usize::MAX,
    };
    missing(one) < missing(other)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::{BYTES, CONTAINERS, Cache, Key};
    use crate::enrich::subject::pid_namespace_since;
    use crate::{
        enrich::{disk::Found, sample::container},
        event::{ContainerId, ContainerMetadata, MissingReason, Runtime},
    };

    fn key(name: &str) -> Key {
        Key::of(&container(7, "/"), &ContainerId::named(name, Runtime::Oci))
    }

    fn found(name: Option<&str>, label: usize) -> Found {
        let mut facts = ContainerMetadata::new("x", Runtime::Oci);
        facts.name = name.map(str::to_owned);
        facts.labels = Some(BTreeMap::from([("l".to_owned(), "v".repeat(label))]));
        let id = ContainerId::named("x", Runtime::Oci);
        Found { id, facts: Some(Arc::new(facts)), why: MissingReason::Source, route: None }
    }

    #[test]
    fn the_best_is_kept() {
        let mut cache = Cache::default();
        assert_eq!(cache.get(&key("a")), None);
        cache.put(key("a"), found(Some("web"), 1), None);
        let gone = Found { facts: None, why: MissingReason::NotFound, ..found(None, 1) };
        let best = cache.put(key("a"), gone, None);
        assert_eq!(best.facts.unwrap().name.as_deref(), Some("web"));
        assert!(cache.get(&key("a")).unwrap().facts.is_some());
        let renamed = cache.put(key("a"), found(Some("shop"), 1), None);
        assert_eq!(renamed.facts.unwrap().name.as_deref(), Some("shop"));
        assert_eq!((cache.entries.len(), cache.order.len()), (1, 1));
    }

    #[test]
    fn what_an_engine_told_is_known_by_the_events_of_the_container() {
        let mut cache = Cache::default();
        let event = container(7, "/");
        let since = pid_namespace_since(&event);
        for (name, place) in [("web", Some((7, since))), (&*"a".repeat(64), None)] {
            let id = ContainerId::named(name, Runtime::Containerd);
            let key = Key::of_running(&id, place).unwrap();
            cache.put(key, found(Some("x"), 1), None);
            assert!(cache.get(&Key::of(&event, &id)).is_some(), "{name}");
        }
        let again = ContainerId::named("web", Runtime::Containerd);
        assert_eq!(Key::of_running(&again, None), None, "a name that others had before");
    }

    #[test]
    fn a_user_cannot_give_another_users_container_its_facts() {
        let id = ContainerId::named("a".repeat(64), Runtime::Podman);
        let (mut one, mut other) = (container(7, "/"), container(8, "/"));
        assert_ne!(Key::of(&one, &id), Key::of(&other, &id));
        let told = Key::of_running(&id, None).unwrap();
        assert_eq!(Key::told(&one, &id), Some(told));
        one.credentials.user_ns_level = 1;
        other.credentials.user_ns_level = 1;
        assert_eq!(Key::told(&one, &id), None);
        let docker = ContainerId::named("a".repeat(64), Runtime::Docker);
        assert_eq!(Key::told(&other, &docker), None);
    }

    #[test]
    fn a_name_that_is_given_again_is_another_container() {
        let name = ContainerId::named("web", Runtime::Oci);
        assert_ne!(Key::of(&container(7, "/"), &name), Key::of(&container(8, "/"), &name));
        let id = ContainerId::named("a".repeat(64), Runtime::Docker);
        assert_eq!(Key::of(&container(7, "/"), &id), Key::of(&container(8, "/"), &id));
    }

    #[test]
    fn number_and_bytes_are_bounded() {
        let mut cache = Cache::default();
        for number in 0..CONTAINERS + 10 {
            cache.put(key(&number.to_string()), found(Some("x"), 1), None);
        }
        assert_eq!((cache.entries.len(), cache.order.len()), (CONTAINERS, CONTAINERS));
        assert!(cache.get(&key("0")).is_none() && cache.get(&key("10")).is_some());
        for number in 0..200 {
            cache.put(key(&number.to_string()), found(Some("x"), 1 << 20), None);
        }
        assert!(cache.weight <= BYTES && !cache.entries.is_empty());
        let total: usize = cache.entries.values().map(|entry| entry.weight).sum();
        assert_eq!(total, cache.weight);
    }
}

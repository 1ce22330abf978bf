//! Brings together who asks, who knows and who waits: an event comes in, and comes out again once with everything that
//! could be found out about it in time.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::runtime::Handle;

use super::{
    cache::{Cache, Key},
    container_id::{Identifier, Judgement},
    disk::{Disk, DiskPlaces, Found},
    engines::{EngineSockets, Engines},
    holder::{Answer, Answers, Holder, Released, Ticket, Wanted},
    host_root,
    user_names::{UserLookup, without_files},
    workers::Workers,
};
use crate::event::{ContainerId, ExecEvent, Metadata, MetadataState, MissingReason};

/// Threads that read engines' files.
const DISK_THREADS: usize = 2;
/// Threads that read files of containers, which may hang.
const USER_THREADS: usize = 4;

/// How enrichment works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrichConfig {
    /// How long an event waits for what is not known at once.
    pub wait: Duration,
    /// Events that can wait at the same time; more go on unenriched.
    pub room: usize,
    /// Where the host's root file system is seen: `/` unless the agent is a container itself.
    pub host_root: PathBuf,
    /// Where engines keep their files.
    pub disk: DiskPlaces,
    /// Where engines listen.
    pub sockets: EngineSockets,
}

impl EnrichConfig {
    /// The usual values for a host whose root is seen at `host_root`.
    #[must_use]
    pub fn below(host_root: &Path) -> Self {
        Self {
            wait: Duration::from_millis(500),
            room: 1024,
            host_root: host_root.to_path_buf(),
            disk: DiskPlaces::below(host_root),
            sockets: EngineSockets::below(host_root),
        }
    }
}

/// What happened so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnrichStats {
    /// Events of containers with all their metadata.
    pub complete: u64,
    /// Events of containers without, by reason.
    pub partial: BTreeMap<&'static str, u64>,
    /// Events that had to wait.
    pub held: u64,
    /// Events that waited for the names of their user to the end.
    pub users_late: u64,
    /// Files with names of users that were there and could not be used.
    pub users_unreadable: u64,
}

/// What lookups in other threads share.
struct Shared {
    disk: Disk,
    engines: Engines,
    users: UserLookup,
    cache: Mutex<Cache>,
    /// Containers that are being looked up, and the events that wait for them.
    asked: Mutex<HashMap<Key, Vec<Ticket>>>,
    answers: Answers,
    runtime: Handle,
}

impl Shared {
    fn cached(&self, key: &Key) -> Option<Found> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn keep(&self, key: Key, found: Found) -> Found {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).put(key, found)
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<Key, Vec<Ticket>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks a container up on disk, and then where its engine listens. In a thread of its own.
    fn look_up(self: Arc<Self>, event: &ExecEvent, judgement: &Judgement, key: Key) {
        let found = self.disk.look_up(event, judgement);
        if found.state() == MetadataState::Complete {
            let found = self.keep(key.clone(), found);
            let waiting = self.asked().remove(&key).unwrap_or_default();
            for ticket in waiting {
                // The receiver ends with the agent; then nobody wants to know.
                let _ = self.answers.blocking_send((ticket, Answer::All(found.clone())));
            }
            return;
        }
        let waiting = self.asked().get(&key).cloned().unwrap_or_default();
        for ticket in waiting {
            let _ = self.answers.blocking_send((ticket, Answer::Some(found.clone())));
        }
        let runtime = self.runtime.clone();
        runtime.spawn(async move {
            let found = self.engines.complete(found).await;
            let found = self.keep(key.clone(), found);
            let waiting = self.asked().remove(&key).unwrap_or_default();
            for ticket in waiting {
                let _ = self.answers.send((ticket, Answer::All(found.clone()))).await;
            }
        });
    }
}

/// The stage. `offer` takes events and never waits; `next` gives those back that had to.
pub struct Enricher {
    identifier: Identifier,
    holder: Holder,
    shared: Arc<Shared>,
    disk_threads: Workers,
    user_threads: Workers,
    stats: EnrichStats,
}

impl Enricher {
    /// Starts the threads for lookups. Must be called in a runtime of tokio: engines are asked there.
    pub fn new(config: EnrichConfig) -> io::Result<Self> {
        let holder = Holder::new(config.wait, config.room);
        Ok(Self {
            identifier: Identifier::new(host_root::device(&config.host_root)),
            shared: Arc::new(Shared {
                users: UserLookup::new(&config.host_root),
                disk: Disk::new(config.disk),
                engines: Engines::new(config.sockets),
                cache: Mutex::default(),
                asked: Mutex::default(),
                answers: holder.answers(),
                runtime: Handle::try_current().map_err(io::Error::other)?,
            }),
            holder,
            disk_threads: Workers::start("metadata", DISK_THREADS, config.room)?,
            user_threads: Workers::start("user-names", USER_THREADS, config.room)?,
            stats: EnrichStats::default(),
        })
    }

    /// Takes an event. It comes back at once when all is known or there is no room to wait, else by [`Self::next`].
    pub fn offer(&mut self, mut event: ExecEvent) -> Option<ExecEvent> {
        let judgement = self.identifier.recognise(&event);
        event.container.id = judgement.id.clone();
        let key = Key::of(&event, &judgement.id);
        let known_container = match judgement.id {
            ContainerId::Host | ContainerId::Unknown => None,
            _ => self.shared.cached(&key),
        };
        let users = self.shared.users.known(&event);
        let wanted = Wanted {
            container: known_container.is_none()
                && !matches!(judgement.id, ContainerId::Host | ContainerId::Unknown),
            users: users.is_none(),
        };
        let released = Released { event, found: known_container, users, late: wanted };
        if wanted == Wanted::default() {
            return Some(self.finish(released));
        }
        let question = Box::new(released.event.clone());
        match self.holder.hold(released) {
            Ok(ticket) => {
                self.stats.held += 1;
                self.ask(ticket, question, judgement, &key, wanted);
                None
            }
            Err(released) => Some(self.overflow(*released)),
        }
    }

    /// The next event that had to wait. Never ends while [`Self::waiting`] is 0. Dropping the future loses nothing.
    pub async fn next(&mut self) -> ExecEvent {
        let released = self.holder.next().await;
        self.finish(released)
    }

    /// Events that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.holder.waiting()
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> EnrichStats {
        EnrichStats { users_unreadable: self.shared.users.unreadable(), ..self.stats.clone() }
    }

    fn ask(
        &mut self,
        ticket: Ticket,
        event: Box<ExecEvent>,
        judgement: Judgement,
        key: &Key,
        wanted: Wanted,
    ) {
        let mut refused = Vec::new();
        if wanted.users {
            let (shared, event) = (Arc::clone(&self.shared), event.clone());
            let job = move || {
                let users = shared.users.look_up(&event);
                let _ = shared.answers.blocking_send((ticket, Answer::Users(users)));
            };
            if self.user_threads.try_run(job).is_err() {
                refused.push("user names");
            }
        }
        if wanted.container && !self.ask_container(ticket, event, judgement, key) {
            refused.push("container");
        }
        // Whoever is refused waits to the bound and says `timeout`: all threads hang.
        if !refused.is_empty() {
            log::debug!("all threads for lookups are taken: {}", refused.join(", "));
        }
    }

    /// Whether somebody looks the container up. All events of one container wait for the same answer.
    fn ask_container(
        &mut self,
        ticket: Ticket,
        event: Box<ExecEvent>,
        judgement: Judgement,
        key: &Key,
    ) -> bool {
        match self.shared.asked().entry(key.clone()) {
            Entry::Occupied(mut waiting) => {
                waiting.get_mut().push(ticket);
                return true;
            }
            Entry::Vacant(entry) => entry.insert(vec![ticket]),
        };
        let (shared, asked) = (Arc::clone(&self.shared), key.clone());
        let accepted = self.disk_threads.try_run(move || shared.look_up(&event, &judgement, asked)).is_ok();
        if !accepted {
            self.shared.asked().remove(key);
        }
        accepted
    }

    /// There is no room: what is known at once is all there will be.
    fn overflow(&mut self, released: Released) -> ExecEvent {
        if !released.late.container {
            return self.finish(Released { late: Wanted::default(), ..released });
        }
        let mut event = released.event;
        event.names = released.users.unwrap_or_else(|| without_files(&event));
        event.container.metadata = Metadata::missing(MissingReason::Overflow);
        self.count(&event);
        event
    }

    /// Writes into the event what was found out.
    fn finish(&mut self, released: Released) -> ExecEvent {
        let Released { mut event, found, users, late } = released;
        self.stats.users_late += u64::from(late.users);
        event.names = users.unwrap_or_else(|| without_files(&event));
        event.container.metadata = match (found, late.container) {
            (Some(found), is_late) => {
                if let (ContainerId::Named { id, runtime }, Some(_)) = (&found.id, &found.facts) {
                    self.identifier.learn(&event, id, *runtime);
                }
                let state = match (&found.facts, is_late) {
                    (Some(facts), true) => facts.state(MissingReason::Timeout),
                    _ => found.state(),
                };
                event.container.id = found.id;
                Metadata { facts: found.facts, state }
            }
            (None, true) => Metadata::missing(MissingReason::Timeout),
            (None, false) if event.container.id == ContainerId::Host => {
                Metadata { facts: None, state: MetadataState::Complete }
            }
            (None, false) => Metadata::missing(MissingReason::Unnamed),
        };
        self.count(&event);
        event
    }

    fn count(&mut self, event: &ExecEvent) {
        if event.container.id == ContainerId::Host {
            return;
        }
        match &event.container.metadata.state {
            MetadataState::Complete => self.stats.complete += 1,
            MetadataState::Partial { why, .. } => *self.stats.partial.entry(why.name()).or_default() += 1,
            MetadataState::Pending => {}
        }
    }
}

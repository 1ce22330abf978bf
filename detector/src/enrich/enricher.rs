//! Brings together who asks, who knows and who waits: an event comes in, and comes out again once with everything that
//! could be found out about it in time.
//!
//! Size: one stage, whose lookups are in files of their own; what is left here is who is asked what, and when.

mod config;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    io,
    os::fd::AsFd,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::Ordering,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};

pub use config::EnrichConfig;
use tokio::{runtime::Handle, task::JoinSet};

use super::{
    bounded_read::open_place,
    cache::{Cache, Key},
    container_id::{Identifier, Judgement},
    disk::{Disk, Found, Route},
    engines::{Dialect, Engines, News},
    holder::{Answer, Answers, Holder, Released, Ticket, Wanted},
    host_root,
    pin::{Pin, Pins},
    processes::Processes,
    running::{Running, of_process, running},
    subject::Subject,
    turns::{Joined, Owner, Turns},
    user_names::{UserLookup, without_files},
    watch::{Heard, Listening, listen},
    workers::{Size, Workers},
};
use crate::{
    event::{ContainerId, Examination, ExecEvent, Gap, Metadata, MetadataState, MissingReason, Runtime},
    examine::Examiner,
};

/// Threads that read engines' files.
const DISK_THREADS: usize = 2;
/// Threads that read files and memory of containers, which may hang.
const INSIDE_THREADS: usize = 2;
/// The same when all of them are busy: so many containers can hang before others notice.
const INSIDE_THREADS_AT_MOST: usize = 32;

/// Containers that can wait to be read ahead of their first event.
const AHEAD: usize = 256;
/// Containers of which it can be learned what they were called before the agent ran.
const RUNNING: usize = 4096;

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
    /// Events that waited for the processes above them to the end.
    pub ancestors_late: u64,
    /// Lookups that were not even tried: one of the same container hangs, or all threads are taken.
    pub refused: u64,
    /// Events of containers that engines told.
    pub engine_events: u64,
    /// Of these, for which there was no room: the container is read when it is asked for.
    pub engine_events_refused: u64,
    /// Connections to engines, for their events, that broke or were refused.
    pub engine_streams_broken: u64,
}

/// A lookup in a container's processes and files.
struct Question {
    ticket: Ticket,
    event: Box<ExecEvent>,
    judgement: Judgement,
    pin: Option<Pin>,
    wanted: Wanted,
}

/// What a container is called that ran before the agent did.
struct Learned {
    mnt: u32,
    since: u64,
    id: String,
    runtime: Runtime,
}

/// What lookups in other threads share.
struct Shared {
    proc: PathBuf,
    disk: Disk,
    engines: Engines,
    users: UserLookup,
    examiner: Examiner,
    processes: Processes,
    turns: Turns<Question>,
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

    fn keep(&self, key: Key, found: Found, listening: Option<Listening>) -> Found {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).put(key, found, listening)
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<Key, Vec<Ticket>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers what is asked about one container's processes and users. In a thread of its own, which may hang.
    fn answer(&self, owner: Owner) {
        while let Some(Question { ticket, event, judgement, pin, wanted }) = self.turns.take(owner) {
            // Processes first: they end, and with them the way to the file.
            let executed = wanted.examination.then(|| self.examiner.open(&event));
            if wanted.ancestors {
                let details = self.processes.look_up(&event);
                let _ = self.answers.blocking_send((ticket, Answer::Ancestors(details)));
            }
            if wanted.users {
                let place = match (&pin, owner) {
                    (None, Owner::Namespace(..)) => self
                        .disk
                        .root_of(&Subject::of(&event), &judgement)
                        .and_then(|path| open_place(&path).ok()),
                    _ => None,
                };
                let root = pin.as_ref().map(Pin::root).or_else(|| place.as_ref().map(AsFd::as_fd));
                let users = self.users.look_up(&event, root);
                let _ = self.answers.blocking_send((ticket, Answer::Users(users)));
            }
            if let Some(executed) = executed {
                let examined = Box::new(self.examiner.examine(&event, executed));
                let _ = self.answers.blocking_send((ticket, Answer::Examined(examined)));
            }
        }
    }

    /// Looks a container up on disk, and then where its engine listens. In a thread of its own.
    fn look_up(self: Arc<Self>, event: &ExecEvent, judgement: &Judgement, key: Key) {
        let found = self.disk.look_up(&Subject::of(event), judgement);
        if found.state() == MetadataState::Complete {
            let found = self.keep(key.clone(), found, None);
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
            let found = self.keep(key.clone(), found, None);
            let waiting = self.asked().remove(&key).unwrap_or_default();
            for ticket in waiting {
                let _ = self.answers.send((ticket, Answer::All(found.clone()))).await;
            }
        });
    }

    /// Reads the containers that run. In a thread of its own.
    fn read_running(self: &Arc<Self>, learned: &SyncSender<Learned>) {
        for Running { subject, since, named } in running(&self.proc) {
            let judgement = match named {
                Some((id, runtime)) => Judgement { id: ContainerId::named(id, runtime), certain: true },
                None => Judgement { id: ContainerId::Namespace(subject.mnt), certain: false },
            };
            let found = self.disk.look_up(&subject, &judgement);
            let ContainerId::Named { id, runtime } = &found.id else { continue };
            let (id, runtime) = (id.clone(), *runtime);
            if let Some(key) = Key::of_running(&found.id, Some((subject.mnt, since))) {
                Arc::clone(self).complete(key, found, None);
            }
            // What does not fit is learned from the container's first event.
            let _ = learned.try_send(Learned { mnt: subject.mnt, since, id, runtime });
        }
    }

    /// Reads a container of which an engine told. In a thread of its own.
    fn hear(self: Arc<Self>, dialect: Dialect, socket: &Path, news: News, listening: Listening) {
        let runtime = match dialect {
            Dialect::Docker => Runtime::Docker,
            Dialect::Podman => Runtime::Podman,
            // Docker's containers are Docker's to tell.
            Dialect::Containerd if news.namespace.as_deref() == Some("moby") => return,
            Dialect::Containerd => Runtime::Containerd,
        };
        let running = news.pid.and_then(|pid| of_process(&self.proc, pid));
        let id = ContainerId::named(news.id, runtime);
        let place = running.as_ref().map(|running| (running.subject.mnt, running.since));
        let Some(key) = Key::of_running(&id, place) else { return };
        let subject = running.map(|running| running.subject).unwrap_or_default();
        let mut found = self.disk.look_up(&subject, &Judgement { id, certain: true });
        if found.route.is_none() {
            found.route = news.namespace.map(|namespace| Route { address: socket.to_path_buf(), namespace });
        }
        self.complete(key, found, Some(listening));
    }

    fn keep_ahead(&self, key: Key, found: Found, listening: Option<Listening>) {
        let kept = self.keep(key, found, listening);
        log::debug!(
            "container {} is known ahead of its events: {}",
            kept.id.full().unwrap_or_default(),
            kept.state()
        );
    }

    /// Asks the engine for what the disk does not have, and keeps it.
    fn complete(self: Arc<Self>, key: Key, found: Found, listening: Option<Listening>) {
        if found.state() == MetadataState::Complete {
            self.keep_ahead(key, found, listening);
            return;
        }
        let runtime = self.runtime.clone();
        runtime.spawn(async move {
            let found = self.engines.complete(found).await;
            self.keep_ahead(key, found, listening);
        });
    }
}

/// The stage. `offer` takes events and never waits; `next` gives those back that had to.
pub struct Enricher {
    identifier: Identifier,
    holder: Holder,
    shared: Arc<Shared>,
    pins: Pins,
    wants_ancestors: bool,
    disk_threads: Workers,
    inside_threads: Workers,
    learned: Receiver<Learned>,
    heard: Arc<Heard>,
    /// End with this.
    _listeners: JoinSet<()>,
    stats: EnrichStats,
}

impl Enricher {
    /// Starts the threads for lookups. Must be called in a runtime of tokio: engines are asked there.
    pub fn new(config: EnrichConfig) -> io::Result<Self> {
        let holder = Holder::new(config.wait, config.room);
        let proc = config.host_root.join("proc");
        let shared = Arc::new(Shared {
            users: UserLookup::new(&config.host_root),
            examiner: Examiner::new(&config.host_root),
            processes: Processes::new(proc.clone()),
            proc,
            turns: Turns::new(config.wait),
            disk: Disk::new(config.disk),
            engines: Engines::new(config.sockets.clone()),
            cache: Mutex::default(),
            asked: Mutex::default(),
            answers: holder.answers(),
            runtime: Handle::try_current().map_err(io::Error::other)?,
        });
        let inside =
            Size { threads: INSIDE_THREADS, most: INSIDE_THREADS_AT_MOST, waiting: INSIDE_THREADS_AT_MOST };
        // One thread: what is read ahead must not hold up what is asked for.
        let ahead = Arc::new(Workers::start("engines", Size { threads: 1, most: 1, waiting: AHEAD })?);
        let (learn, learned) = sync_channel(RUNNING);
        let of_running = Arc::clone(&shared);
        let _ = ahead.try_run(move || of_running.read_running(&learn));
        let heard = Arc::new(Heard::default());
        let (of_listening, counted) = (Arc::clone(&shared), Arc::clone(&heard));
        let listeners = listen(&config.sockets, &heard, move |dialect, socket, news, listening| {
            let (shared, socket) = (Arc::clone(&of_listening), socket.to_path_buf());
            if ahead.try_run(move || shared.hear(dialect, &socket, news, listening)).is_err() {
                counted.refused.fetch_add(1, Ordering::Relaxed);
            }
        });
        Ok(Self {
            identifier: Identifier::new(host_root::device(&config.host_root)),
            holder,
            pins: Pins::default(),
            learned,
            heard,
            _listeners: listeners,
            wants_ancestors: false,
            disk_threads: Workers::start(
                "metadata",
                Size { threads: DISK_THREADS, most: DISK_THREADS, waiting: config.room },
            )?,
            inside_threads: Workers::start("containers", inside)?,
            shared,
            stats: EnrichStats::default(),
        })
    }

    /// Whether anybody wants to know what the executed files are, and what interpreters are told to run.
    pub fn want_examination(&mut self, wanted: bool, interpreters: bool) {
        self.shared.examiner.want(wanted, interpreters);
    }

    /// Whether anybody wants to know the arguments, folders and files of the processes above an event's, and their
    /// environments. Reading them costs files of procfs for each event: without a rule that shows them nobody does.
    pub fn want_ancestors(&mut self, wanted: bool, environments: bool) {
        let first = wanted && !self.wants_ancestors;
        self.wants_ancestors = wanted;
        self.shared.processes.want_environments(environments);
        if first {
            let shared = Arc::clone(&self.shared);
            // A thread that is busy with it is made up for; without one the processes are read when they are met.
            let _ = self.inside_threads.try_run(move || shared.processes.seed());
        }
    }

    /// Takes an event. It comes back at once when all is known or there is no room to wait, else by [`Self::next`].
    pub fn offer(&mut self, mut event: ExecEvent) -> Option<ExecEvent> {
        for Learned { mnt, since, id, runtime } in self.learned.try_iter() {
            self.identifier.learn_of_running(mnt, since, &id, runtime);
        }
        let judgement = self.identifier.recognise(&event);
        event.container.id = judgement.id.clone();
        let key = Key::of(&event, &judgement.id);
        let known_container = match judgement.id {
            ContainerId::Host | ContainerId::Unknown => None,
            _ => self.shared.cached(&key),
        };
        let users = self.shared.users.known(&event);
        let ancestors = self.wants_ancestors && self.shared.processes.fill(&mut event);
        let owner = Owner::of(&event);
        let mut wanted = Wanted {
            container: known_container.is_none()
                && !matches!(judgement.id, ContainerId::Host | ContainerId::Unknown),
            users: users.is_none(),
            ancestors,
            examination: self.shared.examiner.wants(&event),
        };
        let mut examined = None;
        if wanted.inside() && self.shared.turns.hangs(owner) {
            // Waiting for it would be in vain.
            self.stats.refused += 1;
            examined = wanted.examination.then(|| Box::new(Examination::missing(Gap::Overflow)));
            wanted = Wanted { container: wanted.container, ..Wanted::default() };
        }
        let released = Released { event, found: known_container, users, examined, late: wanted };
        if wanted == Wanted::default() && !self.holder.is_taken(&key) {
            return Some(self.finish(released));
        }
        // Before anything else: its process may be about to end.
        let pin = if wanted.users && owner != Owner::Host {
            self.pins.pin(&released.event, &self.shared.proc)
        } else {
            None
        };
        let event = Box::new(released.event.clone());
        match self.holder.hold(key.clone(), released) {
            Ok(ticket) => {
                self.stats.held += 1;
                if wanted.container && !self.ask_container(ticket, event.clone(), judgement.clone(), &key) {
                    self.stats.refused += 1;
                }
                if wanted.inside() {
                    self.ask_inside(owner, Question { ticket, event, judgement, pin, wanted });
                }
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
        EnrichStats {
            users_unreadable: self.shared.users.unreadable(),
            engine_events: self.heard.events.load(Ordering::Relaxed),
            engine_events_refused: self.heard.refused.load(Ordering::Relaxed),
            engine_streams_broken: self.heard.broken.load(Ordering::Relaxed),
            ..self.stats.clone()
        }
    }

    /// Asks the container's own processes and files. Whoever is refused waits to the bound and says so.
    fn ask_inside(&mut self, owner: Owner, question: Question) {
        let shared = Arc::clone(&self.shared);
        let accepted = match self.shared.turns.join(owner, question) {
            Joined::First => self.inside_threads.try_run(move || shared.answer(owner)).is_ok(),
            Joined::Later => return,
            Joined::Refused => {
                self.stats.refused += 1;
                return;
            }
        };
        if !accepted {
            self.stats.refused += 1;
            self.shared.turns.give_up(owner);
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
        let examined = released.late.examination.then(|| Box::new(Examination::missing(Gap::Overflow)));
        if !released.late.container {
            return self.finish(Released { late: Wanted::default(), examined, ..released });
        }
        let mut event = released.event;
        event.examination = examined;
        event.names = released.users.unwrap_or_else(|| without_files(&event));
        event.container.metadata = Metadata::missing(MissingReason::Overflow);
        self.count(&event);
        event
    }

    /// Writes into the event what was found out.
    fn finish(&mut self, released: Released) -> ExecEvent {
        let Released { mut event, found, users, examined, late } = released;
        let timeout = || late.examination.then(|| Box::new(Examination::missing(Gap::Timeout)));
        event.examination = examined.or_else(timeout);
        self.stats.users_late += u64::from(late.users);
        self.stats.ancestors_late += u64::from(late.ancestors);
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

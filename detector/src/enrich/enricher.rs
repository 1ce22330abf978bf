//! Brings together who asks, who knows and who waits: an event comes in, and comes out again once with everything that
//! could be found out about it in time.

mod ahead;
mod config;
mod lookups;
mod stats;
#[cfg(test)]
mod tests;

use std::{
    collections::hash_map::Entry,
    io,
    sync::{
        Arc, Mutex,
        atomic::Ordering,
        mpsc::{Receiver, sync_channel},
    },
};

use ahead::{Hearing, Learned};
pub use config::EnrichConfig;
use lookups::{Question, Shared};
pub use stats::EnrichStats;
use tokio::{runtime::Handle, task::JoinSet};

use super::{
    cache::Key,
    container_id::{Identifier, Judgement},
    disk::Disk,
    engines::Engines,
    holder::{Holder, Released, Ticket, Wanted},
    host_root,
    pin::Pins,
    processes::Processes,
    trouble::{Trouble, Troubles},
    turns::{Joined, Owner, Turns},
    user_names::{UserLookup, without_files},
    watch::{Heard, listen},
    workers::{Size, Workers},
    writer_container,
};
use crate::{
    event::{ContainerId, ExecEvent, Gap, Metadata, MetadataState, MissingReason},
    examine::{Examiner, Samples},
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
        let troubles = Arc::<Troubles>::default();
        let shared = Arc::new(Shared {
            users: UserLookup::new(&config.host_root, Arc::clone(&troubles)),
            examiner: Examiner::new(&config.host_root),
            processes: Processes::new(proc.clone()),
            proc,
            turns: Turns::new(config.wait),
            disk: Disk::new(config.disk, Arc::clone(&troubles)),
            engines: Engines::new(config.sockets.clone(), Arc::clone(&troubles)),
            cache: Mutex::default(),
            asked: Mutex::default(),
            troubles: Arc::clone(&troubles),
            answers: holder.answers(),
            runtime: Handle::try_current().map_err(io::Error::other)?,
        });
        let inside =
            Size { threads: INSIDE_THREADS, most: INSIDE_THREADS_AT_MOST, waiting: INSIDE_THREADS_AT_MOST };
        // One thread: what is read ahead must not hold up what is asked for.
        let ahead = Arc::new(Workers::start("engines", Size { threads: 1, most: 1, waiting: AHEAD })?);
        let (learn, learned) = sync_channel(RUNNING);
        let (of_running, to_learn) = (Arc::clone(&shared), learn.clone());
        let _ = ahead.try_run(move || of_running.read_running(&to_learn));
        let heard = Arc::new(Heard { troubles, ..Heard::default() });
        let hearing = Hearing { shared: Arc::clone(&shared), ahead, learn };
        let listeners = listen(&config.sockets, &heard, move |source, news, listening| {
            hearing.hear(source, news, listening);
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

    /// Keeps copies of what was executed.
    pub fn keep_samples(&self, samples: Samples) {
        self.shared.examiner.keep_samples(samples);
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
            _ => {
                let told = || Key::told(&event, &judgement.id).and_then(|key| self.shared.cached(&key));
                self.shared.cached(&key).or_else(told)
            }
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
            self.shared.troubles.add(Trouble::LookupRefused);
            examined = wanted.examination.then(|| Box::new(Examiner::missing(&event, Gap::Overflow)));
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
                    self.shared.troubles.add(Trouble::LookupRefused);
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
            troubles: self.heard.troubles.by_name(),
            engine_events: self.heard.events.load(Ordering::Relaxed),
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
                self.shared.troubles.add(Trouble::LookupRefused);
                return;
            }
        };
        if !accepted {
            self.shared.troubles.add(Trouble::LookupRefused);
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
        let examined =
            released.late.examination.then(|| Box::new(Examiner::missing(&released.event, Gap::Overflow)));
        if !released.late.container {
            return self.finish(Released { late: Wanted::default(), examined, ..released });
        }
        let mut event = released.event;
        event.examination = examined;
        event.names = released.users.unwrap_or_else(|| without_files(&event));
        event.container.metadata = Metadata::missing(MissingReason::Overflow);
        writer_container::fill(&mut event, &self.identifier);
        self.count(&event);
        event
    }

    /// Writes into the event what was found out.
    fn finish(&mut self, released: Released) -> ExecEvent {
        let Released { mut event, found, users, examined, late } = released;
        let timeout = || late.examination.then(|| Box::new(Examiner::missing(&event, Gap::Timeout)));
        event.examination = examined.or_else(timeout);
        self.shared.troubles.add(late.users.then_some(Trouble::UsersLate));
        self.shared.troubles.add(late.ancestors.then_some(Trouble::AncestorsLate));
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
        writer_container::fill(&mut event, &self.identifier);
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

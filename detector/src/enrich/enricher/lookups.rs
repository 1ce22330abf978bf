//! What the threads of enrichment do for an event that waits: they look its container up, on disk and then where its
//! engine listens, and ask its processes and files. Each answer goes to all events that wait for it.

use std::{
    collections::HashMap,
    os::fd::AsFd,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::runtime::Handle;

use crate::{
    enrich::{
        bounded_read::open_place,
        cache::{Cache, Key},
        container_id::Judgement,
        disk::{Disk, Found},
        engines::Engines,
        holder::{Answer, Answers, Ticket, Wanted},
        pin::Pin,
        processes::Processes,
        subject::Subject,
        trouble::{Trouble, Troubles},
        turns::{Owner, Turns},
        user_names::UserLookup,
        watch::Listening,
    },
    event::{ExecEvent, MetadataState},
    examine::Examiner,
};

/// A lookup in a container's processes and files.
pub(super) struct Question {
    pub(super) ticket: Ticket,
    pub(super) event: Box<ExecEvent>,
    pub(super) judgement: Judgement,
    pub(super) pin: Option<Pin>,
    pub(super) wanted: Wanted,
}

/// What lookups in other threads share.
pub(super) struct Shared {
    pub(super) proc: PathBuf,
    pub(super) disk: Disk,
    pub(super) engines: Engines,
    pub(super) users: UserLookup,
    pub(super) examiner: Examiner,
    pub(super) processes: Processes,
    pub(super) turns: Turns<Question>,
    pub(super) cache: Mutex<Cache>,
    /// Containers that are being looked up, and the events that wait for them.
    pub(super) asked: Mutex<HashMap<Key, Vec<Ticket>>>,
    pub(super) answers: Answers,
    pub(super) troubles: Arc<Troubles>,
    pub(super) runtime: Handle,
}

impl Shared {
    pub(super) fn cached(&self, key: &Key) -> Option<Found> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    pub(super) fn keep(&self, key: Key, found: Found, listening: Option<Listening>) -> Found {
        let cut = found.facts.as_ref().map_or(0, |facts| facts.cut_labels);
        self.troubles.add_many(Trouble::LabelsCut, cut as u64);
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).put(key, found, listening)
    }

    pub(super) fn asked(&self) -> MutexGuard<'_, HashMap<Key, Vec<Ticket>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers what is asked about one container's processes and users. In a thread of its own, which may hang.
    pub(super) fn answer(&self, owner: Owner) {
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
    pub(super) fn look_up(self: Arc<Self>, event: &ExecEvent, judgement: &Judgement, key: Key) {
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
}

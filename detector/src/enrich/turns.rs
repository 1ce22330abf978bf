//! Lookups in the processes and files of containers, one at a time for each container: what hangs in one (a file system
//! that never answers, memory that is never filled) holds one thread, and nobody but its own events.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::event::ExecEvent;

/// Lookups of one container that can wait for their turn.
const WAITING: usize = 256;

/// Whose files and processes: a mount namespace, with the start of its pid namespace because its number is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    Host,
    Namespace(u32, u64),
}

impl Owner {
    pub(super) fn of(event: &ExecEvent) -> Self {
        let namespaces = event.namespaces;
        if namespaces.mnt == 0 || namespaces.mnt == namespaces.host_mnt {
            return Self::Host;
        }
        Self::Namespace(namespaces.mnt, event.process.pidns_start_ns.unwrap_or(0))
    }
}

/// What came of asking for a turn.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// Nobody works for this owner: whoever asked starts a worker, which takes turns until there are none.
    First,
    /// A worker will come to it.
    Later,
    /// Too much waits already.
    Refused,
}

struct Turn<T> {
    since: Instant,
    waiting: VecDeque<T>,
}

/// The lookups that wait or run.
pub(super) struct Turns<T> {
    patience: Duration,
    owners: Mutex<HashMap<Owner, Turn<T>>>,
}

impl<T> Turns<T> {
    /// A lookup that takes longer than `patience` hangs.
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, owners: Mutex::default() }
    }

    /// Whether a lookup for this owner hangs: then no other will be done in time either.
    pub(super) fn hangs(&self, owner: Owner) -> bool {
        self.owners().get(&owner).is_some_and(|turn| turn.since.elapsed() > self.patience)
    }

    pub(super) fn join(&self, owner: Owner, item: T) -> Joined {
        let mut owners = self.owners();
        let Some(turn) = owners.get_mut(&owner) else {
            owners.insert(owner, Turn { since: Instant::now(), waiting: VecDeque::from([item]) });
            return Joined::First;
        };
        if turn.waiting.len() >= WAITING {
            return Joined::Refused;
        }
        turn.waiting.push_back(item);
        Joined::Later
    }

    /// The next lookup of this owner; without one the owner's worker is done.
    pub(super) fn take(&self, owner: Owner) -> Option<T> {
        let mut owners = self.owners();
        let turn = owners.get_mut(&owner)?;
        turn.since = Instant::now();
        let next = turn.waiting.pop_front();
        if next.is_none() {
            owners.remove(&owner);
        }
        next
    }

    /// Gives up what waits: there is no thread for it.
    pub(super) fn give_up(&self, owner: Owner) {
        self.owners().remove(&owner);
    }

    fn owners(&self) -> MutexGuard<'_, HashMap<Owner, Turn<T>>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Joined, Owner, Turns, WAITING};

    const ONE: Owner = Owner::Namespace(1, 0);

    #[test]
    fn the_first_starts_a_worker_and_the_others_wait_for_it() {
        let turns = Turns::new(Duration::from_secs(3600));
        assert_eq!((turns.join(ONE, 'a'), turns.join(ONE, 'b')), (Joined::First, Joined::Later));
        assert_eq!(turns.join(Owner::Host, 'h'), Joined::First, "another owner has a worker of its own");
        assert_eq!((turns.take(ONE), turns.take(ONE), turns.take(ONE)), (Some('a'), Some('b'), None));
        assert_eq!(turns.join(ONE, 'c'), Joined::First);
        turns.give_up(ONE);
        assert_eq!(turns.take(ONE), None);
    }

    #[test]
    fn an_owner_whose_lookup_does_not_end_hangs_alone_and_is_bounded() {
        let turns = Turns::new(Duration::ZERO);
        let _ = turns.join(ONE, 0);
        assert_eq!(turns.take(ONE), Some(0));
        std::thread::yield_now();
        assert!(turns.hangs(ONE) && !turns.hangs(Owner::Host));
        for number in 0..WAITING {
            assert_eq!(turns.join(ONE, number), Joined::Later);
        }
        assert_eq!(turns.join(ONE, 0), Joined::Refused);
        while turns.take(ONE).is_some() {}
        assert!(!turns.hangs(ONE));
    }
}

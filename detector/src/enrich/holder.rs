//! Events that wait for answers about them. Each waits up to one bound; those of one container come out in the order in
//! which they went in, and none waits behind another container's. There is room for so many, and what finds none goes
//! on at once. Knows no lookups: answers come in by a channel.

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    future::pending,
    time::Duration,
};

use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    time::{Instant, sleep_until},
};

use super::{cache::Key, disk::Found};
use crate::event::{Examination, ExecEvent, Names, ProcessDetails};

/// Answers that can be on their way for each event that has room.
const ANSWERS_EACH: usize = 4;

/// Names a held event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ticket(u64);

/// Something that was found out for a held event.
#[derive(Debug)]
pub(super) enum Answer {
    /// About its container, with more to come.
    Some(Found),
    /// About its container, all there is.
    All(Found),
    /// About its user.
    Users(Names),
    /// About the processes above it, one for each.
    Ancestors(Vec<Option<ProcessDetails>>),
    /// About its file.
    Examined(Box<Examination>),
}

/// Where lookups send their answers.
pub(super) type Answers = Sender<(Ticket, Answer)>;

/// What an event waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) container: bool,
    pub(super) users: bool,
    pub(super) ancestors: bool,
    pub(super) examination: bool,
}

impl Wanted {
    /// Whether it waits for something that only the container's own processes and files tell.
    pub(super) fn inside(self) -> bool {
        self.users || self.ancestors || self.examination
    }
}

/// An event that waits no more.
#[derive(Debug)]
pub(super) struct Released {
    pub(super) event: ExecEvent,
    /// What came about its container.
    pub(super) found: Option<Found>,
    /// What came about its user.
    pub(super) users: Option<Names>,
    /// What came about its file.
    pub(super) examined: Option<Box<Examination>>,
    /// What did not come in time.
    pub(super) late: Wanted,
}

/// An event on its way.
struct Held {
    released: Released,
    lane: Key,
    /// Has all it wants, or has waited long enough; one before it in its lane has not.
    done: bool,
}

/// The waiting events.
pub(super) struct Holder {
    bound: Duration,
    room: usize,
    next_ticket: u64,
    held: HashMap<Ticket, Held>,
    /// Of each container the events in their order.
    lanes: HashMap<Key, VecDeque<Ticket>>,
    /// Those that wait for nothing any more.
    out: VecDeque<Released>,
    /// The bound is the same for all, so these are in order.
    deadlines: VecDeque<(Instant, Ticket)>,
    answers: Receiver<(Ticket, Answer)>,
    sender: Answers,
}

impl Holder {
    /// Events wait up to `bound`; there is room for `room` of them.
    pub(super) fn new(bound: Duration, room: usize) -> Self {
        let (sender, answers) = channel(room.max(1) * ANSWERS_EACH);
        Self {
            bound,
            room,
            next_ticket: 0,
            held: HashMap::new(),
            lanes: HashMap::new(),
            out: VecDeque::new(),
            deadlines: VecDeque::new(),
            answers,
            sender,
        }
    }

    /// For lookups.
    pub(super) fn answers(&self) -> Answers {
        self.sender.clone()
    }

    /// Events that wait.
    pub(super) fn waiting(&self) -> usize {
        self.held.len() + self.out.len()
    }

    /// Whether an event of this container waits, so that a later one may not overtake it.
    pub(super) fn is_taken(&self, lane: &Key) -> bool {
        self.lanes.contains_key(lane)
    }

    /// Keeps an event until nothing of it is late any more and none of its container is before it; gives it back when
    /// there is no room.
    pub(super) fn hold(&mut self, lane: Key, released: Released) -> Result<Ticket, Box<Released>> {
        if self.waiting() >= self.room {
            return Err(Box::new(released));
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.lanes.entry(lane.clone()).or_default().push_back(ticket);
        self.deadlines.push_back((Instant::now() + self.bound, ticket));
        let done = released.late == Wanted::default();
        self.held.insert(ticket, Held { released, lane, done });
        Ok(ticket)
    }

    /// The next event that has all it wants, or has waited long enough. Never ends while none waits. Nothing is lost
    /// when this is dropped half-way.
    pub(super) async fn next(&mut self) -> Released {
        loop {
            if let Some(released) = self.out.pop_front() {
                return released;
            }
            while self.deadlines.front().is_some_and(|(_, ticket)| !self.awaits(*ticket)) {
                self.deadlines.pop_front();
            }
            let deadline = self.deadlines.front().copied();
            let timeout = async {
                match deadline {
                    Some((when, ticket)) => {
                        sleep_until(when).await;
                        ticket
                    }
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                Some((ticket, answer)) = self.answers.recv() => self.take_answer(ticket, answer),
                ticket = timeout => self.finish(ticket),
            }
        }
    }

    fn awaits(&self, ticket: Ticket) -> bool {
        self.held.get(&ticket).is_some_and(|held| !held.done)
    }

    /// Gives an answer to the event that waits for it; one that has gone on does not need it any more.
    fn take_answer(&mut self, ticket: Ticket, answer: Answer) {
        let Some(Held { released, .. }) = self.held.get_mut(&ticket) else { return };
        match answer {
            Answer::Some(found) => released.found = Some(found),
            Answer::All(found) => {
                released.found = Some(found);
                released.late.container = false;
            }
            Answer::Examined(examined) => {
                released.examined = Some(examined);
                released.late.examination = false;
            }
            Answer::Users(users) => {
                released.users = Some(users);
                released.late.users = false;
            }
            Answer::Ancestors(details) => {
                for (ancestor, details) in released.event.ancestors.iter_mut().zip(details) {
                    if details.is_some() {
                        ancestor.details = details;
                    }
                }
                released.late.ancestors = false;
            }
        }
        if released.late == Wanted::default() {
            self.finish(ticket);
        }
    }

    /// An event waits for nothing more: it goes out, with those behind it that only waited for it, unless it has one
    /// before it. That one's time is up no later than its own.
    fn finish(&mut self, ticket: Ticket) {
        let Some(held) = self.held.get_mut(&ticket) else { return };
        held.done = true;
        let lane = held.lane.clone();
        let Some(order) = self.lanes.get_mut(&lane) else { return };
        while let Some(first) = order.front()
            && self.held.get(first).is_none_or(|held| held.done)
        {
            let gone = self.held.remove(first);
            self.out.extend(gone.map(|held| held.released));
            order.pop_front();
        }
        if order.is_empty() {
            self.lanes.remove(&lane);
        }
    }
}

//! Events that wait for answers about them. Each waits by itself up to one bound, so none waits behind another; there is
//! room for so many, and what finds none goes on at once. Knows no lookups: answers come in by a channel.

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

use super::disk::Found;
use crate::event::{ExecEvent, Names};

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
}

/// Where lookups send their answers.
pub(super) type Answers = Sender<(Ticket, Answer)>;

/// What an event waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) container: bool,
    pub(super) users: bool,
}

/// An event that waits no more.
#[derive(Debug)]
pub(super) struct Released {
    pub(super) event: ExecEvent,
    /// What came about its container.
    pub(super) found: Option<Found>,
    /// What came about its user.
    pub(super) users: Option<Names>,
    /// What did not come in time.
    pub(super) late: Wanted,
}

/// The waiting events.
pub(super) struct Holder {
    bound: Duration,
    room: usize,
    next_ticket: u64,
    held: HashMap<Ticket, Released>,
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
        self.held.len()
    }

    /// Keeps an event until nothing of it is late any more; gives it back when there is no room.
    pub(super) fn hold(&mut self, released: Released) -> Result<Ticket, Box<Released>> {
        if self.held.len() >= self.room {
            return Err(Box::new(released));
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.held.insert(ticket, released);
        self.deadlines.push_back((Instant::now() + self.bound, ticket));
        Ok(ticket)
    }

    /// The next event that has all it wants, or has waited long enough. Never ends while none waits. Nothing is lost
    /// when this is dropped half-way.
    pub(super) async fn next(&mut self) -> Released {
        loop {
            while self.deadlines.front().is_some_and(|(_, ticket)| !self.held.contains_key(ticket)) {
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
                Some((ticket, answer)) = self.answers.recv() => {
                    if let Some(released) = self.take_answer(ticket, answer) {
                        return released;
                    }
                }
                ticket = timeout => {
                    if let Some(released) = self.held.remove(&ticket) {
                        return released;
                    }
                }
            }
        }
    }

    /// Gives an answer to the event that waits for it; one that has gone on does not need it any more.
    fn take_answer(&mut self, ticket: Ticket, answer: Answer) -> Option<Released> {
        let released = self.held.get_mut(&ticket)?;
        match answer {
            Answer::Some(found) => released.found = Some(found),
            Answer::All(found) => {
                released.found = Some(found);
                released.late.container = false;
            }
            Answer::Users(users) => {
                released.users = Some(users);
                released.late.users = false;
            }
        }
        if released.late == Wanted::default() {
            return self.held.remove(&ticket);
        }
        None
    }
}

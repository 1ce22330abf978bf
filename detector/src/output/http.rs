//! Lines, or the same as requests of OTLP, to a receiver over HTTP: one POST for each, in order, until the receiver has
//! it.
//!
//! ```text
//! queue -> spool (when there is one) -> client -> 2xx                      delivered
//!       -> held (one line, else)               -> 3xx, 4xx                 rejected, reported with the answer
//!                                              -> 5xx, 408, 425, 429, cut  again, at most `max_refusals` times
//!                                              -> not reached              again, for as long as it takes
//! ```
//!
//! OTLP asks for another try with 429, 502, 503 and 504 only.
//!
//! What cannot be reached now is no reason to lose a line: it waits on disk, or in the queue, and these are bounded.

mod backoff;
mod client;
mod otlp;
mod tls;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use log::{error, warn};

use self::{
    backoff::Backoff,
    client::{Client, Verdict},
};
pub use self::{client::UrlError, tls::TlsError};
use super::{
    line::Line,
    outage::Outage,
    queue::{Next, Outcome, Queue},
    settings::{HttpSettings, Protocol, SpoolSettings},
    spool::{Appended, Spool, SpoolError},
};

/// Between two tries to open a spool that is still in use.
const INHERIT_WAIT: Duration = Duration::from_millis(20);

/// Why the http output cannot start.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Where to send to.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The spool.
    #[error("spool: {0}")]
    Spool(#[from] SpoolError),
}

/// The output `http` or `otlp`.
pub(super) struct Http {
    name: &'static str,
    protocol: Protocol,
    client: Client,
    spool: Option<Spool>,
    /// A line that is not in the spool, and is sent after those that are.
    held: Option<Arc<Line>>,
    backoff: Backoff,
    retry_at: Option<Instant>,
    /// How often the line in front was refused.
    refusals: u32,
    max_refusals: u32,
    outage: Outage,
    spool_outage: Outage,
    rejections: Outage,
    /// What the receiver last had to say about what it took.
    remark: Option<String>,
}

impl Http {
    pub(super) fn new(name: &'static str, settings: &HttpSettings) -> Result<Self, HttpError> {
        Ok(Self {
            name,
            protocol: settings.protocol,
            client: Client::new(settings)?,
            spool: settings.spool.as_ref().map(Spool::open).transpose()?,
            held: None,
            backoff: Backoff::new(settings.retry_initial, settings.retry_max),
            retry_at: None,
            refusals: 0,
            max_refusals: settings.max_refusals.max(1),
            outage: Outage::new(name, ""),
            spool_outage: Outage::new(name, " (spool)"),
            rejections: Outage::new(name, " (receiver)"),
            remark: None,
        })
    }

    /// Takes over the spool of the output that this one replaces, as soon as that has ended.
    pub(super) fn inherit(&mut self, spool: &SpoolSettings, queue: &Queue) {
        while queue.pause(INHERIT_WAIT) {
            match Spool::open(spool) {
                Ok(spool) => {
                    self.spool = Some(spool);
                    return;
                }
                Err(SpoolError::InUse(_)) => {}
                Err(error) => return self.spool_outage.error(&error, "alerts wait in memory"),
            }
        }
    }

    /// The body of the thread.
    pub(super) fn run(mut self, queue: &Queue) {
        queue.set_spooled_at_start(self.spool.as_ref().map_or(0, Spool::lines));
        loop {
            // What waits goes to disk before the next try: it may be the last thing that this process does.
            let take = self.held.is_none();
            let until = self.has_backlog().then(|| self.retry_at.unwrap_or_else(Instant::now));
            match queue.next(take, until) {
                Next::Line(entry) => match self.protocol {
                    Protocol::Lines => self.keep(entry.line, queue),
                    Protocol::Otlp => match entry.line.as_otlp() {
                        Some(request) => self.keep(Arc::new(request), queue),
                        None => queue.count(Outcome::Failed),
                    },
                },
                Next::Reopen => self.client.disconnect(),
                Next::Due => {
                    self.step(queue);
                }
                Next::Stop => break,
            }
        }
        // What is on disk is safe there; it goes out now only if that works at once.
        while queue.deadline().is_some_and(|deadline| Instant::now() < deadline)
            && self.retry_at.is_none()
            && self.has_backlog()
            && self.step(queue)
        {}
        // Lets go of the spool before the end is told: a successor may open it.
        drop(self);
        queue.finished();
    }

    fn has_backlog(&self) -> bool {
        self.held.is_some() || self.spool.as_ref().is_some_and(|spool| spool.lines() > 0)
    }

    /// Puts a line where it waits for its turn.
    fn keep(&mut self, line: Arc<Line>, queue: &Queue) {
        let Some(spool) = &mut self.spool else {
            self.held = Some(line);
            return;
        };
        match spool.append(&line) {
            Ok(Appended::Stored { dropped }) => {
                self.spool_outage.works();
                if dropped > 0 {
                    queue.count(Outcome::Overflow(dropped));
                    warn!("output {}: spool is full, the {dropped} oldest alerts are dropped", self.name);
                    self.refusals = 0;
                }
            }
            Ok(Appended::Full) => {
                queue.count(Outcome::Overflow(1));
                self.spool_outage.error(&"is full", "alerts are dropped until the receiver takes some");
            }
            Err(error) => {
                self.spool_outage.error(&error, "alerts wait in memory");
                self.held = Some(line);
            }
        }
        queue.set_spooled(spool.lines());
    }

    /// Sends the line in front; the answer is whether it is dealt with.
    fn step(&mut self, queue: &Queue) -> bool {
        let Some((line, from_spool)) = self.front(queue) else { return true };
        queue.working();
        let verdict = self.client.post(&line);
        let outcome = match verdict {
            Verdict::Accepted { remark } => {
                self.outage.works();
                self.rejections.works();
                if remark.is_some() && remark != self.remark {
                    warn!(
                        "output {}: the receiver remarks: {}",
                        self.name,
                        remark.as_deref().unwrap_or_default()
                    );
                }
                self.remark = remark;
                Outcome::Delivered
            }
            Verdict::Rejected(reason) => {
                self.outage.works();
                self.rejections.error(&reason, "the alert is counted as rejected");
                Outcome::Rejected
            }
            Verdict::Refused { reason, retry_after } => {
                self.refusals += 1;
                if self.refusals < self.max_refusals {
                    self.again(&reason, retry_after, queue);
                    return false;
                }
                let (name, times) = (self.name, self.refusals);
                error!("output {name}: {reason}; refused {times} times, the alert is given up");
                Outcome::Failed
            }
            Verdict::NotReached(reason) => {
                self.again(&reason, None, queue);
                return false;
            }
        };
        self.refusals = 0;
        self.retry_at = None;
        self.backoff.reset();
        queue.count(outcome);
        match &mut self.spool {
            Some(spool) if from_spool => {
                spool.advance();
                queue.set_spooled(spool.lines());
            }
            _ => self.held = None,
        }
        true
    }

    /// The line whose turn it is, and whether it is in the spool.
    fn front(&mut self, queue: &Queue) -> Option<(Arc<Line>, bool)> {
        if let Some(spool) = &mut self.spool {
            let (line, lost) = spool.front();
            for _ in 0..lost {
                queue.count(Outcome::Failed);
            }
            if lost > 0 {
                queue.set_spooled(spool.lines());
            }
            if let Some(line) = line {
                return Some((line, true));
            }
        }
        self.held.clone().map(|line| (line, false))
    }

    fn again(&mut self, reason: &str, retry_after: Option<Duration>, queue: &Queue) {
        let fate = if self.spool.is_some() { "alerts wait on disk" } else { "alerts wait in memory" };
        self.outage.error(&reason, fate);
        self.retry_at = Some(Instant::now() + self.backoff.next(retry_after));
        queue.count_retry();
    }
}

//! Reports outputs that block. Asleep while no output works, so that an idle agent has no timer.
//!
//! It also reports the first line that found no room: the log may block, too, and the pipeline must not.

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use log::error;

use super::queue::Queue;

/// Rung by the outputs when they start to work.
#[derive(Default)]
pub(super) struct Alarm {
    armed: AtomicBool,
    over: Mutex<bool>,
    rung: Condvar,
}

impl Alarm {
    /// Something is being worked on.
    pub(super) fn arm(&self) {
        // Nearly always armed already when lines come fast: no lock, no system call.
        if !self.armed.swap(true, Ordering::AcqRel) {
            drop(self.over.lock().unwrap_or_else(PoisonError::into_inner));
            self.rung.notify_one();
        }
    }

    /// Ends the watchdog.
    pub(super) fn end(&self) {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.rung.notify_one();
    }

    /// Sleeps until something is being worked on; `false` at the end.
    fn wait(&self) -> bool {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let asleep = |over: &mut bool| !*over && !self.armed.load(Ordering::Acquire);
        !*self.rung.wait_while(over, asleep).unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps for this long; `false` at the end.
    fn sleep(&self, time: Duration) -> bool {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = self.rung.wait_timeout_while(over, time, |over| !*over);
        !*wait.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The outputs that are watched now. They change when the agent is set anew.
#[derive(Default)]
pub(super) struct Watchlist {
    now: Mutex<Option<(Vec<Arc<Queue>>, Duration)>>,
}

impl Watchlist {
    /// The answer is whether these are the first: then there is no watchdog yet.
    pub(super) fn set(&self, queues: Vec<Arc<Queue>>, timeout: Duration) -> bool {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let first = now.is_none() && !queues.is_empty();
        if first || now.is_some() {
            *now = Some((queues, timeout));
        }
        first
    }

    /// Brings `watched` up to date; the answer is the time that an output may take.
    fn look(&self, watched: &mut Vec<Watched>) -> Duration {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((queues, timeout)) = &*now else { return Duration::MAX };
        watched.retain(|one| queues.iter().any(|queue| Arc::ptr_eq(queue, &one.queue)));
        for queue in queues {
            if !watched.iter().any(|one| Arc::ptr_eq(queue, &one.queue)) {
                watched.push(Watched::new(Arc::clone(queue)));
            }
        }
        *timeout
    }
}

/// The body of the watchdog's thread.
pub(super) fn watch(alarm: &Alarm, list: &Watchlist) {
    let mut watched = Vec::new();
    while alarm.wait() {
        let timeout = list.look(&mut watched);
        // Disarmed before looking: an output that starts now arms it again.
        alarm.armed.store(false, Ordering::Release);
        let mut working = false;
        for one in &mut watched {
            working |= one.look(Instant::now(), timeout);
        }
        if working {
            alarm.armed.store(true, Ordering::Release);
        }
        if !alarm.sleep(timeout) {
            break;
        }
    }
}

struct Watched {
    queue: Arc<Queue>,
    blocked: bool,
    overflow: u64,
}

impl Watched {
    const fn new(queue: Arc<Queue>) -> Self {
        Self { queue, blocked: false, overflow: 0 }
    }

    /// Reports what is new; the answer is whether the output works on something.
    fn look(&mut self, now: Instant, timeout: Duration) -> bool {
        let sight = self.queue.sight();
        let name = self.queue.name();
        if sight.overflow > 0 && self.overflow == 0 {
            error!("output {name}: queue is full, alerts are dropped; the counters say how many");
        }
        self.overflow = sight.overflow;
        let blocked = sight.since.is_some_and(|since| now.saturating_duration_since(since) >= timeout);
        if blocked && !self.blocked {
            error!(
                "CRITICAL: output {name}: blocked for more than {} ms; its alerts wait, other outputs go on",
                timeout.as_millis()
            );
        }
        self.blocked = blocked;
        sight.since.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Arc,
        time::{Duration, Instant},
    };

    use super::{Alarm, Watched};
    use crate::output::{
        line::Line,
        queue::{Next, Queue},
        settings::Overflow,
    };

    #[test]
    fn a_blocked_output_is_seen_once() {
        let queue = Arc::new(Queue::new("test", 1, Overflow::DropNewest, Arc::new(Alarm::default())));
        let mut watched = Watched::new(Arc::clone(&queue));
        let timeout = Duration::from_secs(2);
        assert!(!watched.look(Instant::now(), timeout), "an idle output is not watched");
        queue.send(Arc::new(Line::new("a", 2, false)), None);
        assert!(matches!(queue.next(true, None), Next::Line(_)));
        assert!(watched.look(Instant::now(), timeout) && !watched.blocked);
        assert!(watched.look(Instant::now() + timeout, timeout) && watched.blocked);
        assert!(matches!(queue.next(true, Some(Instant::now())), Next::Due));
        assert!(!watched.look(Instant::now() + timeout, timeout) && !watched.blocked);
    }

    #[test]
    fn the_alarm_wakes_a_sleeper_and_ends_it() {
        let alarm = Arc::new(Alarm::default());
        let sleeper = {
            let alarm = Arc::clone(&alarm);
            std::thread::spawn(move || (alarm.wait(), alarm.sleep(Duration::from_secs(600))))
        };
        alarm.arm();
        alarm.end();
        let (_, slept) = sleeper.join().unwrap();
        assert!(!slept, "the end interrupts the sleep");
    }
}

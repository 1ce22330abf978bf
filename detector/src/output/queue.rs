//! Between the pipeline and the thread of one output: a bounded queue, and the only place where lines are counted.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{direct::Direct, line::Line, settings::Overflow, watchdog::Alarm};

/// What became of the lines of one output. While no line is on its way from one place to the next,
/// `taken + spooled at start = delivered + failed + rejected + dropped_overflow + dropped_timeout + queue_depth + spooled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct OutputCounters {
    /// Lines that came.
    pub taken: u64,
    /// Lines that the receiver has.
    pub delivered: u64,
    /// Lines lost to an error.
    pub failed: u64,
    /// Lines that the receiver answered with "never" (HTTP 3xx and 4xx).
    pub rejected: u64,
    /// Lines lost because the queue or the spool was full.
    pub dropped_overflow: u64,
    /// Lines that were still waiting when the time to stop was up.
    pub dropped_timeout: u64,
    /// Tries after the first one.
    pub retried: u64,
    /// Lines that wait in memory, with the one in work.
    pub queue_depth: u64,
    /// Lines that wait on disk.
    pub spooled: u64,
    /// Lines that were waiting on disk at the start.
    pub spooled_at_start: u64,
}

impl OutputCounters {
    /// Both together: an output, and the one that has replaced it and inherited its spool.
    #[must_use]
    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            taken: self.taken + other.taken,
            delivered: self.delivered + other.delivered,
            failed: self.failed + other.failed,
            rejected: self.rejected + other.rejected,
            dropped_overflow: self.dropped_overflow + other.dropped_overflow,
            dropped_timeout: self.dropped_timeout + other.dropped_timeout,
            retried: self.retried + other.retried,
            queue_depth: self.queue_depth + other.queue_depth,
            spooled: other.spooled,
            spooled_at_start: self.spooled_at_start,
        }
    }
}

/// How a line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered,
    Failed,
    Rejected,
    /// This many lines found no room.
    Overflow(u64),
}

/// A line that waits.
pub(super) struct Entry {
    pub(super) line: Arc<Line>,
    /// Bytes of it that are out already.
    pub(super) written: usize,
}

/// What the thread shall do next.
pub(super) enum Next {
    Line(Entry),
    /// Let go of open files and programs.
    Reopen,
    /// The time asked for has come.
    Due,
    /// Nothing comes any more.
    Stop,
}

/// The state of work on the current line, for the watchdog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sight {
    /// Since when the thread works on one thing.
    pub(super) since: Option<Instant>,
    /// Lines lost for want of room.
    pub(super) overflow: u64,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Entry>,
    /// The thread holds a line.
    busy: bool,
    waiting: bool,
    since: Option<Instant>,
    reopen: bool,
    stop: Option<Instant>,
    finished: bool,
    /// The time to stop was up: what the thread still says does not count.
    abandoned: bool,
    counters: OutputCounters,
}

/// The queue of one output.
pub(super) struct Queue {
    name: &'static str,
    capacity: usize,
    overflow: Overflow,
    alarm: Arc<Alarm>,
    state: Mutex<State>,
    /// For the thread.
    work: Condvar,
    /// For whoever waits for the end.
    end: Condvar,
}

impl Queue {
    pub(super) fn new(name: &'static str, capacity: usize, overflow: Overflow, alarm: Arc<Alarm>) -> Self {
        Self {
            name,
            capacity: capacity.max(1),
            overflow,
            alarm,
            state: Mutex::default(),
            work: Condvar::new(),
            end: Condvar::new(),
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// Takes a line without ever waiting. `direct` gets it when nothing is before it and it can be written at once.
    pub(super) fn send(&self, line: Arc<Line>, direct: Option<&Direct>) {
        let mut state = self.lock();
        state.counters.taken += 1;
        if state.stop.is_some() {
            state.counters.dropped_timeout += 1;
            return;
        }
        let mut written = 0;
        if let Some(direct) = direct
            && state.lines.is_empty()
            && !state.busy
        {
            written = direct.write(line.with_newline());
            if written == line.with_newline().len() {
                state.counters.delivered += 1;
                return;
            }
        }
        if state.lines.len() >= self.capacity {
            state.counters.dropped_overflow += 1;
            // A line that is half out cannot be taken back.
            let oldest = usize::from(state.lines.front().is_some_and(|entry| entry.written > 0));
            if self.overflow == Overflow::DropNewest || state.lines.remove(oldest).is_none() {
                return;
            }
        }
        state.lines.push_back(Entry { line, written });
        let wake = state.waiting;
        drop(state);
        if wake {
            self.work.notify_one();
        }
    }

    /// For the thread: waits for the next thing to do. Lines are only handed out with `take`; `until` ends the wait.
    pub(super) fn next(&self, take: bool, until: Option<Instant>) -> Next {
        let mut state = self.lock();
        state.busy = !take;
        state.since = None;
        loop {
            if std::mem::take(&mut state.reopen) {
                return Next::Reopen;
            }
            let now = Instant::now();
            if state.stop.is_some_and(|deadline| now >= deadline || (take && state.lines.is_empty())) {
                return Next::Stop;
            }
            if take && let Some(entry) = state.lines.pop_front() {
                state.busy = true;
                state.since = Some(now);
                drop(state);
                self.alarm.arm();
                return Next::Line(entry);
            }
            if until.is_some_and(|until| now >= until) {
                return Next::Due;
            }
            let wake_at = [until, state.stop].into_iter().flatten().min();
            state.waiting = true;
            state = match wake_at {
                None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(at) => {
                    let wait = self.work.wait_timeout(state, at.saturating_duration_since(now));
                    wait.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.waiting = false;
        }
    }

    /// For the thread: it starts on something that may block.
    pub(super) fn working(&self) {
        self.lock().since = Some(Instant::now());
        self.alarm.arm();
    }

    /// For the thread: sleeps, at most until the time to stop is up; the answer is whether to go on.
    pub(super) fn pause(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if state.stop.is_some_and(|deadline| now >= deadline) {
                return false;
            }
            if now >= until {
                return true;
            }
            let at = state.stop.map_or(until, |deadline| deadline.min(until));
            let wait = self.work.wait_timeout(state, at.saturating_duration_since(now));
            state = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// For the thread: a line has ended.
    pub(super) fn count(&self, outcome: Outcome) {
        let mut state = self.lock();
        if state.abandoned {
            return;
        }
        state.busy = false;
        let counters = &mut state.counters;
        match outcome {
            Outcome::Delivered => counters.delivered += 1,
            Outcome::Failed => counters.failed += 1,
            Outcome::Rejected => counters.rejected += 1,
            Outcome::Overflow(lines) => counters.dropped_overflow += lines,
        }
    }

    /// For the thread: lines that were counted as delivered have failed after all.
    pub(super) fn count_undone(&self, lines: u64) {
        let mut state = self.lock();
        let counters = &mut state.counters;
        counters.delivered = counters.delivered.saturating_sub(lines);
        counters.failed += lines;
    }

    /// For the thread: one more try of the same line.
    pub(super) fn count_retry(&self) {
        self.lock().counters.retried += 1;
    }

    /// For the thread: how many lines are on disk.
    pub(super) fn set_spooled(&self, lines: u64) {
        self.lock().counters.spooled = lines;
    }

    /// Before the thread starts: how many lines are on disk.
    pub(super) fn set_spooled_at_start(&self, lines: u64) {
        let mut state = self.lock();
        state.counters.spooled = lines;
        state.counters.spooled_at_start = lines;
    }

    /// For the thread: its last word. A line that it still holds stays counted as waiting.
    pub(super) fn finished(&self) {
        let mut state = self.lock();
        state.since = None;
        state.finished = true;
        drop(state);
        self.end.notify_all();
    }

    /// When the time to stop is up, once stopping.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.lock().stop
    }

    pub(super) fn reopen(&self) {
        self.lock().reopen = true;
        self.work.notify_one();
    }

    /// No more lines come; the thread has until `deadline` to deliver those that are here.
    pub(super) fn stop(&self, deadline: Instant) {
        self.lock().stop = Some(deadline);
        self.work.notify_one();
    }

    /// As [`Self::stop`] with a deadline that is over, whatever was said before.
    pub(super) fn stop_now(&self, now: Instant) {
        self.stop(now);
        self.wait_for_end(now);
    }

    /// Waits for the thread's end; lines that it did not deliver in time are counted as such.
    pub(super) fn wait_for_end(&self, deadline: Instant) {
        let mut state = self.lock();
        while !state.finished {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.end.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let left = state.lines.len() as u64 + u64::from(state.busy);
        for entry in state.lines.drain(..) {
            entry.line.give_up();
        }
        state.busy = false;
        state.abandoned = true;
        state.counters.dropped_timeout += left;
    }

    pub(super) fn counters(&self) -> OutputCounters {
        let state = self.lock();
        OutputCounters { queue_depth: state.lines.len() as u64 + u64::from(state.busy), ..state.counters }
    }

    pub(super) fn sight(&self) -> Sight {
        let state = self.lock();
        Sight { since: state.since, overflow: state.counters.dropped_overflow }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Counters and a list of lines are whole after any panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Arc,
        time::{Duration, Instant},
    };

    use super::{Next, Outcome, Queue};
    use crate::output::{line::Line, settings::Overflow, watchdog::Alarm};

    fn queue(capacity: usize, overflow: Overflow) -> Queue {
        Queue::new("test", capacity, overflow, Arc::new(Alarm::default()))
    }

    fn send(queue: &Queue, texts: &[&str]) {
        for text in texts {
            queue.send(Arc::new(Line::new(*text, 2, false)), None);
        }
    }

    fn drain(queue: &Queue) -> Vec<String> {
        let mut texts = Vec::new();
        while let Next::Line(entry) = queue.next(true, Some(Instant::now())) {
            texts.push(String::from_utf8(entry.line.bytes().to_vec()).unwrap());
            queue.count(Outcome::Delivered);
        }
        texts
    }

    #[test]
    fn overflow_drops_the_newest_or_the_oldest() {
        for (overflow, kept) in [(Overflow::DropNewest, ["a", "b"]), (Overflow::DropOldest, ["c", "d"])] {
            let queue = queue(2, overflow);
            send(&queue, &["a", "b", "c", "d"]);
            assert_eq!(queue.counters().queue_depth, 2);
            assert_eq!(drain(&queue), kept);
            let counters = queue.counters();
            assert_eq!((counters.taken, counters.delivered, counters.dropped_overflow), (4, 2, 2));
            assert_eq!(counters.queue_depth, 0);
        }
    }

    #[test]
    fn a_line_in_work_counts_as_waiting() {
        let queue = queue(8, Overflow::DropNewest);
        send(&queue, &["a", "b"]);
        assert!(matches!(queue.next(true, None), Next::Line(_)));
        assert_eq!(queue.counters().queue_depth, 2);
    }

    #[test]
    fn what_is_left_at_the_end_is_counted_once() {
        let queue = queue(8, Overflow::DropNewest);
        send(&queue, &["a", "b"]);
        assert!(matches!(queue.next(true, None), Next::Line(_)));
        let now = Instant::now();
        queue.stop(now);
        queue.wait_for_end(now);
        // The thread comes too late.
        queue.count(Outcome::Delivered);
        send(&queue, &["c"]);
        let counters = queue.counters();
        assert_eq!((counters.taken, counters.delivered, counters.dropped_timeout), (3, 0, 3));
        assert!(matches!(queue.next(true, None), Next::Stop));
    }

    #[test]
    fn a_stop_lets_what_waits_go_first() {
        let queue = queue(8, Overflow::DropNewest);
        send(&queue, &["a"]);
        queue.reopen();
        queue.stop(Instant::now() + Duration::from_secs(60));
        assert!(matches!(queue.next(true, None), Next::Reopen));
        assert!(matches!(queue.next(true, None), Next::Line(_)));
        assert!(matches!(queue.next(true, None), Next::Stop));
    }
}

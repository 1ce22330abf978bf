//! What the simple outputs have in common: one line after the other, each tried until its output gives it up.

use std::io;

use super::{
    line::Line,
    outage::Outage,
    queue::{Entry, Next, Outcome, Queue},
};

/// Why a line was lost.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeliveryError {
    #[error("cannot write to {to}: {source}")]
    Write { to: String, source: io::Error },
    #[error("cannot start `{command}`: {source}")]
    Start { command: String, source: io::Error },
    #[error("`{command}` ended with {status}")]
    Ended { command: String, status: String },
}

/// Takes lines.
pub(super) trait Sink: Send {
    /// Delivers a line of which `entry.written` bytes are out already. May block; waits go through `queue`, which
    /// knows when to stop.
    fn deliver(&mut self, entry: &Entry, queue: &Queue) -> Result<(), DeliveryError>;

    /// Lets go of open files and programs.
    fn reopen(&mut self, _queue: &Queue) {}

    /// The last word: what is buffered goes out. The answer is how many lines could not.
    fn finish(&mut self) -> Result<(), (u64, DeliveryError)> {
        Ok(())
    }
}

/// The body of a simple output's thread.
pub(super) fn run(sink: &mut dyn Sink, queue: &Queue) {
    let mut outage = Outage::new(queue.name(), "");
    loop {
        match queue.next(true, None) {
            Next::Line(entry) => match sink.deliver(&entry, queue) {
                Ok(()) => {
                    queue.count(Outcome::Delivered);
                    outage.works();
                }
                Err(error) => {
                    queue.count(Outcome::Failed);
                    outage.error(&error, "the alert is lost here and counted as failed");
                }
            },
            Next::Reopen => sink.reopen(queue),
            Next::Due => {}
            Next::Stop => break,
        }
    }
    if let Err((lines, error)) = sink.finish() {
        queue.count_undone(lines);
        outage.error(&error, "buffered alerts are lost");
    }
    queue.finished();
}

/// The rest of a line.
pub(super) fn rest(line: &Line, written: usize) -> &[u8] {
    line.with_newline().get(written..).unwrap_or_default()
}

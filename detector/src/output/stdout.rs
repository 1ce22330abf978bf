//! Standard output: one line per alert, visible at once unless buffering was asked for. Written by its own thread.

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::{AsRawFd as _, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

use super::{
    queue::{Entry, Queue},
    sink::{DeliveryError, Sink, rest},
};

/// Bytes that are held back when buffering.
const BUFFER: usize = 64 * 1024;

/// Whether somebody still reads.
#[derive(Default)]
pub(super) struct Reader {
    left: AtomicBool,
    told: Notify,
}

impl Reader {
    pub(super) fn has_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    /// Waits until it has.
    pub(super) async fn leaves(&self) {
        // A permit is kept for whoever comes to wait later.
        while !self.has_left() {
            self.told.notified().await;
        }
    }

    fn leave(&self) {
        self.left.store(true, Ordering::Release);
        self.told.notify_one();
    }
}

/// Standard output.
pub(super) struct StdoutSink {
    file: File,
    buffered: bool,
    buffer: Vec<u8>,
    lines_in_buffer: u64,
    reader: Arc<Reader>,
}

impl StdoutSink {
    pub(super) fn new(fd: OwnedFd, buffered: bool, reader: Arc<Reader>) -> Self {
        Self { file: fd.into(), buffered, buffer: Vec::new(), lines_in_buffer: 0, reader }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DeliveryError> {
        let outcome = write_all(&self.file, bytes);
        if outcome.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            self.reader.leave();
        }
        outcome.map_err(|source| DeliveryError::Write { to: "standard output".to_owned(), source })
    }

    fn empty_buffer(&mut self) -> Result<(), (u64, DeliveryError)> {
        let bytes = std::mem::take(&mut self.buffer);
        let lines = std::mem::take(&mut self.lines_in_buffer);
        self.write(&bytes).map_err(|error| (lines, error))
    }
}

impl Sink for StdoutSink {
    fn deliver(&mut self, entry: &Entry, queue: &Queue) -> Result<(), DeliveryError> {
        let bytes = rest(&entry.line, entry.written);
        if !self.buffered {
            return self.write(bytes);
        }
        if self.buffer.len() + bytes.len() > BUFFER {
            self.empty_buffer().map_err(|(lines, error)| {
                queue.count_undone(lines);
                error
            })?;
        }
        self.buffer.extend_from_slice(bytes);
        self.lines_in_buffer += 1;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), (u64, DeliveryError)> {
        self.empty_buffer()
    }
}

/// Writes everything, also when whoever shares the file has made it non-blocking.
fn write_all(mut file: &File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut room = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
                // SAFETY: one pollfd, which outlives the call.
                unsafe { libc::poll(&raw mut room, 1, -1) };
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, pipe},
        sync::Arc,
    };

    use super::{BUFFER, Reader, StdoutSink};
    use crate::output::{
        line::Line,
        queue::{Entry, Queue},
        settings::Overflow,
        sink::Sink as _,
        watchdog::Alarm,
    };

    fn entry(text: &str) -> Entry {
        Entry { line: Arc::new(Line::new(text, 2, false)), written: 0 }
    }

    fn queue() -> Queue {
        Queue::new("test", 1, Overflow::DropNewest, Arc::new(Alarm::default()))
    }

    #[test]
    fn a_reader_that_left_is_noticed() {
        let (reader, writer) = pipe().unwrap();
        let end = Arc::new(Reader::default());
        let mut sink = StdoutSink::new(writer.into(), false, Arc::clone(&end));
        sink.deliver(&entry("a"), &queue()).unwrap();
        assert!(!end.has_left());
        drop(reader);
        sink.deliver(&entry("b"), &queue()).unwrap_err();
        assert!(end.has_left());
    }

    #[test]
    fn the_rest_of_a_line_is_written() {
        let (mut reader, writer) = pipe().unwrap();
        let mut sink = StdoutSink::new(writer.into(), false, Arc::default());
        sink.deliver(&Entry { written: 2, ..entry("abcd") }, &queue()).unwrap();
        drop(sink);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "cd\n");
    }

    #[test]
    fn a_buffer_is_written_when_full_and_at_the_end() {
        let (mut reader, writer) = pipe().unwrap();
        let mut sink = StdoutSink::new(writer.into(), true, Arc::default());
        let long = "x".repeat(BUFFER - 2);
        sink.deliver(&entry(&long), &queue()).unwrap();
        assert_eq!(sink.lines_in_buffer, 1, "fits exactly");
        sink.deliver(&entry("y"), &queue()).unwrap();
        let mut text = vec![0; BUFFER - 1];
        reader.read_exact(&mut text).unwrap();
        assert_eq!(text, format!("{long}\n").into_bytes());
        sink.finish().unwrap();
        drop(sink);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "y\n");
    }
}

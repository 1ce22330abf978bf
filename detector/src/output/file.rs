//! A file, appended to. Opened for each line, so that it can be rotated at any time, or once when asked to.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::PathBuf,
};

use super::{
    queue::{Entry, Queue},
    sink::{DeliveryError, Sink},
};

/// Bytes that are held back when buffering.
const BUFFER: usize = 64 * 1024;

/// An output file.
pub(super) struct FileOutput {
    path: PathBuf,
    kept: Option<File>,
    keep_alive: bool,
    /// The file ends within a line: the disk was full.
    torn: bool,
    buffered: bool,
    buffer: Vec<u8>,
    lines_in_buffer: u64,
}

impl FileOutput {
    /// Opens nothing yet. With `keep_alive` the file stays open from the first line on.
    pub(super) const fn new(path: PathBuf, keep_alive: bool) -> Self {
        Self {
            path,
            kept: None,
            keep_alive,
            torn: false,
            buffered: false,
            buffer: Vec::new(),
            lines_in_buffer: 0,
        }
    }

    /// Lines wait until a buffer is full. Only with `keep_alive`: a file that is opened for each line is written with
    /// each line.
    pub(super) fn buffered(self, buffered: bool) -> Self {
        Self { buffered: buffered && self.keep_alive, ..self }
    }

    fn append(&mut self, mut lines: Vec<u8>) -> io::Result<()> {
        let mut file = match self.kept.take() {
            Some(file) => file,
            None => OpenOptions::new().append(true).create(true).open(&self.path)?,
        };
        if self.torn {
            lines.insert(0, b'\n');
        }
        let mut rest = lines.as_slice();
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    rest = &rest[written..];
                    self.torn = !rest.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The file is not kept: whatever is wrong with it, the next line opens it anew.
                Err(error) => return Err(error),
            }
        }
        if self.keep_alive {
            self.kept = Some(file);
        }
        Ok(())
    }

    fn empty_buffer(&mut self) -> Result<(), (u64, DeliveryError)> {
        let lines = std::mem::take(&mut self.lines_in_buffer);
        if lines == 0 {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.buffer);
        self.append(bytes).map_err(|source| (lines, self.error(source)))
    }

    fn error(&self, source: io::Error) -> DeliveryError {
        DeliveryError::Write { to: self.path.display().to_string(), source }
    }
}

impl Sink for FileOutput {
    fn deliver(&mut self, entry: &Entry, queue: &Queue) -> Result<(), DeliveryError> {
        let bytes = entry.line.with_newline();
        if !self.buffered {
            return self.append(bytes.to_vec()).map_err(|source| self.error(source));
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

    /// Lets go of an open file; the next line opens it anew.
    fn reopen(&mut self, queue: &Queue) {
        // What was buffered before the rotation belongs into the old file.
        if let Err((lines, error)) = self.empty_buffer() {
            queue.count_undone(lines);
            log::error!("output file: {error}; buffered alerts are lost");
        }
        self.kept = None;
    }

    fn finish(&mut self) -> Result<(), (u64, DeliveryError)> {
        self.empty_buffer()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::FileOutput;
    use crate::output::{
        line::Line,
        queue::{Entry, Queue},
        settings::Overflow,
        sink::Sink as _,
        watchdog::Alarm,
    };

    fn queue() -> Queue {
        Queue::new("test", 1, Overflow::DropNewest, Arc::new(Alarm::default()))
    }

    fn write(output: &mut FileOutput, text: &str) {
        let entry = Entry { line: Arc::new(Line::new(text, 2, false)), written: 0 };
        output.deliver(&entry, &queue()).unwrap();
    }

    #[test]
    fn lines_are_appended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, "before\n").unwrap();
        for keep_alive in [false, true] {
            let mut output = FileOutput::new(path.clone(), keep_alive);
            write(&mut output, "one");
            write(&mut output, "two");
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "before\none\ntwo\none\ntwo\n");
    }

    #[test]
    fn a_rotated_file_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let rotated = folder.path().join("f.1");
        let mut kept = FileOutput::new(path.clone(), true);
        write(&mut kept, "one");
        std::fs::rename(&path, &rotated).unwrap();
        write(&mut kept, "two");
        kept.reopen(&queue());
        write(&mut kept, "three");
        assert_eq!(std::fs::read_to_string(&rotated).unwrap(), "one\ntwo\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
    }

    #[test]
    fn a_torn_line_does_not_spoil_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let mut output = FileOutput::new(path.clone(), true);
        output.torn = true;
        write(&mut output, "one");
        write(&mut output, "two");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "\none\ntwo\n");
    }
}

//! Standard output: one line per alert, flushed at once unless buffering was asked for.

use std::io::{self, Write as _};

/// The process's standard output.
pub struct Stdout {
    buffered: bool,
    writer: io::BufWriter<io::Stdout>,
}

impl Stdout {
    /// With `buffered`, lines are flushed when the buffer is full and at the end.
    #[must_use]
    pub fn new(buffered: bool) -> Self {
        Self { buffered, writer: io::BufWriter::with_capacity(64 * 1024, io::stdout()) }
    }

    /// Writes the line and a newline.
    pub fn write(&mut self, line: &str) -> io::Result<()> {
        self.writer.write_all(line.as_bytes())?;
        self.writer.write_all(b"\n")?;
        if self.buffered { Ok(()) } else { self.flush() }
    }

    /// Makes everything written so far visible.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

//! Lines on disk that a receiver has not taken yet: bounded, in order, and still there after a restart.
//!
//! A folder holds segments `NNNNNNNNNN.seg` (see `segment.rs`), a `cursor` that says how far delivery has come, and a
//! `lock`. A segment goes when its last line is delivered. Lines are in the kernel's hands once written: a killed agent
//! loses none, a power failure may cost the last seconds (nothing is synced). The cursor is written after each delivery:
//! a crash in between delivers one line twice.

mod cursor;
mod segment;

use std::{
    collections::VecDeque,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use log::warn;

use self::{
    cursor::Cursor,
    segment::{HEADER, Segment},
};
use super::{
    line::Line,
    settings::{Overflow, SpoolSettings},
};

/// A segment is an eighth of the spool, within these bounds.
const SEGMENT_BYTES: (u64, u64) = (4 << 10, 4 << 20);

/// Why the spool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The file system said no.
    #[error("cannot {what} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Two agents, or two outputs of one.
    #[error("{path} is in use by another agent; give each its own `spool.path`", path = .0.display())]
    InUse(PathBuf),
}

/// What became of an appended line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Appended {
    /// It is on disk; this many older ones went for it.
    Stored { dropped: u64 },
    /// There is no room, and older lines stay.
    Full,
}

/// The folder, open.
pub(super) struct Spool {
    folder: PathBuf,
    max_bytes: u64,
    segment_bytes: u64,
    overflow: Overflow,
    /// Oldest first.
    segments: VecDeque<Segment>,
    /// What the last segment is appended to; `None` right after the start, as old segments are never appended to.
    writer: Option<File>,
    /// Where the first undelivered line of the first segment starts.
    offset: u64,
    /// That line, once read, and where the next one starts.
    front: Option<(Arc<Line>, u64)>,
    reader: Option<File>,
    cursor: Cursor,
    next_number: u64,
    _lock: File,
}

impl Spool {
    /// Makes the folder, takes its lock and finds what an earlier agent left.
    pub(super) fn open(settings: &SpoolSettings) -> Result<Self, SpoolError> {
        let folder = settings.folder.clone();
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|source| SpoolError::Io {
            what: "make",
            path: folder.clone(),
            source,
        })?;
        let lock = lock(&folder)?;
        let (cursor, place) = Cursor::open(&folder)?;
        let mut segments = VecDeque::new();
        let mut offset = HEADER;
        for number in segment_numbers(&folder)? {
            let from = if number == place.segment { place.offset.max(HEADER) } else { HEADER };
            let segment = Segment::scan(&folder, number, from)?;
            if number < place.segment || segment.lines == 0 {
                segment.remove(&folder);
                continue;
            }
            if segments.is_empty() {
                offset = from;
            }
            segments.push_back(segment);
        }
        let next_number =
            segments.back().map_or(place.segment, |last: &Segment| last.number).saturating_add(1);
        Ok(Self {
            folder,
            max_bytes: settings.max_bytes,
            segment_bytes: (settings.max_bytes / 8).clamp(SEGMENT_BYTES.0, SEGMENT_BYTES.1),
            overflow: settings.overflow,
            segments,
            writer: None,
            offset,
            front: None,
            reader: None,
            cursor,
            next_number,
            _lock: lock,
        })
    }

    /// Lines that wait.
    pub(super) fn lines(&self) -> u64 {
        self.segments.iter().map(|segment| segment.lines).sum()
    }

    /// Appends a line. After an error the line is not stored, and the spool goes on.
    pub(super) fn append(&mut self, line: &Line) -> Result<Appended, SpoolError> {
        let record = segment::record(line);
        let size = record.len() as u64;
        let mut dropped = 0;
        while self.bytes() + size + HEADER > self.max_bytes {
            if self.overflow == Overflow::DropNewest {
                return Ok(Appended::Full);
            }
            let Some(oldest) = self.segments.front() else { return Ok(Appended::Full) };
            dropped += oldest.lines;
            self.drop_first();
        }
        let fits = self.segments.back().is_some_and(|last| last.end + size <= self.segment_bytes);
        if self.writer.is_none() || !fits {
            self.begin_segment()?;
        }
        if let (Some(writer), Some(last)) = (&self.writer, self.segments.back_mut()) {
            match segment::append(writer, last.end, &record) {
                Ok(()) => {
                    last.end += size;
                    last.lines += 1;
                }
                Err(source) => {
                    let path = segment::path(&self.folder, last.number);
                    // What got written of it is behind the end: cut off here, or overwritten by the next line.
                    let _ = writer.set_len(last.end);
                    return Err(SpoolError::Io { what: "append to", path, source });
                }
            }
        }
        Ok(Appended::Stored { dropped })
    }

    /// The oldest line. What cannot be read is given up; the second answer is how many lines that were.
    pub(super) fn front(&mut self) -> (Option<Arc<Line>>, u64) {
        let mut lost = 0;
        loop {
            if let Some((line, _)) = &self.front {
                return (Some(Arc::clone(line)), lost);
            }
            let Some(first) = self.segments.front() else { return (None, lost) };
            if first.lines == 0 {
                if self.segments.len() == 1 {
                    return (None, lost);
                }
                self.drop_first();
                continue;
            }
            match self.read_first() {
                Ok(read) => self.front = Some(read),
                Err(error) => {
                    warn!("spool: {error}; the rest of this segment is lost");
                    lost += self.segments.front().map_or(0, |first| first.lines);
                    self.drop_first();
                }
            }
        }
    }

    /// The oldest line is delivered, or given up.
    pub(super) fn advance(&mut self) {
        let Some((_, next)) = self.front.take() else { return };
        self.offset = next;
        if let Some(first) = self.segments.front_mut() {
            first.lines = first.lines.saturating_sub(1);
            let done = first.lines == 0;
            // The segment that is being written stays while it is short: a file for each line would be costly.
            if done && (self.segments.len() > 1 || next >= self.segment_bytes / 4) {
                self.drop_first();
            }
        }
        self.write_cursor();
    }

    fn read_first(&mut self) -> Result<(Arc<Line>, u64), SpoolError> {
        let Some(first) = self.segments.front() else {
            return Err(SpoolError::Io {
                what: "read",
                path: self.folder.clone(),
                source: io::ErrorKind::NotFound.into(),
            });
        };
        let path = segment::path(&self.folder, first.number);
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => File::open(&path).map_err(|source| SpoolError::Io {
                what: "open",
                path: path.clone(),
                source,
            })?,
        };
        let (line, next) = segment::read(&reader, self.offset, first.end)
            .map_err(|source| SpoolError::Io { what: "read", path, source })?;
        self.reader = Some(reader);
        Ok((Arc::new(line), next))
    }

    fn begin_segment(&mut self) -> Result<(), SpoolError> {
        let number = self.next_number;
        let path = segment::path(&self.folder, number);
        self.writer = None;
        let file = segment::create(&path).map_err(|source| {
            let _ = fs::remove_file(&path);
            SpoolError::Io { what: "make", path: path.clone(), source }
        })?;
        self.next_number += 1;
        if self.segments.is_empty() {
            self.offset = HEADER;
        }
        self.segments.push_back(Segment { number, lines: 0, end: HEADER });
        self.writer = Some(file);
        Ok(())
    }

    fn drop_first(&mut self) {
        if let Some(first) = self.segments.pop_front() {
            first.remove(&self.folder);
        }
        if self.segments.is_empty() {
            self.writer = None;
        }
        self.reader = None;
        self.front = None;
        self.offset = HEADER;
        self.write_cursor();
    }

    fn write_cursor(&mut self) {
        let segment = self.segments.front().map_or(self.next_number, |first| first.number);
        self.cursor.write(segment, self.offset);
    }

    fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.end).sum()
    }
}

fn lock(folder: &Path) -> Result<File, SpoolError> {
    let path = folder.join("lock");
    let error = |source| SpoolError::Io { what: "lock", path: path.clone(), source };
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(error)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SpoolError::InUse(folder.to_path_buf())),
        Err(TryLockError::Error(source)) => Err(error(source)),
    }
}

/// Numbers of the segments in the folder, oldest first.
fn segment_numbers(folder: &Path) -> Result<Vec<u64>, SpoolError> {
    let error = |source| SpoolError::Io { what: "list", path: folder.to_path_buf(), source };
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder).map_err(error)? {
        let name = entry.map_err(error)?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(".seg"));
        numbers.extend(stem.and_then(|text| text.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

#[cfg(test)]
mod tests;

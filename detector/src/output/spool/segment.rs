//! One file of the spool: a header of 8 bytes, then records, appended.
//!
//! ```text
//! length of payload  u32 LE   |
//! crc32              u32 LE   | over the two fields below
//! priority and kind  u8       | bits 0-2: priority, bit 7: JSON
//! payload                     | the line without its newline
//! ```

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use log::warn;

use super::SpoolError;
use crate::output::line::Line;

/// What a segment starts with.
const MAGIC: &[u8; 8] = b"DETSPL\0\x01";
/// Where the first record is.
pub(super) const HEADER: u64 = MAGIC.len() as u64;
/// Bytes before the payload.
const RECORD_HEAD: usize = 9;
/// More is no line of ours but a damaged length.
const MAX_PAYLOAD: u32 = 16 << 20;
const JSON: u8 = 1 << 7;

/// What is known of a segment without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) number: u64,
    /// Lines that are not delivered.
    pub(super) lines: u64,
    /// Behind the last whole record.
    pub(super) end: u64,
}

impl Segment {
    /// Counts the whole records from an offset on. What follows a damaged one is lost, and reported.
    pub(super) fn scan(folder: &Path, number: u64, from: u64) -> Result<Self, SpoolError> {
        let path = path(folder, number);
        let error = |source| SpoolError::Io { what: "read", path: path.clone(), source };
        let file = File::open(&path).map_err(error)?;
        let size = file.metadata().map_err(error)?.len();
        let mut magic = [0; MAGIC.len()];
        let mut segment = Self { number, lines: 0, end: from.min(size) };
        if file.read_exact_at(&mut magic, 0).is_ok() && magic == *MAGIC {
            while segment.end < size {
                let Ok((_, next)) = read(&file, segment.end, size) else { break };
                segment.end = next;
                segment.lines += 1;
            }
        }
        if segment.end < size && size > HEADER {
            let bytes = size - segment.end;
            warn!("spool: {} ends with {bytes} damaged bytes; they are lost", path.display());
        }
        Ok(segment)
    }

    /// Deletes the file.
    pub(super) fn remove(&self, folder: &Path) {
        let path = path(folder, self.number);
        if let Err(error) = fs::remove_file(&path) {
            warn!("spool: cannot delete {}: {error}", path.display());
        }
    }
}

/// Where a segment is.
pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:010}.seg"))
}

/// A new segment without records.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all_at(MAGIC, 0)?;
    Ok(file)
}

/// A line as a record.
pub(super) fn record(line: &Line) -> Vec<u8> {
    let payload = line.bytes();
    let kind = line.priority() | if line.is_json() { JSON } else { 0 };
    let mut record = Vec::with_capacity(RECORD_HEAD + payload.len());
    // A line that is too long for the field does not exist; if it did, reading would find it damaged.
    record.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    record.extend_from_slice(&[0; 4]);
    record.push(kind);
    record.extend_from_slice(payload);
    let crc = crc32fast::hash(&record[RECORD_HEAD - 1..]);
    record[4..8].copy_from_slice(&crc.to_le_bytes());
    record
}

/// Writes a record to where it belongs.
pub(super) fn append(file: &File, at: u64, record: &[u8]) -> io::Result<()> {
    file.write_all_at(record, at)
}

/// Reads the record at an offset; the second answer is where the next one starts.
pub(super) fn read(file: &File, at: u64, end: u64) -> io::Result<(Line, u64)> {
    let mut head = [0; RECORD_HEAD];
    file.read_exact_at(&mut head, at)?;
    let [l0, l1, l2, l3, c0, c1, c2, c3, kind] = head;
    let length = u32::from_le_bytes([l0, l1, l2, l3]);
    let next = at + RECORD_HEAD as u64 + u64::from(length);
    if length > MAX_PAYLOAD || next > end {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a record reaches beyond the end"));
    }
    let mut checked = vec![kind; 1 + length as usize];
    file.read_exact_at(&mut checked[1..], at + RECORD_HEAD as u64)?;
    if crc32fast::hash(&checked) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a record's checksum is wrong"));
    }
    checked.remove(0);
    Ok((Line::new(checked, kind & 7, kind & JSON != 0), next))
}

//! How far delivery has come: segment, offset and their checksum, 20 bytes that are overwritten in place.
//!
//! A cursor that cannot be read says "from the start": lines may then come twice, but none is lost.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
};

use log::warn;

use super::SpoolError;

/// A place in the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Place {
    pub(super) segment: u64,
    pub(super) offset: u64,
}

/// The file, open.
pub(super) struct Cursor {
    file: File,
    warned: bool,
}

impl Cursor {
    /// Opens or makes it, and reads the place.
    pub(super) fn open(folder: &Path) -> Result<(Self, Place), SpoolError> {
        let path = folder.join("cursor");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|source| SpoolError::Io { what: "open", path, source })?;
        let mut bytes = [0; 20];
        let place = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => place(&bytes).unwrap_or_default(),
            Err(_) => Place::default(),
        };
        Ok((Self { file, warned: false }, place))
    }

    /// Writes a place. A failure costs repeated lines after a crash, and no more.
    pub(super) fn write(&mut self, segment: u64, offset: u64) {
        let mut bytes = [0; 20];
        bytes[..8].copy_from_slice(&segment.to_le_bytes());
        bytes[8..16].copy_from_slice(&offset.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..16]);
        bytes[16..].copy_from_slice(&crc.to_le_bytes());
        if let Err(error) = self.file.write_all_at(&bytes, 0)
            && !std::mem::replace(&mut self.warned, true)
        {
            warn!("spool: cannot write the cursor: {error}; after a restart alerts may come twice");
        }
    }
}

fn place(bytes: &[u8; 20]) -> Option<Place> {
    let (place, crc) = bytes.split_at(16);
    let (segment, offset) = place.split_at(8);
    if crc32fast::hash(place).to_le_bytes() != crc {
        return None;
    }
    Some(Place {
        segment: u64::from_le_bytes(segment.try_into().ok()?),
        offset: u64::from_le_bytes(offset.try_into().ok()?),
    })
}

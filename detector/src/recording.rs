//! Records in a file: what the kernel side sent, so that alerts can be made again without a kernel and without root.
//!
//! ```text
//! file  = "DTRECORD" abi:u16 reserved:u16 reserved:u32, then frames
//! frame = record_bytes:u32 context_bytes:u32 boot_at_ns:u64 record context
//! ```
//! All numbers little endian. `boot_at_ns` is the time of day at boot as it was measured when the record was taken;
//! `context` is what enrichment knew then, opaque here.

use std::{
    io::{self, Read, Write},
    ops::Range,
};

use detector_common::{
    ABI_VERSION,
    limits::{RING_BYTES, TAIL_BYTES},
};

const MAGIC: [u8; 8] = *b"DTRECORD";
/// No record is larger; a length beyond it means that the file is damaged.
const MAX_RECORD: u32 = RING_BYTES;
/// What enrichment may add to a record.
const MAX_CONTEXT: u32 = 1024 * 1024;

/// Bytes before the first frame, and before the record of each.
const HEAD: usize = 16;
/// What is read from the file in one go.
const BUFFER: usize = 1 << 20;

const _: () = assert!(TAIL_BYTES < RING_BYTES as usize);

/// Why a recording cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// Not a recording.
    #[error("this is not a recording: it does not start with `DTRECORD`")]
    NoRecording,
    /// Written by another version of the layout.
    #[error("the recording has layout version {found}, this program reads version {ABI_VERSION}")]
    OtherAbi {
        /// What the file says.
        found: u16,
    },
    /// A length that cannot be.
    #[error("the recording is damaged at byte {at}: a frame claims {length} bytes")]
    Damaged {
        /// Where the frame starts.
        at: u64,
        /// What it claims.
        length: u32,
    },
    /// The file ends in the middle of a frame.
    #[error("the recording ends in the middle of the frame at byte {at}")]
    CutOff {
        /// Where the frame starts.
        at: u64,
    },
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// One record with what is needed to make its event again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame<'r> {
    /// Nanoseconds since the epoch at boot.
    pub boot_at_ns: u64,
    /// The record.
    pub record: &'r [u8],
    /// What enrichment knew.
    pub context: &'r [u8],
}

/// Writes a recording.
pub struct Recorder<W: Write> {
    writer: W,
}

impl<W: Write> Recorder<W> {
    /// Writes the head.
    pub fn new(mut writer: W) -> Result<Self, RecordingError> {
        writer.write_all(&MAGIC)?;
        writer.write_all(&ABI_VERSION.to_le_bytes())?;
        writer.write_all(&[0; 6])?;
        Ok(Self { writer })
    }

    /// Adds a record; what enrichment knew is left out when it is too big to be read back.
    pub fn add(&mut self, boot_at_ns: u64, record: &[u8], context: &[u8]) -> Result<(), RecordingError> {
        let length =
            |bytes: &[u8], most: u32| u32::try_from(bytes.len()).ok().filter(|length| *length <= most);
        let Some(record_length) = length(record, MAX_RECORD) else {
            return Err(RecordingError::Damaged { at: 0, length: u32::MAX });
        };
        let context = if length(context, MAX_CONTEXT).is_some() { context } else { &[] };
        let context_length = length(context, MAX_CONTEXT).unwrap_or(0);
        self.writer.write_all(&record_length.to_le_bytes())?;
        self.writer.write_all(&context_length.to_le_bytes())?;
        self.writer.write_all(&boot_at_ns.to_le_bytes())?;
        self.writer.write_all(record)?;
        self.writer.write_all(context)?;
        Ok(())
    }

    /// Makes everything written so far safe.
    pub fn flush(&mut self) -> Result<(), RecordingError> {
        Ok(self.writer.flush()?)
    }
}

/// Reads a recording, in large pieces.
pub struct Recording<R: Read> {
    reader: R,
    /// What was read and is not handed out yet lies at `unread`.
    buffer: Vec<u8>,
    unread: Range<usize>,
    /// Bytes that were handed out.
    at: u64,
}

impl<R: Read> Recording<R> {
    /// Reads and checks the head.
    pub fn new(reader: R) -> Result<Self, RecordingError> {
        let mut recording = Self { reader, buffer: vec![0; BUFFER], unread: 0..0, at: 0 };
        if recording.fill(HEAD)? < HEAD || !recording.rest().starts_with(&MAGIC) {
            return Err(RecordingError::NoRecording);
        }
        let found = u16::from_le_bytes([recording.rest()[8], recording.rest()[9]]);
        if found != ABI_VERSION {
            return Err(RecordingError::OtherAbi { found });
        }
        recording.take(HEAD);
        Ok(recording)
    }

    /// The next frame; `None` at the end of the file.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, RecordingError> {
        let at = self.at;
        match self.fill(HEAD)? {
            0 => return Ok(None),
            there if there < HEAD => return Err(RecordingError::CutOff { at }),
            _ => {}
        }
        let number = |range: Range<usize>| {
            self.rest()[range].iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte))
        };
        let boot_at_ns = number(8..16);
        let mut lengths = [0; 2];
        for (length, (range, most)) in lengths.iter_mut().zip([(0..4, MAX_RECORD), (4..8, MAX_CONTEXT)]) {
            let claimed = u32::try_from(number(range)).unwrap_or(u32::MAX);
            if claimed > most {
                return Err(RecordingError::Damaged { at, length: claimed });
            }
            *length = claimed as usize;
        }
        let [record, context] = lengths;
        if self.fill(HEAD + record + context)? < HEAD + record + context {
            return Err(RecordingError::CutOff { at });
        }
        let frame = self.take(HEAD + record + context);
        let (record, context) = frame[HEAD..].split_at(record);
        Ok(Some(Frame { boot_at_ns, record, context }))
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.unread.clone()]
    }

    fn take(&mut self, length: usize) -> &[u8] {
        let start = self.unread.start;
        self.unread.start += length;
        self.at += length as u64;
        &self.buffer[start..start + length]
    }

    /// Reads until this many bytes are there, or the file ends; the answer is how many there are.
    fn fill(&mut self, wanted: usize) -> io::Result<usize> {
        if self.unread.len() >= wanted {
            return Ok(self.unread.len());
        }
        self.buffer.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        while self.unread.end < wanted {
            match self.reader.read(&mut self.buffer[self.unread.end..]) {
                Ok(0) => break,
                Ok(read) => self.unread.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.unread.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::{Frame, Recorder, Recording, RecordingError};

    fn written(frames: &[Frame<'_>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut recorder = Recorder::new(&mut bytes).unwrap();
        for frame in frames {
            recorder.add(frame.boot_at_ns, frame.record, frame.context).unwrap();
        }
        bytes
    }

    /// Boot times, records and contexts.
    type Read = Vec<(u64, Vec<u8>, Vec<u8>)>;

    fn read(bytes: &[u8]) -> Result<Read, RecordingError> {
        let mut recording = Recording::new(bytes)?;
        let mut frames = Vec::new();
        while let Some(frame) = recording.next_frame()? {
            frames.push((frame.boot_at_ns, frame.record.to_vec(), frame.context.to_vec()));
        }
        Ok(frames)
    }

    fn owned(frames: &[Frame<'_>]) -> Read {
        frames.iter().map(|frame| (frame.boot_at_ns, frame.record.to_vec(), frame.context.to_vec())).collect()
    }

    fn two() -> [Frame<'static>; 2] {
        [
            Frame { boot_at_ns: 1 << 60, record: &[1; 700], context: b"{}" },
            Frame { boot_at_ns: 7, record: &[2; 3], context: b"" },
        ]
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(read(&written(&two())).unwrap(), owned(&two()));
        assert_eq!(read(&written(&[])).unwrap(), []);
    }

    #[test]
    fn frames_across_the_end_of_a_piece_are_whole() {
        let long = vec![5; 300_000];
        let frames: Vec<Frame<'_>> =
            (0..20).map(|boot_at_ns| Frame { boot_at_ns, record: &long, context: b"x" }).collect();
        assert_eq!(read(&written(&frames)).unwrap(), owned(&frames));
    }

    #[test]
    fn a_cut_file_says_where() {
        let bytes = written(&two());
        let error = read(&bytes[..bytes.len() - 1]).unwrap_err();
        assert_eq!(error.to_string(), "the recording ends in the middle of the frame at byte 734");
        assert!(matches!(read(&bytes[..20]), Err(RecordingError::CutOff { at: 16 })));
    }

    #[test]
    fn foreign_and_damaged_files_are_refused() {
        assert!(matches!(read(b"hello"), Err(RecordingError::NoRecording)));
        let mut other = written(&two());
        other[8] = 0xfe;
        other[9] = 0xff;
        assert!(matches!(read(&other), Err(RecordingError::OtherAbi { found: 0xfffe })));
        let mut damaged = written(&two());
        damaged[19] = 0xff;
        assert!(matches!(read(&damaged), Err(RecordingError::Damaged { at: 16, .. })));
    }

    proptest! {
        #[test]
        fn any_bytes_give_frames_or_an_error(bytes: Vec<u8>, flip in any::<usize>()) {
            let _ = read(&bytes);
            let mut recording = written(&two());
            let length = recording.len();
            recording[flip % length] ^= 0x55;
            let _ = read(&recording);
        }
    }
}

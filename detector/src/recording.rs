//! Records in a file: what the kernel side sent, so that alerts can be made again without a kernel and without root.
//!
//! ```text
//! file  = "DTRECORD" abi:u16 reserved:u16 reserved:u32, then frames
//! frame = record_bytes:u32 context_bytes:u32 boot_at_ns:u64 record context
//! ```
//! All numbers little endian. `boot_at_ns` is the time of day at boot as it was measured when the record was taken;
//! `context` is what enrichment knew then, opaque here.

use std::io::{self, Read, Write};

use detector_common::{
    ABI_VERSION,
    limits::{RING_BYTES, TAIL_BYTES},
};

const MAGIC: [u8; 8] = *b"DTRECORD";
/// No record is larger; a length beyond it means that the file is damaged.
const MAX_RECORD: u32 = RING_BYTES;
/// What enrichment may add to a record.
const MAX_CONTEXT: u32 = 1024 * 1024;

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Nanoseconds since the epoch at boot.
    pub boot_at_ns: u64,
    /// The record.
    pub record: Vec<u8>,
    /// What enrichment knew.
    pub context: Vec<u8>,
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

/// Reads a recording.
pub struct Recording<R: Read> {
    reader: R,
    at: u64,
}

impl<R: Read> Recording<R> {
    /// Reads and checks the head.
    pub fn new(mut reader: R) -> Result<Self, RecordingError> {
        let mut head = [0; 16];
        let read = fill(&mut reader, &mut head)?;
        if read < head.len() || !head.starts_with(&MAGIC) {
            return Err(RecordingError::NoRecording);
        }
        let found = u16::from_le_bytes([head[8], head[9]]);
        if found != ABI_VERSION {
            return Err(RecordingError::OtherAbi { found });
        }
        Ok(Self { reader, at: head.len() as u64 })
    }

    /// Reads the next frame into `frame`, whose memory is used again; `false` at the end of the file.
    pub fn next_into(&mut self, frame: &mut Frame) -> Result<bool, RecordingError> {
        let at = self.at;
        let mut head = [0; 16];
        match fill(&mut self.reader, &mut head)? {
            0 => return Ok(false),
            16 => {}
            _ => return Err(RecordingError::CutOff { at }),
        }
        let number = |range: std::ops::Range<usize>| {
            head[range].iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte))
        };
        let record = u32::try_from(number(0..4)).unwrap_or(u32::MAX);
        let context = u32::try_from(number(4..8)).unwrap_or(u32::MAX);
        frame.boot_at_ns = number(8..16);
        for (length, most, bytes) in
            [(record, MAX_RECORD, &mut frame.record), (context, MAX_CONTEXT, &mut frame.context)]
        {
            if length > most {
                return Err(RecordingError::Damaged { at, length });
            }
            bytes.clear();
            bytes.resize(length as usize, 0);
            if fill(&mut self.reader, bytes)? < bytes.len() {
                return Err(RecordingError::CutOff { at });
            }
        }
        self.at += 16 + u64::from(record) + u64::from(context);
        Ok(true)
    }
}

/// Reads until the buffer is full or the end is reached; the answer is how much was read.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::{Frame, Recorder, Recording, RecordingError};

    fn written(frames: &[Frame]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut recorder = Recorder::new(&mut bytes).unwrap();
        for frame in frames {
            recorder.add(frame.boot_at_ns, &frame.record, &frame.context).unwrap();
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Vec<Frame>, RecordingError> {
        let mut recording = Recording::new(bytes)?;
        let mut frames = Vec::new();
        let mut frame = Frame::default();
        while recording.next_into(&mut frame)? {
            frames.push(frame.clone());
        }
        Ok(frames)
    }

    fn two() -> Vec<Frame> {
        vec![
            Frame { boot_at_ns: 1 << 60, record: vec![1; 700], context: b"{}".to_vec() },
            Frame { boot_at_ns: 7, record: vec![2; 3], context: Vec::new() },
        ]
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(read(&written(&two())).unwrap(), two());
        assert_eq!(read(&written(&[])).unwrap(), []);
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

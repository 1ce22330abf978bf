//! What a file holds: its hash, its size, how packed it looks. Read once, in pieces, up to a bound.

use std::{
    fs::{File, Metadata},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
};

use ring::digest::{Context, SHA256};

use super::elf;
use crate::event::{Content, Finding, Gap};

/// Bytes that are read of a file at most.
pub(super) const BOUND: u64 = 256 << 20;
/// Bytes of a piece.
const PIECE: usize = 64 * 1024;

/// Which file it is, and whether it was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stamp {
    device: u64,
    ino: u64,
    size: u64,
    changed: (i64, i64),
    modified: (i64, i64),
}

impl Stamp {
    pub(super) fn of(data: &Metadata) -> Self {
        Self {
            device: data.dev(),
            ino: data.ino(),
            size: data.size(),
            changed: (data.ctime(), data.ctime_nsec()),
            modified: (data.mtime(), data.mtime_nsec()),
        }
    }
}

/// Reads a regular file. What is changed meanwhile is not what was executed.
pub(super) fn read(file: &mut File) -> Finding<Content> {
    let before = file.metadata().map_err(|_| Gap::Unreadable)?;
    if !before.is_file() {
        return Err(Gap::NotRegular);
    }
    if before.len() > BOUND {
        return Err(Gap::TooLarge);
    }
    let (sha256, size, entropy) = digest(file).map_err(|_| Gap::Unreadable)?;
    let elf = elf::facts(file);
    let after = file.metadata().map_err(|_| Gap::Unreadable)?;
    if Stamp::of(&before) != Stamp::of(&after) || size != before.len() {
        return Err(Gap::Replaced);
    }
    Ok(Content { sha256, size, entropy, elf })
}

fn digest(file: &mut File) -> io::Result<(String, u64, f64)> {
    file.seek(SeekFrom::Start(0))?;
    let mut sha256 = Context::new(&SHA256);
    let mut counts = [0_u64; 256];
    let mut size = 0_u64;
    let mut piece = vec![0; PIECE];
    loop {
        let length = match file.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        sha256.update(&piece[..length]);
        for byte in &piece[..length] {
            counts[usize::from(*byte)] += 1;
        }
        size += length as u64;
        if size > BOUND {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
    }
    Ok((hexadecimal(sha256.finish().as_ref()), size, entropy(&counts, size)))
}

/// Shannon's, over single bytes.
#[expect(clippy::cast_precision_loss, reason = "counts of bytes are far below 2^52")]
fn entropy(counts: &[u64; 256], size: u64) -> f64 {
    let share = |count: &u64| *count as f64 / size as f64;
    counts.iter().filter(|count| **count > 0).map(share).map(|share| -share * share.log2()).sum()
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Write};

    use super::{BOUND, read};
    use crate::event::Gap;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn the_hash_is_the_one_of_the_standard() {
        let content = read(&mut file(b"abc")).unwrap();
        assert_eq!(content.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!((content.size, content.elf), (3, None));
        let empty = read(&mut file(b"")).unwrap();
        assert_eq!(empty.sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn entropy_runs_from_0_to_8() {
        let of = |bytes: &[u8]| read(&mut file(bytes)).unwrap().entropy;
        assert!(of(&[7; 1000]).abs() < 1e-9 && of(b"").abs() < 1e-9);
        assert!((of(b"abababab") - 1.0).abs() < 1e-9);
        let all: Vec<u8> = (0..=255).cycle().take(256 * 300).collect();
        assert!((of(&all) - 8.0).abs() < 1e-9);
    }

    #[test]
    fn a_giant_and_what_is_no_file_are_refused() {
        let giant = tempfile::tempfile().unwrap();
        giant.set_len(BOUND + 1).unwrap();
        assert_eq!(read(&mut { giant }), Err(Gap::TooLarge));
        assert_eq!(read(&mut File::open("/").unwrap()), Err(Gap::NotRegular));
    }
}

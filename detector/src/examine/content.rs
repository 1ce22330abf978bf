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
/// How often a file is read whose inode changes under the reading.
const PASSES: usize = 3;

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

/// Reads a regular file. What is written meanwhile is not what was executed.
pub(super) fn read(file: &mut File) -> Finding<Content> {
    read_while(file, |_| {})
}

/// `meanwhile` is what others do to the file while it is read.
fn read_while(file: &mut File, mut meanwhile: impl FnMut(&File)) -> Finding<Content> {
    let mut before = file.metadata().map_err(|_| Gap::Unreadable)?;
    if !before.is_file() {
        return Err(Gap::NotRegular);
    }
    if before.len() > BOUND {
        return Err(Gap::TooLarge);
    }
    let mut found_before: Option<String> = None;
    for _ in 0..PASSES {
        let (sha256, size, entropy) = digest(file).map_err(|_| Gap::Unreadable)?;
        let elf = elf::facts(file);
        meanwhile(file);
        let after = file.metadata().map_err(|_| Gap::Unreadable)?;
        let (old, new) = (Stamp::of(&before), Stamp::of(&after));
        let agrees = found_before.as_ref().is_none_or(|found| *found == sha256);
        if size != old.size || (old.size, old.modified) != (new.size, new.modified) || !agrees {
            return Err(Gap::Replaced);
        }
        if old == new {
            return Ok(Content { sha256, size, entropy, elf });
        }
        // It was removed, which is what drops do to themselves, or given another mode. But who can write it can set back the
        // time of the writing, so that alone is no proof: it has to hold the same once more.
        (found_before, before) = (Some(sha256), after);
    }
    Err(Gap::Replaced)
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
    use std::{
        fs::{File, Permissions},
        io::{Seek, Write},
        os::unix::fs::{MetadataExt, PermissionsExt},
    };

    use super::{BOUND, read, read_while};
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

    /// Gives it a mode, until the kernel's clock has gone on and the time of the change with it.
    fn change(file: &File, mode: u32) {
        let changed = || {
            let data = file.metadata().unwrap();
            (data.ctime(), data.ctime_nsec())
        };
        let before = changed();
        while changed() == before {
            file.set_permissions(Permissions::from_mode(mode)).unwrap();
        }
    }

    #[test]
    fn a_file_that_is_removed_or_given_a_mode_while_it_is_read_is_read_all_the_same() {
        let mut modes = [0o700, 0o755].into_iter();
        let content = read_while(&mut file(b"abc"), |file| {
            if let Some(mode) = modes.next() {
                change(file, mode);
            }
        });
        assert_eq!(content.unwrap().size, 3);
        assert_eq!(modes.next(), None, "it was read again");
    }

    #[test]
    fn a_file_that_is_written_while_it_is_read_is_another() {
        let longer = read_while(&mut file(b"abc"), |mut file| file.write_all(b"d").unwrap());
        assert_eq!(longer, Err(Gap::Replaced));
        // The time of the writing was set back.
        let mut forged = file(b"abc");
        let written = forged.metadata().unwrap().modified().unwrap();
        let forge = |mut file: &File| {
            file.rewind().unwrap();
            file.write_all(b"xyz").unwrap();
            file.set_modified(written).unwrap();
            change(file, 0o700);
        };
        assert_eq!(read_while(&mut forged, forge), Err(Gap::Replaced));
    }

    #[test]
    fn a_giant_and_what_is_no_file_are_refused() {
        let giant = tempfile::tempfile().unwrap();
        giant.set_len(BOUND + 1).unwrap();
        assert_eq!(read(&mut { giant }), Err(Gap::TooLarge));
        assert_eq!(read(&mut File::open("/").unwrap()), Err(Gap::NotRegular));
    }
}

//! The guest's first file system, in the format that the kernel unpacks (cpio, "newc"): written here, because it is
//! twenty lines and needs no program.
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const LINK: u32 = 0o120_777;
const CHARACTER_DEVICE: u32 = 0o020_600;
/// Seconds since 1970: any but none, as Falco's fields show no time for a file of 1970.
const MODIFIED: u32 = 1_000_000_000;

/// An archive in the making. Paths are relative to the root; folders above a file are made on their own.
#[derive(Default)]
pub(super) struct Initramfs {
    bytes: Vec<u8>,
    inode: u32,
    folders: BTreeSet<PathBuf>,
    files: BTreeSet<PathBuf>,
}

impl Initramfs {
    /// Adds an empty folder, if it is not there.
    pub(super) fn folder(&mut self, path: &str) -> Result<()> {
        self.folders_above(path)?;
        if self.folders.insert(PathBuf::from(path)) { self.entry(path, FOLDER, &[], (0, 0)) } else { Ok(()) }
    }

    fn folders_above(&mut self, path: &str) -> Result<()> {
        match path.rsplit_once('/') {
            Some((above, _)) => self.folder(above),
            None => Ok(()),
        }
    }

    /// Adds a file that may be executed; once, even if it is wanted more often.
    pub(super) fn file(&mut self, path: &str, from: &Path) -> Result<()> {
        if !self.files.insert(PathBuf::from(path)) {
            return Ok(());
        }
        let content = std::fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
        self.folders_above(path)?;
        self.entry(path, PROGRAM, &content, (0, 0))
    }

    /// Adds a file with the given content.
    pub(super) fn text(&mut self, path: &str, content: &str) -> Result<()> {
        self.folders_above(path)?;
        self.entry(path, PROGRAM, content.as_bytes(), (0, 0))
    }

    /// Adds a symbolic link.
    pub(super) fn link(&mut self, path: &str, to: &str) -> Result<()> {
        self.folders_above(path)?;
        self.entry(path, LINK, to.as_bytes(), (0, 0))
    }

    /// Adds the console, which the kernel opens for the first process.
    pub(super) fn console(&mut self) -> Result<()> {
        self.folder("dev")?;
        self.entry("dev/console", CHARACTER_DEVICE, &[], (5, 1))
    }

    /// The finished archive.
    pub(super) fn finish(mut self) -> Result<Vec<u8>> {
        self.entry("TRAILER!!!", 0, &[], (0, 0))?;
        Ok(self.bytes)
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8], device: (u32, u32)) -> Result<()> {
        self.inode += 1;
        let size = u32::try_from(content.len()).with_context(|| format!("{path} is larger than 4 GiB"))?;
        let name_size = u32::try_from(path.len() + 1).context("a path is too long")?;
        // inode, mode, uid, gid, links, mtime, size, device, special device, name with NUL, checksum
        let fields = [self.inode, mode, 0, 0, 1, MODIFIED, size, 0, 0, device.0, device.1, name_size, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            write!(self.bytes, "{field:08x}")?;
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
        Ok(())
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_once_and_before_what_is_in_them() -> Result<()> {
        let mut initramfs = Initramfs::default();
        initramfs.text("a/b/one", "")?;
        initramfs.text("a/b/two", "")?;
        let bytes = initramfs.finish()?;
        let text = String::from_utf8_lossy(&bytes);
        let at = |name: &str| text.match_indices(name).map(|(at, _)| at).collect::<Vec<_>>();
        let (above, below, file) = (at("a\0"), at("a/b\0"), at("a/b/one\0"));
        assert_eq!((above.len(), below.len(), file.len()), (1, 1, 1), "{text}");
        assert!(above < below && below < file, "{text}");
        Ok(())
    }

    #[test]
    fn an_entry_is_laid_out_as_the_kernel_reads_it() -> Result<()> {
        let mut initramfs = Initramfs::default();
        initramfs.text("ab", "hello")?;
        let bytes = initramfs.finish()?;
        // Magic, first inode, a regular file that all may execute.
        assert!(
            bytes.starts_with(concat!("070701", "00000001", "000081ed").as_bytes()),
            "{}",
            String::from_utf8_lossy(&bytes[..32])
        );
        assert_eq!(&bytes[54..62], b"00000005", "the size of the content");
        assert_eq!(&bytes[94..102], b"00000003", "the size of the name with its NUL");
        // 110 bytes of header and 3 of name, padded to 116.
        assert_eq!(&bytes[110..121], b"ab\0\0\0\0hello");
        assert_eq!(&bytes[124..130], b"070701", "the next entry starts at a multiple of four");
        assert_eq!(bytes.len() % 4, 0);
        Ok(())
    }
}

//! `SHA256SUMS`, in the format of sha256sum: `sha256sum -c SHA256SUMS` checks a download.
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use super::tree::{names, read};

const NAME: &str = "SHA256SUMS";

pub(super) fn write(folder: &Path) -> Result<()> {
    let mut sums = String::new();
    for path in files(folder)? {
        let name = path.strip_prefix(folder).unwrap_or(&path).display();
        // Writing to a string cannot fail.
        let _ = writeln!(sums, "{}  {name}", sha256(&read(&path)?));
    }
    let path = folder.join(NAME);
    fs::write(&path, sums).with_context(|| format!("cannot write {}", path.display()))
}

/// All files of a folder and of the folders in it.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for name in names(folder)?.into_iter().filter(|name| name != NAME) {
        let path = folder.join(name);
        if path.is_dir() { files.extend(self::files(&path)?) } else { files.push(path) }
    }
    Ok(files)
}

/// In hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_are_those_of_sha256sum() {
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn files_in_folders_are_summed_too() -> Result<()> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("b"))?;
        fs::write(folder.path().join("b/c"), "abc")?;
        fs::write(folder.path().join("a"), "abc")?;
        for _ in 0..2 {
            write(folder.path())?;
            let sums = fs::read_to_string(folder.path().join(NAME))?;
            let names: Vec<_> = sums.lines().filter_map(|line| line.split("  ").nth(1)).collect();
            assert_eq!(names, ["a", "b/c"]);
        }
        Ok(())
    }
}

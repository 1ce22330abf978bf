//! A file, appended to. Opened for each line, so that it can be rotated at any time, or once when asked to.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// An output file.
pub struct FileOutput {
    path: PathBuf,
    kept: Option<File>,
    keep_alive: bool,
}

impl FileOutput {
    /// Opens nothing yet. With `keep_alive` the file stays open from the first line on.
    #[must_use]
    pub const fn new(path: PathBuf, keep_alive: bool) -> Self {
        Self { path, kept: None, keep_alive }
    }

    /// Where it writes.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends the line and a newline, in one write.
    pub fn write(&mut self, line: &str) -> io::Result<()> {
        let mut file = match self.kept.take() {
            Some(file) => file,
            None => OpenOptions::new().append(true).create(true).open(&self.path)?,
        };
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        file.write_all(&bytes)?;
        if self.keep_alive {
            self.kept = Some(file);
        }
        Ok(())
    }

    /// Lets go of an open file; the next line opens it anew.
    pub fn reopen(&mut self) {
        self.kept = None;
    }
}

#[cfg(test)]
mod tests {
    use super::FileOutput;

    #[test]
    fn lines_are_appended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, "before\n").unwrap();
        for keep_alive in [false, true] {
            let mut output = FileOutput::new(path.clone(), keep_alive);
            output.write("one").unwrap();
            output.write("two").unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "before\none\ntwo\none\ntwo\n");
    }

    #[test]
    fn a_rotated_file_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let rotated = folder.path().join("f.1");
        let mut kept = FileOutput::new(path.clone(), true);
        kept.write("one").unwrap();
        std::fs::rename(&path, &rotated).unwrap();
        kept.write("two").unwrap();
        kept.reopen();
        kept.write("three").unwrap();
        assert_eq!(std::fs::read_to_string(&rotated).unwrap(), "one\ntwo\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
    }
}

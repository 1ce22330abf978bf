//! Copies of what was executed, each under the hash of what it holds, in a folder of the agent's own. Only where that is asked
//! for, and so many of them: what comes when the folder is full is not kept, so that nobody can push out what came first.

use std::{
    collections::HashSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use ring::digest::{Context, SHA256};

use super::content::hexadecimal;
use crate::event::{Content, Finding, Gap};

/// Bytes of a piece.
const PIECE: usize = 64 * 1024;
/// Digits of a hash, which is what a copy is named.
const DIGITS: usize = 64;

/// `samples`: where copies are kept, and how much of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleSettings {
    /// `folder`: made where it is not there, for the agent alone.
    pub folder: PathBuf,
    /// `max_files`: copies that are kept.
    pub most_files: usize,
    /// `max_bytes`: bytes of all copies.
    pub most_bytes: u64,
}

/// Why copies cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The folder cannot be used.
    #[error("`samples.folder` {}: {source}", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can change what is in it.
    #[error(
        "`samples.folder` {}: it belongs to user {owner} with mode {mode:o}; only the agent's user ({user}) may write there",
        .folder.display()
    )]
    Open {
        /// The folder.
        folder: PathBuf,
        /// Its owner.
        owner: u32,
        /// Its mode.
        mode: u32,
        /// Who we are.
        user: u32,
    },
}

/// The folder with the copies.
#[derive(Debug)]
pub struct Samples {
    settings: SampleSettings,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    hashes: HashSet<String>,
    bytes: u64,
}

impl Samples {
    /// Makes the folder where it is not there, and counts what it holds.
    pub fn open(settings: SampleSettings) -> Result<Self, SampleError> {
        let folder = &settings.folder;
        let failed = |source| SampleError::Folder { folder: folder.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let data = fs::symlink_metadata(folder).map_err(failed)?;
        if !data.is_dir() {
            return Err(failed(io::ErrorKind::NotADirectory.into()));
        }
        let user = nix::unistd::geteuid().as_raw();
        if data.uid() != user || data.mode() & 0o022 != 0 {
            let (folder, owner, mode) = (folder.clone(), data.uid(), data.mode() & 0o7777);
            return Err(SampleError::Open { folder, owner, mode, user });
        }
        let mut kept = Kept::default();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_hash(&name) {
                kept.bytes += entry.metadata().map_err(failed)?.len();
                kept.hashes.insert(name);
            } else if name.strip_prefix('.').is_some_and(is_hash) {
                // Of an agent that ended while it copied.
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        Ok(Self { settings, kept: Mutex::new(kept) })
    }

    /// Where the copy of this file is, whose content is known; makes it if there is none.
    pub(super) fn keep(&self, file: &mut File, content: &Content) -> Finding<PathBuf> {
        let path = self.settings.folder.join(&content.sha256);
        if !self.reserve(content)? {
            return Ok(path);
        }
        // Without the lock: reading from a container's file system may hang.
        let beside = self.settings.folder.join(format!(".{}", content.sha256));
        let copied = copy(file, &beside, content)
            .and_then(|()| fs::rename(&beside, &path).map_err(|_| Gap::Unreadable));
        copied.map(|()| path).inspect_err(|_| {
            // It may not have been made.
            let _ = fs::remove_file(&beside);
            let mut kept = self.kept();
            kept.hashes.remove(&content.sha256);
            kept.bytes = kept.bytes.saturating_sub(content.size);
        })
    }

    /// Takes room for a copy; false where there is one already, or somebody is just making it.
    fn reserve(&self, content: &Content) -> Finding<bool> {
        let mut kept = self.kept();
        if kept.hashes.contains(&content.sha256) {
            return Ok(false);
        }
        let bytes = kept.bytes.saturating_add(content.size);
        if kept.hashes.len() >= self.settings.most_files || bytes > self.settings.most_bytes {
            return Err(Gap::NoRoom);
        }
        kept.bytes = bytes;
        kept.hashes.insert(content.sha256.clone());
        Ok(true)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Copies what was hashed, and nothing else: the file may be changed meanwhile.
fn copy(file: &mut File, to: &Path, content: &Content) -> Finding<()> {
    let lost = |_: io::Error| Gap::Unreadable;
    file.seek(SeekFrom::Start(0)).map_err(lost)?;
    // Nobody shall run it by mistake.
    let mut copy = OpenOptions::new().write(true).create_new(true).mode(0o400).open(to).map_err(lost)?;
    let mut sha256 = Context::new(&SHA256);
    let mut left = content.size;
    let mut piece = vec![0; PIECE];
    while left > 0 {
        let most = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let length = match file.read(&mut piece[..most]) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return Err(Gap::Unreadable),
        };
        sha256.update(&piece[..length]);
        copy.write_all(&piece[..length]).map_err(lost)?;
        left -= length as u64;
    }
    if hexadecimal(sha256.finish().as_ref()) == content.sha256 { Ok(()) } else { Err(Gap::Replaced) }
}

fn is_hash(name: &str) -> bool {
    name.len() == DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        os::unix::fs::PermissionsExt as _,
        path::Path,
    };

    use super::{SampleError, SampleSettings, Samples};
    use crate::{
        event::{Content, Gap},
        examine::content,
    };

    fn settings(folder: &Path) -> SampleSettings {
        SampleSettings { folder: folder.join("samples"), most_files: 2, most_bytes: 100 }
    }

    fn file(folder: &Path, text: &str) -> (File, Content) {
        let path = folder.join("file");
        fs::write(&path, text).unwrap();
        let mut file = File::open(path).unwrap();
        let content = content::read(&mut file).unwrap();
        (file, content)
    }

    #[test]
    fn a_copy_bears_its_hash_and_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let samples = Samples::open(settings(folder.path())).unwrap();
        let (mut opened, content) = file(folder.path(), "#!/bin/sh\n");
        // What lies under the name by now is another one.
        fs::remove_file(folder.path().join("file")).unwrap();
        let path = samples.keep(&mut opened, &content).unwrap();
        assert!(path.ends_with(&content.sha256));
        assert_eq!(fs::read_to_string(&path).unwrap(), "#!/bin/sh\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o400);
        assert_eq!(samples.keep(&mut opened, &content), Ok(path));
        assert_eq!(fs::read_dir(folder.path().join("samples")).unwrap().count(), 1);
    }

    #[test]
    fn what_finds_no_room_is_not_kept_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let keep = |samples: &Samples, text: &str| {
            let (mut file, content) = file(folder.path(), text);
            samples.keep(&mut file, &content).map(drop)
        };
        let samples = Samples::open(settings(folder.path())).unwrap();
        assert_eq!(keep(&samples, "one"), Ok(()));
        assert_eq!(keep(&samples, &"x".repeat(98)), Err(Gap::NoRoom), "bytes");
        assert_eq!(keep(&samples, "two"), Ok(()));
        let left_over = folder.path().join("samples").join(format!(".{}", "a".repeat(64)));
        fs::write(&left_over, "half").unwrap();
        let again = Samples::open(settings(folder.path())).unwrap();
        assert_eq!(keep(&again, "three"), Err(Gap::NoRoom), "files");
        assert_eq!(keep(&again, "two"), Ok(()), "is there");
        assert!(!left_over.exists());
    }

    #[test]
    fn a_file_that_is_changed_meanwhile_is_not_kept_and_takes_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let samples = Samples::open(settings(folder.path())).unwrap();
        for _ in 0..3 {
            let (mut opened, content) = file(folder.path(), "before");
            fs::write(folder.path().join("file"), "behind").unwrap();
            assert_eq!(samples.keep(&mut opened, &content), Err(Gap::Replaced));
        }
        assert_eq!(fs::read_dir(folder.path().join("samples")).unwrap().count(), 0);
        let (mut opened, content) = file(folder.path(), "whole");
        assert!(samples.keep(&mut opened, &content).is_ok());
    }

    #[test]
    fn a_folder_that_others_may_change_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("samples");
        fs::create_dir(&own).unwrap();
        fs::set_permissions(&own, fs::Permissions::from_mode(0o777)).unwrap();
        let refused = Samples::open(settings(folder.path())).unwrap_err();
        assert!(matches!(refused, SampleError::Open { mode: 0o777, .. }), "{refused}");
        fs::remove_dir(&own).unwrap();
        fs::write(&own, "").unwrap();
        let refused = Samples::open(settings(folder.path())).unwrap_err();
        assert!(matches!(refused, SampleError::Folder { .. }), "{refused}");
    }
}

//! The folder of one agent's pins, and the lock on it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use super::{Generation, PinError, mount};

/// How often the folder may vanish under our hands.
const TRIES: usize = 8;

/// The folder, locked as long as this value lives; the kernel takes the lock off when the process ends, however it does.
#[derive(Debug)]
pub(in crate::kernel) struct PinFolder {
    path: PathBuf,
    /// The lock is on this descriptor.
    _lock: File,
}

impl PinFolder {
    /// Makes the folder where it is not there, and locks it.
    pub(in crate::kernel) fn open(path: &Path) -> Result<Self, PinError> {
        let failed = |what| move |source| PinError::Failed { what, path: path.to_owned(), source };
        let above = path.parent().filter(|above| !above.as_os_str().is_empty());
        let above = above.ok_or_else(|| failed("use the folder")(io::ErrorKind::InvalidInput.into()))?;
        for _ in 0..TRIES {
            mount::ensure_bpffs(above)?;
            match DirBuilder::new().mode(0o700).create(path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed("make the folder")(error)),
            }
            if let Some(folder) = Self::open_existing(path, true)? {
                return Ok(folder);
            }
        }
        Err(PinError::Vanishing { folder: path.to_owned() })
    }

    /// Locks the folder, which may have the lock of another process on it if `exclusive` is false; `None` when it is
    /// not there.
    pub(super) fn open_existing(path: &Path, exclusive: bool) -> Result<Option<Self>, PinError> {
        let failed = |what| move |source| PinError::Failed { what, path: path.to_owned(), source };
        let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        let opened = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("open the folder")(error)),
        };
        let folder = path.to_owned();
        if !mount::is_bpffs(path).map_err(failed("look at"))? {
            return Err(PinError::OtherFileSystem { folder });
        }
        let data = opened.metadata().map_err(failed("look at"))?;
        if data.uid() != nix::unistd::geteuid().as_raw() {
            return Err(PinError::Unsafe { folder, what: format!("belongs to the user {}", data.uid()) });
        }
        if data.mode() & (libc::S_IWGRP | libc::S_IWOTH) != 0 {
            return Err(PinError::Unsafe { folder, what: "can be written by others".to_owned() });
        }
        match opened.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) if !exclusive => {}
            Err(fs::TryLockError::WouldBlock) => return Err(PinError::InUse { folder }),
            Err(fs::TryLockError::Error(error)) => return Err(failed("lock the folder")(error)),
        }
        // Between opening and locking somebody else may have removed it, and made another one.
        let same =
            fs::symlink_metadata(path).is_ok_and(|now| now.ino() == data.ino() && now.dev() == data.dev());
        Ok(same.then_some(Self { path: folder, _lock: opened }))
    }

    /// The generations that are whole, oldest first. What an agent left half made when it was killed is removed.
    pub(in crate::kernel) fn generations(&self) -> Result<Vec<Generation>, PinError> {
        let mut whole = Vec::new();
        for number in self.numbers()? {
            let folder = self.path.join(number.to_string());
            match Generation::open(&folder)? {
                Some(generation) => whole.push(generation),
                None => drop(Generation::remove(&folder)?),
            }
        }
        Ok(whole)
    }

    /// A new generation, with nothing in it yet.
    pub(in crate::kernel) fn begin(&self) -> Result<Generation, PinError> {
        let next = self.numbers()?.last().map_or(1, |last| last + 1);
        Generation::make(&self.path.join(next.to_string()))
    }

    pub(in crate::kernel) fn path(&self) -> &Path {
        &self.path
    }

    /// Numbers of all generations, lowest first.
    pub(super) fn numbers(&self) -> Result<Vec<u64>, PinError> {
        let failed = |source| PinError::Failed { what: "list", path: self.path.clone(), source };
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let number = name.to_str().and_then(|name| name.parse().ok());
            numbers.push(number.ok_or_else(|| PinError::Foreign {
                folder: self.path.clone(),
                name: name.to_string_lossy().into_owned(),
            })?);
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

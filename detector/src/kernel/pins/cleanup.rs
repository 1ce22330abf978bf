//! `detector cleanup`: takes pinned hooks away.

use std::{fmt, fs, io, path::Path};

use super::{PinError, PinFolder, generation::Generation};

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Attached hooks.
    pub hooks: usize,
    /// Maps, with the journal.
    pub maps: usize,
    /// The folder itself; false when it was not there.
    pub folder: bool,
}

impl fmt::Display for Removed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} hooks and {} maps", self.hooks, self.maps)
    }
}

/// Removes the pins below this folder and the folder. Pins of an agent that runs are only removed by `force`: its hooks
/// then end with it, and not before.
pub fn cleanup(path: &Path, force: bool) -> Result<Removed, PinError> {
    let mut removed = Removed::default();
    let Some(folder) = PinFolder::open_existing(path, !force)? else { return Ok(removed) };
    for number in folder.numbers()? {
        let counts = Generation::remove(&folder.path().join(number.to_string()))?;
        removed.hooks += counts.hooks;
        removed.maps += counts.maps;
    }
    match fs::remove_dir(path) {
        Ok(()) => removed.folder = true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => {
            return Err(PinError::Failed { what: "remove the folder", path: path.to_owned(), source });
        }
    }
    Ok(removed)
}

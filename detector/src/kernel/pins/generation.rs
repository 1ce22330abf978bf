//! What one agent loaded: its maps, its journal and its hooks, by name.

use std::{
    collections::HashMap,
    fs::{self, DirBuilder},
    io,
    os::{fd::OwnedFd, unix::fs::DirBuilderExt as _},
    path::{Path, PathBuf},
};

use super::{PinError, Stamp};
use crate::kernel::bpf_call::{open_pinned, pin};

const STAMP: &str = "stamp";
const JOURNAL: &str = "journal";
const MAP: &str = "map_";
const PROGRAM: &str = "prog_";
const LINK: &str = "link_";

/// A generation.
#[derive(Clone, Debug)]
pub(in crate::kernel) struct Generation {
    folder: PathBuf,
    /// `None` until it is whole.
    stamp: Option<Stamp>,
}

/// How many of each were removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) hooks: usize,
    pub(super) maps: usize,
}

impl Generation {
    pub(super) fn make(folder: &Path) -> Result<Self, PinError> {
        DirBuilder::new().mode(0o700).create(folder).map_err(failed("make the folder", folder))?;
        Ok(Self { folder: folder.to_owned(), stamp: None })
    }

    /// `None` for one that is not whole.
    pub(super) fn open(folder: &Path) -> Result<Option<Self>, PinError> {
        let path = folder.join(STAMP);
        let map = match open_pinned(&path) {
            Ok(map) => map,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("open", &path)(error)),
        };
        let stamp = Stamp::from_map(&map).map_err(failed("read", &path))?;
        Ok(Some(Self { folder: folder.to_owned(), stamp: Some(stamp) }))
    }

    pub(in crate::kernel) const fn stamp(&self) -> Option<Stamp> {
        self.stamp
    }

    /// All maps of the object, by the names that these have here.
    pub(in crate::kernel) fn maps(&self) -> Result<HashMap<String, OwnedFd>, PinError> {
        let mut maps = HashMap::new();
        for name in names(&self.folder)? {
            if let Some(map) = name.strip_prefix(MAP) {
                maps.insert(map.to_owned(), self.get(&name)?);
            }
        }
        Ok(maps)
    }

    pub(in crate::kernel) fn add_map(&self, name: &str, map: &OwnedFd) -> Result<(), PinError> {
        self.add(&format!("{MAP}{}", pin_name(name)), map)
    }

    pub(in crate::kernel) fn journal(&self) -> Result<OwnedFd, PinError> {
        self.get(JOURNAL)
    }

    pub(in crate::kernel) fn add_journal(&self, map: &OwnedFd) -> Result<(), PinError> {
        self.add(JOURNAL, map)
    }

    /// Program and link of a hook; `None` for one that is not here.
    pub(in crate::kernel) fn hook(&self, name: &str) -> Result<Option<(OwnedFd, OwnedFd)>, PinError> {
        let link = self.folder.join(format!("{LINK}{name}"));
        match open_pinned(&link) {
            Ok(link) => Ok(Some((self.get(&format!("{PROGRAM}{name}"))?, link))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("open", &link)(error)),
        }
    }

    pub(in crate::kernel) fn add_hook(
        &self,
        name: &str,
        program: &OwnedFd,
        link: &OwnedFd,
    ) -> Result<(), PinError> {
        // Where an agent was killed between the two there is a program without a link.
        let stale = self.folder.join(format!("{PROGRAM}{name}"));
        if fs::symlink_metadata(&stale).is_ok() {
            fs::remove_file(&stale).map_err(failed("remove", &stale))?;
        }
        self.add(&format!("{PROGRAM}{name}"), program)?;
        self.add(&format!("{LINK}{name}"), link)
    }

    /// Detaches the hooks that are not among these.
    pub(in crate::kernel) fn retain_hooks(&self, wanted: &[&str]) -> Result<(), PinError> {
        for name in names(&self.folder)? {
            let hook = name.strip_prefix(LINK).or_else(|| name.strip_prefix(PROGRAM));
            if hook.is_some_and(|hook| !wanted.contains(&hook)) {
                let path = self.folder.join(&name);
                fs::remove_file(&path).map_err(failed("remove", &path))?;
            }
        }
        Ok(())
    }

    /// Everything is in it.
    pub(in crate::kernel) fn complete(&mut self, stamp: Stamp) -> Result<(), PinError> {
        let path = self.folder.join(STAMP);
        let map = stamp.to_map().map_err(failed("make the map for", &path))?;
        self.add(STAMP, &map)?;
        self.stamp = Some(stamp);
        Ok(())
    }

    /// Takes all of it away. What nobody has open any more ends with it.
    pub(super) fn remove(folder: &Path) -> Result<Counts, PinError> {
        let mut counts = Counts::default();
        let mut all = names(folder)?;
        // The stamp goes first: what is left when we are killed here is not whole any more.
        all.sort_by_key(|name| name != STAMP);
        for name in all {
            let path = folder.join(&name);
            if name.starts_with(LINK) {
                counts.hooks += 1;
            } else if name == JOURNAL || name.starts_with(MAP) {
                counts.maps += 1;
            } else if name != STAMP && !name.starts_with(PROGRAM) {
                return Err(PinError::Foreign { folder: folder.to_owned(), name });
            }
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
        fs::remove_dir(folder).map_err(failed("remove the folder", folder))?;
        Ok(counts)
    }

    /// The same, for one that was replaced.
    pub(in crate::kernel) fn end(self) -> Result<(), PinError> {
        Self::remove(&self.folder).map(drop)
    }

    fn get(&self, name: &str) -> Result<OwnedFd, PinError> {
        let path = self.folder.join(name);
        open_pinned(&path).map_err(failed("open", &path))
    }

    fn add(&self, name: &str, object: &OwnedFd) -> Result<(), PinError> {
        let path = self.folder.join(name);
        pin(object, &path).map_err(failed("pin", &path))
    }
}

/// What the map has for a name there: a bpffs takes no dots.
pub(in crate::kernel) fn pin_name(map: &str) -> String {
    map.replace('.', "_")
}

fn names(folder: &Path) -> Result<Vec<String>, PinError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed("list", folder))? {
        let name = entry.map_err(failed("list", folder))?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    Ok(names)
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PinError + use<> {
    let path = path.to_owned();
    move |source| PinError::Failed { what, path, source }
}

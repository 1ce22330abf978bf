//! How enrichment works: where it looks, how long an event waits, how many can wait.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::enrich::{DiskPlaces, EngineSockets};

/// How enrichment works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrichConfig {
    /// How long an event waits for what is not known at once.
    pub wait: Duration,
    /// Events that can wait at the same time; more go on unenriched.
    pub room: usize,
    /// Where the host's root file system is seen: `/` unless the agent is a container itself.
    pub host_root: PathBuf,
    /// Where engines keep their files.
    pub disk: DiskPlaces,
    /// Where engines listen.
    pub sockets: EngineSockets,
}

impl EnrichConfig {
    /// The usual values for a host whose root is seen at `host_root`.
    #[must_use]
    pub fn below(host_root: &Path) -> Self {
        Self {
            wait: Duration::from_millis(500),
            room: 1024,
            host_root: host_root.to_path_buf(),
            disk: DiskPlaces::below(host_root),
            sockets: EngineSockets::below(host_root),
        }
    }
}

//! What became of the events that came by, for the log, `/metrics` and tests.

use std::collections::BTreeMap;

/// What happened since the start, each a number of times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnrichStats {
    /// Events of containers with all their metadata.
    pub complete: u64,
    /// Events of containers without, by the word that `drop.metadata` has for the reason.
    pub partial: BTreeMap<&'static str, u64>,
    /// Events that had to wait.
    pub held: u64,
    /// Events of containers that engines told.
    pub engine_events: u64,
    /// What went wrong on the way, by name, also what never did: `engine_silent`, `labels_cut`, ...
    pub troubles: BTreeMap<&'static str, u64>,
}

//! What is the same for all events of a host, and where an event stands in their stream.

use std::sync::{Arc, LazyLock};

/// The host that an event happened on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Its name, as alerts show it.
    pub hostname: String,
}

impl HostFacts {
    /// A host that nobody has told about, shared.
    #[must_use]
    pub fn unknown() -> Arc<Self> {
        static UNKNOWN: LazyLock<Arc<HostFacts>> = LazyLock::new(Arc::default);
        Arc::clone(&UNKNOWN)
    }
}

/// Times of other events, for the fields that count from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Time of the first event, nanoseconds since the epoch.
    pub first_ns: u64,
    /// Time of the event before; the event's own time when it is the first.
    pub previous_ns: u64,
}

impl Stream {
    /// The place of an event behind the events that `self` is the place of the last of.
    #[must_use]
    pub const fn next(self, last_ns: u64) -> Self {
        Self { first_ns: self.first_ns, previous_ns: last_ns }
    }
}

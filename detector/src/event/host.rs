//! What is the same for all events of a host, and where an event stands in their stream.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

/// The host that an event happened on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Its name, as alerts show it.
    pub hostname: String,
    /// What the configuration says about it (`static_fields`).
    pub static_fields: BTreeMap<String, String>,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// Time of the first event, nanoseconds since the epoch.
    pub first_ns: u64,
    /// Time of the event before; the event's own time when it is the first.
    pub previous_ns: u64,
}

/// Follows the events of a run to tell each its place.
#[derive(Clone, Copy, Debug, Default)]
pub struct StreamPosition(Option<Stream>);

impl StreamPosition {
    /// The place of the next event, which happened at this time.
    pub fn advance(&mut self, time_ns: u64) -> Stream {
        let place = self.0.unwrap_or(Stream { first_ns: time_ns, previous_ns: time_ns });
        self.0 = Some(Stream { first_ns: place.first_ns, previous_ns: time_ns });
        place
    }
}

#[cfg(test)]
mod tests {
    use super::{Stream, StreamPosition};

    #[test]
    fn each_event_knows_the_first_and_the_one_before() {
        let mut position = StreamPosition::default();
        assert_eq!(position.advance(10), Stream { first_ns: 10, previous_ns: 10 });
        assert_eq!(position.advance(15), Stream { first_ns: 10, previous_ns: 10 });
        assert_eq!(position.advance(12), Stream { first_ns: 10, previous_ns: 15 });
    }
}

//! What enrichment knew about an event, as a recording keeps it.

use serde::{Deserialize, Serialize};

use crate::event::{Container, ExecEvent, Names, ProcessDetails};

/// The enriched parts of an event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Context {
    container: Container,
    names: Names,
    /// One for each ancestor.
    ancestors: Vec<Option<ProcessDetails>>,
}

impl Context {
    /// Takes them out of an event.
    #[must_use]
    pub(super) fn of(event: &ExecEvent) -> Self {
        Self {
            container: event.container.clone(),
            names: event.names.clone(),
            ancestors: event.ancestors.iter().map(|ancestor| ancestor.details.clone()).collect(),
        }
    }

    /// Puts them into an event again.
    pub(super) fn apply(self, event: &mut ExecEvent) {
        event.container = self.container;
        event.names = self.names;
        for (ancestor, details) in event.ancestors.iter_mut().zip(self.ancestors) {
            ancestor.details = details;
        }
    }

    /// As bytes.
    #[must_use]
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // Maps have text keys only, so there is nothing that JSON could not say.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// From bytes; `None` when there are none, or they are no context.
    #[must_use]
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Context;
    use crate::event::example;

    #[test]
    fn an_event_gets_back_what_was_recorded() {
        let event = example::exec();
        let bytes = Context::of(&event).to_bytes();
        let mut bare = event.clone();
        Context::default().apply(&mut bare);
        assert_ne!(bare, event);
        Context::from_bytes(&bytes).unwrap().apply(&mut bare);
        assert_eq!(bare, event);
    }

    #[test]
    fn what_is_no_context_is_none() {
        assert_eq!(Context::from_bytes(b""), None);
        assert_eq!(Context::from_bytes(b"{}"), None);
    }
}

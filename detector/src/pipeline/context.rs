//! What enrichment knew about an event, as a recording keeps it.

use std::mem;

use memchr::arch::all::is_equal;
use serde::{Deserialize, Serialize};

use crate::event::{Container, ContainerId, Examination, ExecEvent, Names, ProcessDetails, Whereabouts};

/// The enriched parts of an event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Context {
    container: Container,
    names: Names,
    /// One for each ancestor.
    ancestors: Vec<Option<ProcessDetails>>,
    #[serde(default)]
    examination: Option<Box<Examination>>,
    /// Where the writer of the file is, and in which container; `None` = nobody was seen.
    #[serde(default)]
    writer: Option<(Option<Whereabouts>, Option<ContainerId>)>,
}

impl Context {
    /// Takes them out of an event.
    #[must_use]
    pub(super) fn of(event: &ExecEvent) -> Self {
        Self {
            container: event.container.clone(),
            names: event.names.clone(),
            examination: event.examination.clone(),
            writer: event.dropper.as_deref().map(|dropper| (dropper.whereabouts, dropper.container.clone())),
            ancestors: event.ancestors.iter().map(|ancestor| ancestor.details.clone()).collect(),
        }
    }

    /// Exchanges them with those of an event: it is lent what was recorded, and gives it back the second time. Nothing
    /// is copied.
    pub(super) fn exchange(&mut self, event: &mut ExecEvent) {
        mem::swap(&mut self.container, &mut event.container);
        mem::swap(&mut self.names, &mut event.names);
        mem::swap(&mut self.examination, &mut event.examination);
        if let (Some(writer), Some(dropper)) = (&mut self.writer, event.dropper.as_deref_mut()) {
            mem::swap(&mut writer.0, &mut dropper.whereabouts);
            mem::swap(&mut writer.1, &mut dropper.container);
        }
        for (ancestor, details) in event.ancestors.iter_mut().zip(&mut self.ancestors) {
            mem::swap(&mut ancestor.details, details);
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

/// The contexts of a recording. Execs that follow each other mostly have the same, so the last one is kept.
#[derive(Default)]
pub(super) struct Contexts {
    bytes: Vec<u8>,
    context: Option<Context>,
}

impl Contexts {
    /// What these bytes say; `None` when there are none, or they are no context.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Option<&mut Context> {
        // Not `==`: the C library of the static agent compares byte by byte.
        if !is_equal(&self.bytes, bytes) {
            self.bytes.clear();
            self.bytes.extend_from_slice(bytes);
            self.context = Context::from_bytes(bytes);
        }
        self.context.as_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::{Context, Contexts};
    use crate::event::{ContainerId, Dropper, Whereabouts, example};

    #[test]
    fn an_event_gets_back_what_was_recorded() {
        let mut event = example::exec();
        event.dropper = Some(Box::new(Dropper {
            whereabouts: Some(Whereabouts::OtherContainer),
            container: Some(ContainerId::Host),
            ..Dropper::default()
        }));
        let bytes = Context::of(&event).to_bytes();
        let mut bare = event.clone();
        let ancestors = vec![None; bare.ancestors.len()];
        Context { ancestors, writer: Some((None, None)), ..Context::default() }.exchange(&mut bare);
        assert_ne!(bare, event);
        let nothing = bare.clone();
        let mut contexts = Contexts::default();
        for _ in 0..2 {
            // The second time from what is kept.
            contexts.read(&bytes).unwrap().exchange(&mut bare);
            assert_eq!(bare, event);
            contexts.read(&bytes).unwrap().exchange(&mut bare);
            assert_eq!(bare, nothing);
        }
        assert!(contexts.read(b"").is_none());
    }

    #[test]
    fn what_is_no_context_is_none() {
        assert_eq!(Context::from_bytes(b""), None);
        assert_eq!(Context::from_bytes(b"{}"), None);
    }
}

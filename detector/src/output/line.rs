//! What outputs carry.

use std::{any::Any, sync::Arc};

/// An alert as bytes: one line of text or one JSON object, and where an output wants it the same as a request of OTLP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// With the newline, so that a whole line is one write.
    bytes: Vec<u8>,
    priority: u8,
    is_json: bool,
    otlp: Option<Vec<u8>>,
    companion: Companion,
}

/// Something that lives as long as the line is on its way; says nothing about what the line is.
#[derive(Clone, Debug, Default)]
struct Companion(Option<Arc<dyn Any + Send + Sync>>);

impl PartialEq for Companion {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Companion {}

impl Line {
    /// A line without its newline, its priority (0 = emergency to 7 = debug, more is taken as 7), and whether it is
    /// a JSON object.
    #[must_use]
    pub fn new(text: impl Into<Vec<u8>>, priority: u8, is_json: bool) -> Self {
        let mut bytes = text.into();
        bytes.push(b'\n');
        Self { bytes, priority: priority.min(7), is_json, otlp: None, companion: Companion::default() }
    }

    /// The same with a request of OTLP for the output of that name.
    #[must_use]
    pub fn with_otlp(self, request: Option<Vec<u8>>) -> Self {
        Self { otlp: request, ..self }
    }

    /// What the output `otlp` sends, as a line of its own.
    pub(super) fn as_otlp(&self) -> Option<Self> {
        let line = Self::new(self.otlp.clone()?, self.priority, false);
        Some(Self { companion: self.companion.clone(), ..line })
    }

    /// The same line; `companion` is dropped when no output has to do with it any more.
    #[must_use]
    pub fn with(self, companion: Arc<dyn Any + Send + Sync>) -> Self {
        Self { companion: Companion(Some(companion)), ..self }
    }

    /// The agent ends with this line undelivered: its companion is not told that it is done with.
    pub(super) fn give_up(&self) {
        std::mem::forget(self.companion.0.clone());
    }

    /// The bytes, without a newline.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.bytes.len() - 1]
    }

    /// The bytes and a newline.
    #[must_use]
    pub fn with_newline(&self) -> &[u8] {
        &self.bytes
    }

    /// 0 = emergency to 7 = debug, which are syslog's numbers.
    #[must_use]
    pub const fn priority(&self) -> u8 {
        self.priority
    }

    /// The line is a JSON object, and not text.
    #[must_use]
    pub const fn is_json(&self) -> bool {
        self.is_json
    }
}

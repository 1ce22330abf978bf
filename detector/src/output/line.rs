//! What outputs carry.

/// An alert as bytes: one line of text or one JSON object, and where an output wants it the same as a request of OTLP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// With the newline, so that a whole line is one write.
    bytes: Vec<u8>,
    priority: u8,
    is_json: bool,
    otlp: Option<Vec<u8>>,
}

impl Line {
    /// A line without its newline, its priority (0 = emergency to 7 = debug, more is taken as 7), and whether it is
    /// a JSON object.
    #[must_use]
    pub fn new(text: impl Into<Vec<u8>>, priority: u8, is_json: bool) -> Self {
        let mut bytes = text.into();
        bytes.push(b'\n');
        Self { bytes, priority: priority.min(7), is_json, otlp: None }
    }

    /// The same with a request of OTLP for the output of that name.
    #[must_use]
    pub fn with_otlp(self, request: Option<Vec<u8>>) -> Self {
        Self { otlp: request, ..self }
    }

    /// What the output `otlp` sends, as a line of its own.
    pub(super) fn as_otlp(&self) -> Option<Self> {
        Some(Self::new(self.otlp.clone()?, self.priority, false))
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

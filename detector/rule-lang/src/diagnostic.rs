//! What is wrong with a condition, a list item or an output template, and where: values, not text on a terminal. Who
//! read the file knows its name and lines and draws the picture.

use std::fmt;

/// Which text a [`Span`] is about. The caller numbers its texts (a rule's condition, a macro's, a list item) when it
/// parses them, and finds them again by this number when an error inside an expanded macro has to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SourceId(pub u32);

/// A range of bytes in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// The text.
    pub source: SourceId,
    /// First byte.
    pub start: usize,
    /// The byte after the last one. Equal to `start` where something is missing.
    pub end: usize,
}

impl Span {
    /// From the start of `self` to the end of `other`, when both are of one text; otherwise `self`.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        if self.source == other.source { Self { end: other.end.max(self.end), ..self } } else { self }
    }
}

/// What sort of mistake it is: lets the caller choose a result code, a warning instead of an error, a skipped rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The text does not follow the grammar.
    Syntax,
    /// Nested deeper, or expanded larger, than the bounds in [`crate::limits`].
    TooLarge,
    /// A macro that nobody defined.
    UnknownMacro,
    /// A macro that contains itself.
    RecursiveMacro,
    /// A list where one value stands, or a list that contains itself.
    List,
    /// A field that the catalog does not have.
    UnknownField,
    /// A value that names something of the caller's, like an event type, that does not exist. Callers report it.
    UnknownValue,
    /// The field exists, its argument in brackets is wrong or missing.
    BadArgument,
    /// Field, operator, transformer and value do not go together.
    Type,
    /// The value is not one of this field's type, or no valid pattern.
    Literal,
    /// The condition works, but hardly as meant. Only in warnings.
    Suspicious,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What sort of mistake.
    pub kind: Kind,
    /// Where.
    pub span: Span,
    /// What is wrong: a lowercase fragment without a full stop.
    pub message: String,
    /// What to write beside the marker, shorter than the message. May be empty.
    pub label: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A mistake without a hint.
    pub(crate) fn new(kind: Kind, span: Span, message: impl Into<String>, label: impl Into<String>) -> Self {
        Self { kind, span, message: message.into(), label: label.into(), hint: None }
    }

    /// Adds what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a hint if there is one.
    pub(crate) fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

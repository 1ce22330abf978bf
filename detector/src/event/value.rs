//! The value of a field: what rules compare and what alerts show.

use std::borrow::Cow;

/// A field's value. A field without a value is `Option::None`, which is not the empty text.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Text: bytes, as the kernel knows no encoding.
    Text(Cow<'a, [u8]>),
    /// A number that can be negative (ids).
    Signed(i64),
    /// A number that cannot.
    Unsigned(u64),
    /// A truth value.
    Bool(bool),
    /// A point in time with its text form: JSON shows nanoseconds since the epoch.
    Time {
        /// Nanoseconds since the epoch.
        ns: u64,
        /// The text form.
        text: Cow<'a, str>,
    },
}

impl<'a> Value<'a> {
    /// Text borrowed from an event.
    #[must_use]
    pub fn text(bytes: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self::Text(Cow::Borrowed(bytes.as_ref()))
    }

    /// Text made for this value.
    #[must_use]
    pub fn owned(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Text(Cow::Owned(bytes.into()))
    }

    /// The same value, borrowing from nothing.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Text(bytes) => Value::Text(Cow::Owned(bytes.into_owned())),
            Self::Signed(number) => Value::Signed(number),
            Self::Unsigned(number) => Value::Unsigned(number),
            Self::Bool(truth) => Value::Bool(truth),
            Self::Time { ns, text } => Value::Time { ns, text: Cow::Owned(text.into_owned()) },
        }
    }
}

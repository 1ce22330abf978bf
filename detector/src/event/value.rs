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
    /// A number that is written in upper-case hexadecimal digits (bits of flags and capabilities); text in JSON.
    Hex(u64),
    /// A number with a fraction.
    Double(f64),
    /// A truth value.
    Bool(bool),
    /// A time with its text form: JSON shows the number, which is nanoseconds since the epoch but for the fraction
    /// fields.
    Time {
        /// The number.
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

    /// What people read: numbers decimal, bits in hexadecimal digits, fractions with one digit.
    #[must_use]
    pub fn to_text(&self) -> Cow<'_, [u8]> {
        Cow::Owned(match self {
            Self::Text(bytes) => return Cow::Borrowed(bytes),
            Self::Time { text, .. } => return Cow::Borrowed(text.as_bytes()),
            Self::Bool(true) => return Cow::Borrowed(b"true"),
            Self::Bool(false) => return Cow::Borrowed(b"false"),
            Self::Signed(number) => number.to_string().into_bytes(),
            Self::Unsigned(number) => number.to_string().into_bytes(),
            Self::Hex(bits) => format!("{bits:X}").into_bytes(),
            Self::Double(number) => format!("{number:.1}").into_bytes(),
        })
    }

    /// The same value, borrowing from nothing.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Text(bytes) => Value::Text(Cow::Owned(bytes.into_owned())),
            Self::Signed(number) => Value::Signed(number),
            Self::Unsigned(number) => Value::Unsigned(number),
            Self::Hex(bits) => Value::Hex(bits),
            Self::Double(number) => Value::Double(number),
            Self::Bool(truth) => Value::Bool(truth),
            Self::Time { ns, text } => Value::Time { ns, text: Cow::Owned(text.into_owned()) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Value;

    #[test]
    fn each_kind_has_its_text() {
        let text = |value: Value<'_>| String::from_utf8(value.to_text().into_owned()).unwrap();
        assert_eq!(text(Value::text("x")), "x");
        assert_eq!(text(Value::Signed(-1)), "-1");
        assert_eq!(text(Value::Unsigned(u64::MAX)), "18446744073709551615");
        assert_eq!(text(Value::Hex(0xa804_25fb)), "A80425FB");
        assert_eq!(text(Value::Double(12.345)), "12.3");
        assert_eq!(text(Value::Bool(true)), "true");
        assert_eq!(text(Value::Time { ns: 5, text: "000000005".into() }), "000000005");
    }
}

//! Values of fields at evaluation, and where they come from.

use std::borrow::Cow;
use std::ops::ControlFlow;

/// One value of a field. `'e` is the event's lifetime: nothing is copied that the event has.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'e> {
    /// Of [`crate::Type::Text`] and [`crate::Type::Bytes`].
    Text(Cow<'e, [u8]>),
    /// Of [`crate::Type::Signed`].
    Signed(i64),
    /// Of [`crate::Type::Unsigned`].
    Unsigned(u64),
    /// Of [`crate::Type::Float`].
    Float(f64),
    /// Of [`crate::Type::Bool`].
    Bool(bool),
}

impl<'e> Value<'e> {
    /// A text that the event has.
    #[must_use]
    pub fn text(bytes: &'e (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self::Text(Cow::Borrowed(bytes.as_ref()))
    }

    /// A text made for this question.
    #[must_use]
    pub fn owned_text(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Text(Cow::Owned(bytes.into()))
    }

    /// The bytes of a text.
    #[must_use]
    pub fn as_text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// An event that answers what its fields are. A value must be of the type that the catalog gave for the field; one of
/// another type makes the check false.
pub trait FieldSource<'e, F> {
    /// The value of a field of [`crate::Shape::One`]. `None`: the field has no value.
    fn value(&mut self, field: &F) -> Option<Value<'e>>;

    /// The values of a field of another shape, until `visit` breaks. Returns whether the field has a value at all: an
    /// empty list is one, an unknown list is none.
    fn values(&mut self, field: &F, visit: &mut dyn FnMut(Value<'e>) -> ControlFlow<()>) -> bool {
        match self.value(field) {
            None => false,
            Some(value) => {
                // One value: there is nothing left to stop.
                let _ = visit(value);
                true
            }
        }
    }
}

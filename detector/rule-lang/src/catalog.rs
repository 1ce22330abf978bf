//! What a caller tells about its fields. This crate knows no field by name.

/// The type of a field's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// Bytes that are usually text; compared byte by byte.
    Text,
    /// A buffer; knows `bcontains` and `bstartswith` besides equality and substrings.
    Bytes,
    /// 64-bit signed integer.
    Signed,
    /// 64-bit unsigned integer; also times and durations.
    Unsigned,
    /// Floating point.
    Float,
    /// `true` or `false`.
    Bool,
}

impl Type {
    /// For messages: "a ...".
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Bytes => "byte buffer",
            Self::Signed => "signed number",
            Self::Unsigned => "unsigned number",
            Self::Float => "floating point number",
            Self::Bool => "bool",
        }
    }

    pub(crate) const fn is_number(self) -> bool {
        matches!(self, Self::Signed | Self::Unsigned | Self::Float)
    }
}

/// How many values a field gives for one event, and what comparing them means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// None or one.
    One,
    /// Several, and a comparison holds if it holds for any of them: an ancestor field without index.
    Any,
    /// A list: only `exists`, `in` (all items), `intersects` (any item), and the transformers of lists.
    List,
}

/// A field that the catalog resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldInfo<F> {
    /// The caller's own name for it, argument included; handed back when a value is needed.
    pub field: F,
    /// Of each value.
    pub ty: Type,
    /// How many values.
    pub shape: Shape,
    /// Whether transformers may be applied to it.
    pub transformable: bool,
    /// Whether it may stand on the right side, inside `val()` or a transformer.
    pub right_side: bool,
}

impl<F> FieldInfo<F> {
    /// A field of one value that can be used everywhere.
    pub const fn new(field: F, ty: Type) -> Self {
        Self { field, ty, shape: Shape::One, transformable: true, right_side: true }
    }
}

/// Why a field cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldError {
    /// No such field; [`FieldCatalog::suggestion`] may know what was meant.
    Unknown,
    /// The field exists; its argument is wrong, or missing, or it takes none.
    BadArgument {
        /// A lowercase fragment.
        why: String,
    },
    /// The field is of events that the caller never has: it has no value, which makes its checks false. Not an error;
    /// [`crate::Program::other_event_fields`] names it.
    OtherEvent,
}

/// The fields of the caller.
pub trait FieldCatalog {
    /// What identifies a field (with its argument) to the caller.
    type Field: Clone;

    /// Looks a field up. `argument` is what stood in brackets, unescaped.
    fn resolve(&self, name: &str, argument: Option<&str>) -> Result<FieldInfo<Self::Field>, FieldError>;

    /// The field that someone who wrote this unknown name probably meant; see [`crate::did_you_mean`]. Asked for
    /// messages alone: looking for it takes far longer than [`Self::resolve`], which meets every text with a dot in it.
    fn suggestion(&self, name: &str) -> Option<String>;
}

impl<C: FieldCatalog + ?Sized> FieldCatalog for &C {
    type Field = C::Field;

    fn resolve(&self, name: &str, argument: Option<&str>) -> Result<FieldInfo<Self::Field>, FieldError> {
        (**self).resolve(name, argument)
    }

    fn suggestion(&self, name: &str) -> Option<String> {
        (**self).suggestion(name)
    }
}

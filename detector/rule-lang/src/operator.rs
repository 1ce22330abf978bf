//! The words of the language: operators, modifiers, transformers, and how each is written.

use std::fmt;

/// What stands between the two sides of a check. `exists` is not here: it has no right side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is named as it is written; reference.md says what it means")]
pub enum Operator {
    /// `=`, also written `==`.
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    Contains,
    Icontains,
    StartsWith,
    EndsWith,
    Bcontains,
    BstartsWith,
    Glob,
    Iglob,
    Regex,
    In,
    Intersects,
    Pmatch,
}

/// What may stand on the right of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RightSide {
    Text,
    Number,
    List,
}

impl Operator {
    /// All of them, in the order of the reference.
    pub const ALL: [Self; 18] = [
        Self::Equal,
        Self::NotEqual,
        Self::Less,
        Self::LessOrEqual,
        Self::Greater,
        Self::GreaterOrEqual,
        Self::Contains,
        Self::Icontains,
        Self::StartsWith,
        Self::EndsWith,
        Self::Bcontains,
        Self::BstartsWith,
        Self::Glob,
        Self::Iglob,
        Self::Regex,
        Self::In,
        Self::Intersects,
        Self::Pmatch,
    ];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Contains => "contains",
            Self::Icontains => "icontains",
            Self::StartsWith => "startswith",
            Self::EndsWith => "endswith",
            Self::Bcontains => "bcontains",
            Self::BstartsWith => "bstartswith",
            Self::Glob => "glob",
            Self::Iglob => "iglob",
            Self::Regex => "regex",
            Self::In => "in",
            Self::Intersects => "intersects",
            Self::Pmatch => "pmatch",
        }
    }

    /// The operator that is written as this word (not the symbols).
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.as_str() == word && word.as_bytes()[0].is_ascii_alphabetic())
    }

    pub(crate) const fn right_side(self) -> RightSide {
        match self {
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => RightSide::Number,
            Self::In | Self::Intersects | Self::Pmatch => RightSide::List,
            _ => RightSide::Text,
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How many elements of the list on the right must match a string operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Modifier {
    /// Exactly one.
    OneOf,
    /// At least one.
    AnyOf,
    /// All, and there is at least one.
    AllOf,
}

impl Modifier {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::OneOf, Self::AnyOf, Self::AllOf];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OneOf => "oneof",
            Self::AnyOf => "anyof",
            Self::AllOf => "allof",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.as_str() == word)
    }
}

impl fmt::Display for Modifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A function over values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transformer {
    /// ASCII letters to lower case.
    ToLower,
    /// ASCII letters to upper case.
    ToUpper,
    /// Decodes base64; no value if the text is none.
    Base64,
    /// What follows the last `/`.
    Basename,
    /// Bytes of a text, items of a list.
    Len,
    /// The value itself; marks a field on the right side.
    Val,
    /// The arguments one after the other.
    Concat,
    /// The items of a list with a separator between them.
    Join,
    /// The argument of an option in a list of arguments.
    Getopt,
}

impl Transformer {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::ToLower,
        Self::ToUpper,
        Self::Base64,
        Self::Basename,
        Self::Len,
        Self::Val,
        Self::Concat,
        Self::Join,
        Self::Getopt,
    ];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ToLower => "tolower",
            Self::ToUpper => "toupper",
            Self::Base64 => "b64",
            Self::Basename => "basename",
            Self::Len => "len",
            Self::Val => "val",
            Self::Concat => "concat",
            Self::Join => "join",
            Self::Getopt => "getopt",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.as_str() == word)
    }

    /// Fewest and most arguments.
    pub(crate) const fn arity(self) -> (usize, usize) {
        match self {
            Self::Concat => (1, usize::MAX),
            Self::Join | Self::Getopt => (2, 2),
            _ => (1, 1),
        }
    }
}

impl fmt::Display for Transformer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

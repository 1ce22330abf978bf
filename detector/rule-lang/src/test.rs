//! The right half of a compiled check: what a value is tested for.

use std::cmp::Ordering;

use memchr::memmem::{self, Finder};
use regex::bytes::Regex;

use crate::constant::{Constant, Set};
use crate::glob::Glob;
use crate::input::Input;
use crate::operator::{Modifier, Operator};
use crate::path_prefix::PathPrefixes;
use crate::value::Value;

/// What the values on the left are tested for.
#[derive(Debug, Clone)]
pub enum Test<F> {
    /// There is a value.
    Exists,
    /// One comparison.
    One(Matcher),
    /// One comparison for each element of a list.
    Several {
        /// How many must hold.
        modifier: Modifier,
        /// The comparisons.
        matchers: Vec<Matcher>,
    },
    /// `in`: the value is in the set; of a list field, all its items are.
    In(Set),
    /// `intersects`: at least one value is in the set.
    Intersects(Set),
    /// `pmatch`.
    Paths(Box<PathPrefixes>),
    /// The right side depends on the event.
    Against {
        /// Any but `regex`.
        operator: Operator,
        /// The right side.
        right: Input<F>,
    },
}

/// One comparison with what is known when the rule is loaded.
#[derive(Debug, Clone)]
pub enum Matcher {
    /// Equality and order.
    Compare {
        /// One of `=`, `!=`, `<`, `<=`, `>`, `>=`.
        operator: Operator,
        /// Of the field's type.
        constant: Constant,
    },
    /// The bytes occur; also `bcontains`.
    Contains(Box<Finder<'static>>),
    /// The bytes occur, letters of ASCII in either case.
    Icontains(Box<[u8]>),
    /// The value starts with the bytes; also `bstartswith`.
    StartsWith(Box<[u8]>),
    /// The value ends with the bytes.
    EndsWith(Box<[u8]>),
    /// `glob` and `iglob`.
    Glob(Glob),
    /// All of the value.
    Regex(Regex),
}

impl<F> Test<F> {
    /// Whether one value passes. What needs the event ([`Test::Against`]) does not pass here.
    pub(crate) fn accepts(&self, value: &Value<'_>) -> bool {
        match self {
            Self::Exists => true,
            Self::One(matcher) => matcher.accepts(value),
            Self::Several { modifier, matchers } => several(*modifier, matchers, |m| m.accepts(value)),
            Self::In(set) | Self::Intersects(set) => set.contains(value),
            Self::Paths(paths) => value.as_text().is_some_and(|path| paths.covers(path)),
            Self::Against { .. } => false,
        }
    }
}

/// Whether as many of `all` hold as the modifier wants. An empty list never matches, as with the other list operators.
pub(crate) fn several<T>(modifier: Modifier, all: &[T], mut holds: impl FnMut(&T) -> bool) -> bool {
    match modifier {
        Modifier::AnyOf => all.iter().any(holds),
        Modifier::AllOf => !all.is_empty() && all.iter().all(holds),
        Modifier::OneOf => all.iter().filter(|one| holds(one)).take(2).count() == 1,
    }
}

impl Matcher {
    pub(crate) fn accepts(&self, value: &Value<'_>) -> bool {
        if let Self::Compare { operator, constant } = self {
            return order(value, constant).is_some_and(|ordering| ordered(*operator, ordering));
        }
        let Some(text) = value.as_text() else { return false };
        match self {
            Self::Compare { .. } => false,
            Self::Contains(finder) => finder.find(text).is_some(),
            Self::Icontains(wanted) => icontains(text, wanted),
            Self::StartsWith(start) => text.starts_with(start),
            Self::EndsWith(end) => text.ends_with(end),
            Self::Glob(glob) => glob.matches(text),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

fn order(value: &Value<'_>, constant: &Constant) -> Option<Ordering> {
    match (value, constant) {
        (Value::Text(a), Constant::Text(b)) => Some(a.as_ref().cmp(b)),
        (Value::Signed(a), Constant::Signed(b)) => Some(a.cmp(b)),
        (Value::Unsigned(a), Constant::Unsigned(b)) => Some(a.cmp(b)),
        (Value::Float(a), Constant::Float(b)) => a.partial_cmp(b),
        (Value::Bool(a), Constant::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Order of two values of an event; none between types.
fn order_of_values(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Signed(a), Value::Signed(b)) => Some(a.cmp(b)),
        (Value::Unsigned(a), Value::Unsigned(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

const fn ordered(operator: Operator, ordering: Ordering) -> bool {
    match operator {
        Operator::Equal => ordering.is_eq(),
        Operator::NotEqual => ordering.is_ne(),
        Operator::Less => ordering.is_lt(),
        Operator::LessOrEqual => ordering.is_le(),
        Operator::Greater => ordering.is_gt(),
        Operator::GreaterOrEqual => ordering.is_ge(),
        _ => false,
    }
}

/// A comparison of two values of the event.
pub(crate) fn compare(operator: Operator, left: &Value<'_>, right: &Value<'_>) -> bool {
    match operator {
        Operator::Equal
        | Operator::NotEqual
        | Operator::Less
        | Operator::LessOrEqual
        | Operator::Greater
        | Operator::GreaterOrEqual => order_of_values(left, right).is_some_and(|o| ordered(operator, o)),
        Operator::In | Operator::Intersects => order_of_values(left, right).is_some_and(Ordering::is_eq),
        _ => match (left.as_text(), right.as_text()) {
            (Some(left), Some(right)) => compare_texts(operator, left, right),
            _ => false,
        },
    }
}

fn compare_texts(operator: Operator, left: &[u8], right: &[u8]) -> bool {
    match operator {
        Operator::Contains | Operator::Bcontains => memmem::find(left, right).is_some(),
        Operator::Icontains => icontains(left, right),
        Operator::StartsWith | Operator::BstartsWith => left.starts_with(right),
        Operator::EndsWith => left.ends_with(right),
        Operator::Glob => Glob::new(right, false).matches(left),
        Operator::Iglob => Glob::new(right, true).matches(left),
        Operator::Pmatch => {
            let mut paths = PathPrefixes::default();
            paths.add(right);
            paths.covers(left)
        }
        _ => false,
    }
}

/// Substring with ASCII letters in either case, without memory.
fn icontains(text: &[u8], wanted: &[u8]) -> bool {
    let Some(&first) = wanted.first() else { return true };
    let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    memchr::memchr2_iter(lower, upper, text)
        .take_while(|at| text.len() - at >= wanted.len())
        .any(|at| text[at..at + wanted.len()].eq_ignore_ascii_case(wanted))
}

//! Values of the rule text, read as the type of the field they are compared with.

use std::collections::HashSet;
use std::fmt;

use foldhash::fast::FixedState;

use crate::catalog::Type;
use crate::value::Value;

/// A typed value of the rule.
#[derive(Debug, Clone, PartialEq)]
pub enum Constant {
    /// Text or bytes.
    Text(Box<[u8]>),
    /// For [`Type::Signed`].
    Signed(i64),
    /// For [`Type::Unsigned`].
    Unsigned(u64),
    /// For [`Type::Float`].
    Float(f64),
    /// For [`Type::Bool`].
    Bool(bool),
}

/// Why a text is no value of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoConstant {
    NotBool,
    NotNumber,
    NotWhole,
    OutOfRange,
}

impl fmt::Display for NoConstant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotBool => "neither `true` nor `false`",
            Self::NotNumber => "not a number",
            Self::NotWhole => "not a whole number",
            Self::OutOfRange => "out of range",
        })
    }
}

impl Constant {
    pub(crate) fn read(ty: Type, bytes: &[u8]) -> Result<Self, NoConstant> {
        match ty {
            Type::Text | Type::Bytes => Ok(Self::Text(bytes.into())),
            Type::Bool => match bytes {
                b"true" => Ok(Self::Bool(true)),
                b"false" => Ok(Self::Bool(false)),
                _ => Err(NoConstant::NotBool),
            },
            Type::Float => match whole(bytes) {
                #[expect(clippy::cast_precision_loss, reason = "a float field is compared with a float")]
                Ok(number) => Ok(Self::Float(number as f64)),
                Err(_) => float(bytes).map(Self::Float),
            },
            Type::Signed => whole(bytes)?.try_into().map(Self::Signed).map_err(|_| NoConstant::OutOfRange),
            Type::Unsigned => {
                whole(bytes)?.try_into().map(Self::Unsigned).map_err(|_| NoConstant::OutOfRange)
            }
        }
    }

    /// The same as a value of an event.
    #[must_use]
    pub fn to_value<'e>(&self) -> Value<'e> {
        match self {
            Self::Text(bytes) => Value::owned_text(bytes.to_vec()),
            Self::Signed(n) => Value::Signed(*n),
            Self::Unsigned(n) => Value::Unsigned(*n),
            Self::Float(n) => Value::Float(*n),
            Self::Bool(b) => Value::Bool(*b),
        }
    }
}

fn float(bytes: &[u8]) -> Result<f64, NoConstant> {
    if !crate::token::is_number(bytes) {
        return Err(NoConstant::NotNumber);
    }
    std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).ok_or(NoConstant::NotNumber)
}

/// Decimal with optional sign, or hexadecimal after `0x`.
fn whole(bytes: &[u8]) -> Result<i128, NoConstant> {
    if !crate::token::is_number(bytes) {
        return Err(NoConstant::NotNumber);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| NoConstant::NotNumber)?;
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    let sign_apart = digits.trim_start_matches(['+', '-']);
    if !sign_apart.bytes().all(|b| b.is_ascii_hexdigit() && (radix == 16 || b.is_ascii_digit())) {
        return Err(NoConstant::NotWhole);
    }
    i128::from_str_radix(digits, radix).map_err(|_| NoConstant::OutOfRange)
}

/// The values of a list on the right side.
#[derive(Debug, Clone)]
pub enum Set {
    /// Text or bytes, hashed.
    Text(HashSet<Box<[u8]>, FixedState>),
    /// For [`Type::Signed`].
    Signed(HashSet<i64, FixedState>),
    /// For [`Type::Unsigned`].
    Unsigned(HashSet<u64, FixedState>),
    /// For [`Type::Float`].
    Float(Vec<f64>),
    /// For [`Type::Bool`].
    Bool {
        /// Whether `true` is in it.
        has_true: bool,
        /// Whether `false` is in it.
        has_false: bool,
    },
}

impl Set {
    pub(crate) fn new(ty: Type) -> Self {
        match ty {
            Type::Text | Type::Bytes => Self::Text(HashSet::default()),
            Type::Signed => Self::Signed(HashSet::default()),
            Type::Unsigned => Self::Unsigned(HashSet::default()),
            Type::Float => Self::Float(Vec::new()),
            Type::Bool => Self::Bool { has_true: false, has_false: false },
        }
    }

    /// Adds a value of the set's type; others cannot be in it.
    pub(crate) fn add(&mut self, constant: Constant) {
        match (self, constant) {
            (Self::Text(set), Constant::Text(bytes)) => {
                set.insert(bytes);
            }
            (Self::Signed(set), Constant::Signed(n)) => {
                set.insert(n);
            }
            (Self::Unsigned(set), Constant::Unsigned(n)) => {
                set.insert(n);
            }
            (Self::Float(all), Constant::Float(n)) => all.push(n),
            (Self::Bool { has_true, has_false }, Constant::Bool(b)) => {
                *(if b { has_true } else { has_false }) = true;
            }
            _ => {}
        }
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text(set) => set.is_empty(),
            Self::Signed(set) => set.is_empty(),
            Self::Unsigned(set) => set.is_empty(),
            Self::Float(all) => all.is_empty(),
            Self::Bool { has_true, has_false } => !has_true && !has_false,
        }
    }

    /// Whether a value is in it.
    #[must_use]
    pub fn contains(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Text(set), Value::Text(bytes)) => set.contains(bytes.as_ref()),
            (Self::Signed(set), Value::Signed(n)) => set.contains(n),
            (Self::Unsigned(set), Value::Unsigned(n)) => set.contains(n),
            #[expect(clippy::float_cmp, reason = "equality of floats is what the rule asks for")]
            (Self::Float(all), Value::Float(n)) => all.iter().any(|one| one == n),
            (Self::Bool { has_true, has_false }, Value::Bool(b)) => *(if *b { has_true } else { has_false }),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Constant, NoConstant};
    use crate::catalog::Type;

    #[test]
    fn numbers_by_type() {
        let read = |ty, text: &str| Constant::read(ty, text.as_bytes());
        assert_eq!(read(Type::Unsigned, "18446744073709551615"), Ok(Constant::Unsigned(u64::MAX)));
        assert_eq!(read(Type::Unsigned, "18446744073709551616"), Err(NoConstant::OutOfRange));
        assert_eq!(read(Type::Unsigned, &"9".repeat(100)), Err(NoConstant::OutOfRange));
        assert_eq!(read(Type::Unsigned, "-1"), Err(NoConstant::OutOfRange));
        assert_eq!(read(Type::Unsigned, "0xfF"), Ok(Constant::Unsigned(255)));
        assert_eq!(read(Type::Unsigned, "0x"), Err(NoConstant::NotNumber));
        assert_eq!(read(Type::Unsigned, "1.5"), Err(NoConstant::NotWhole));
        assert_eq!(read(Type::Unsigned, "1e+3"), Err(NoConstant::NotWhole));
        assert_eq!(read(Type::Signed, "-9223372036854775808"), Ok(Constant::Signed(i64::MIN)));
        assert_eq!(read(Type::Signed, "9223372036854775808"), Err(NoConstant::OutOfRange));
        assert_eq!(read(Type::Signed, "+7"), Ok(Constant::Signed(7)));
        assert_eq!(read(Type::Signed, ""), Err(NoConstant::NotNumber));
        assert_eq!(read(Type::Float, "1.5"), Ok(Constant::Float(1.5)));
        assert_eq!(read(Type::Float, "2"), Ok(Constant::Float(2.0)));
        assert_eq!(read(Type::Float, "nan"), Err(NoConstant::NotNumber));
        assert_eq!(read(Type::Bool, "true"), Ok(Constant::Bool(true)));
        assert_eq!(read(Type::Bool, "True"), Err(NoConstant::NotBool));
        assert_eq!(read(Type::Bool, "1"), Err(NoConstant::NotBool));
        assert_eq!(read(Type::Text, "1"), Ok(Constant::Text(b"1".as_slice().into())));
    }
}

//! A tree as text that parses back to the same tree.

use std::fmt::{self, Display, Formatter, Write as _};

use crate::syntax::{Check, Expr, ExprKind, FieldRef, List, Literal, Operand, Transform};
use crate::token::{is_bare_argument, is_bare_string};

impl Display for Expr {
    /// Recursion: one small frame for each level, `limits::NESTING` of them have to fit on a stack.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (items, word) = match &self.kind {
            ExprKind::And(items) => (items.as_slice(), " and "),
            ExprKind::Or(items) => (items.as_slice(), " or "),
            ExprKind::Not(inner) => (std::slice::from_ref(&**inner), "not "),
            ExprKind::Check(check) => return check.fmt(f),
            ExprKind::Exists(operand) => return exists(f, operand),
            ExprKind::Macro(name) => return f.write_str(name),
        };
        let not = matches!(self.kind, ExprKind::Not(_));
        for (i, item) in items.iter().enumerate() {
            if i > 0 || not {
                f.write_str(word)?;
            }
            let parentheses = match item.kind {
                ExprKind::And(_) => !matches!(self.kind, ExprKind::Or(_)),
                ExprKind::Or(_) => true,
                _ => false,
            };
            if parentheses {
                f.write_char('(')?;
            }
            item.fmt(f)?;
            if parentheses {
                f.write_char(')')?;
            }
        }
        Ok(())
    }
}

fn exists(f: &mut Formatter<'_>, operand: &Operand) -> fmt::Result {
    write!(f, "{operand} exists")
}

impl Display for Check {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.left, self.operator)?;
        if let Some(modifier) = self.modifier {
            write!(f, " {modifier}")?;
        }
        write!(f, " {}", self.right)
    }
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => field.fmt(f),
            Self::Literal(literal) => literal.fmt(f),
            Self::List(list) => list.fmt(f),
            Self::Transform(transform) => transform.fmt(f),
        }
    }
}

impl Display for FieldRef {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.argument {
            None => Ok(()),
            Some(argument) => bracketed(f, argument),
        }
    }
}

fn bracketed(f: &mut Formatter<'_>, argument: &str) -> fmt::Result {
    if is_bare_argument(argument.as_bytes()) {
        write!(f, "[{argument}]")
    } else {
        f.write_char('[')?;
        quoted(f, argument.as_bytes())?;
        f.write_char(']')
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(&self.bytes) {
            Ok(text) if self.bare && is_bare_string(&self.bytes) => f.write_str(text),
            _ => quoted(f, &self.bytes),
        }
    }
}

/// In double quotes, with the escapes of the grammar.
fn quoted(f: &mut Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    f.write_char('"')?;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\u{8}' => f.write_str("\\b")?,
                '\u{c}' => f.write_str("\\f")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if c.is_ascii_control() => write!(f, "\\x{:02x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        for byte in chunk.invalid() {
            write!(f, "\\x{byte:02x}")?;
        }
    }
    f.write_char('"')
}

impl Display for List {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('(')?;
        separated(f, &self.items)?;
        f.write_char(')')
    }
}

fn separated(f: &mut Formatter<'_>, items: &[Operand]) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

impl Display for Transform {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.function)?;
        separated(f, &self.arguments)?;
        f.write_char(')')?;
        match &self.index {
            None => Ok(()),
            Some(index) => bracketed(f, index),
        }
    }
}

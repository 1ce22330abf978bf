//! The tree of a condition as it was written: names are not resolved, values not typed, every part knows its place.

use crate::diagnostic::Span;
use crate::operator::{Modifier, Operator, Transformer};

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands, with its parentheses if it has any.
    pub span: Span,
}

/// What a condition is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExprKind {
    /// All hold. Two or more.
    And(Vec<Expr>),
    /// At least one holds. Two or more.
    Or(Vec<Expr>),
    /// Does not hold.
    Not(Box<Expr>),
    /// `left operator right`.
    Check(Box<Check>),
    /// `field exists`.
    Exists(Operand),
    /// A condition that has a name.
    Macro(String),
}

/// `left operator right`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// A field, or transformers over fields.
    pub left: Operand,
    /// The comparison.
    pub operator: Operator,
    /// With it, the right side is a list, and this many of its elements must match.
    pub modifier: Option<Modifier>,
    /// A literal, a list of literals, or a transformer. For an operator that wants a list also a bare literal: the
    /// list's name.
    pub right: Operand,
}

/// One side of a check, or an argument of a transformer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// A field of the event.
    Field(FieldRef),
    /// A value, or the name of a list.
    Literal(Literal),
    /// Values in parentheses.
    List(List),
    /// A function of other operands.
    Transform(Transform),
}

/// A field of the event: `proc.aname[2]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRef {
    /// `proc.aname`.
    pub name: String,
    /// What stands in the brackets, unescaped.
    pub argument: Option<String>,
    /// Name, brackets and argument.
    pub span: Span,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    /// Its bytes, unescaped. Not always UTF-8 (`"\xff"`), never with a NUL.
    pub bytes: Vec<u8>,
    /// Written without quotes: may be the name of a list.
    pub bare: bool,
    /// With its quotes.
    pub span: Span,
}

/// Values in parentheses: literals and lists in a check; any operand as a transformer's argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// In the order written.
    pub items: Vec<Operand>,
    /// With its parentheses.
    pub span: Span,
}

/// `function(arguments)`, for `getopt` followed by `[option]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transform {
    /// Which one.
    pub function: Transformer,
    /// As many as it takes.
    pub arguments: Vec<Operand>,
    /// What stands in brackets after the parentheses; `getopt` only.
    pub index: Option<String>,
    /// All of it.
    pub span: Span,
}

impl Operand {
    /// Where it stands.
    #[must_use]
    pub const fn span(&self) -> Span {
        match self {
            Self::Field(f) => f.span,
            Self::Literal(l) => l.span,
            Self::List(l) => l.span,
            Self::Transform(t) => t.span,
        }
    }

    /// Whether the value depends on the event.
    #[must_use]
    pub fn has_field(&self) -> bool {
        match self {
            Self::Field(_) => true,
            Self::Literal(_) => false,
            Self::List(l) => l.items.iter().any(Self::has_field),
            Self::Transform(t) => t.arguments.iter().any(Self::has_field),
        }
    }

    fn clear_spans(&mut self) {
        match self {
            Self::Field(f) => f.span = Span::default(),
            Self::Literal(l) => l.span = Span::default(),
            Self::List(l) => {
                l.span = Span::default();
                l.items.iter_mut().for_each(Self::clear_spans);
            }
            Self::Transform(t) => {
                t.span = Span::default();
                t.arguments.iter_mut().for_each(Self::clear_spans);
            }
        }
    }
}

impl Literal {
    /// The name of the list that this may stand for.
    #[must_use]
    pub fn list_name(&self) -> Option<&str> {
        if self.bare { std::str::from_utf8(&self.bytes).ok() } else { None }
    }
}

impl Expr {
    /// The same tree without places: two conditions mean the same text when these are equal.
    #[must_use]
    pub fn without_spans(mut self) -> Self {
        self.clear_spans();
        self
    }

    fn clear_spans(&mut self) {
        self.span = Span::default();
        match &mut self.kind {
            ExprKind::And(items) | ExprKind::Or(items) => {
                for item in items {
                    item.clear_spans();
                }
            }
            ExprKind::Not(inner) => inner.clear_spans(),
            ExprKind::Check(check) => {
                check.left.clear_spans();
                check.right.clear_spans();
            }
            ExprKind::Exists(operand) => operand.clear_spans(),
            ExprKind::Macro(_) => {}
        }
    }

    /// Visits every macro name, in order.
    pub fn for_each_macro<'a>(&'a self, visit: &mut impl FnMut(&'a str, Span)) {
        match &self.kind {
            ExprKind::And(items) | ExprKind::Or(items) => {
                for item in items {
                    item.for_each_macro(visit);
                }
            }
            ExprKind::Not(inner) => inner.for_each_macro(visit),
            ExprKind::Macro(name) => visit(name, self.span),
            ExprKind::Check(_) | ExprKind::Exists(_) => {}
        }
    }
}

//! From a tree without names of macros and lists to a program: fields resolved, values typed, patterns and sets
//! prepared. All mistakes in one go.

mod operand;
mod right_side;

use crate::catalog::{FieldCatalog, Shape};
use crate::diagnostic::{Diagnostic, Kind, Span};
use crate::input::Input;
use crate::limits;
use crate::operator::Operator;
use crate::program::{CompiledCheck, Node, Program};
use crate::syntax::{Check, Expr, ExprKind, Operand};
use crate::test::Test;

/// Compiles a condition ([`crate::expand`] it first).
pub fn compile<C: FieldCatalog>(expr: &Expr, catalog: &C) -> Result<Program<C::Field>, Vec<Diagnostic>> {
    let mut compiler = Compiler::new(catalog);
    let root = compiler.node(expr);
    if compiler.errors.is_empty() {
        Ok(Program { root, warnings: compiler.warnings, other_event_fields: compiler.other_event_fields })
    } else {
        Err(compiler.errors)
    }
}

/// Why an operand could not be compiled.
pub(crate) enum Failure {
    /// A mistake, already reported.
    Reported,
    /// The field has no value in the caller's events, already noted.
    OtherEvent,
}

/// Which side of the operator an operand is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// The two sides of a check.
struct Halves<F> {
    left: Input<F>,
    test: Test<F>,
}

pub(crate) struct Compiler<'c, C> {
    catalog: &'c C,
    pub(crate) errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    other_event_fields: Vec<(String, Span)>,
}

impl<'c, C: FieldCatalog> Compiler<'c, C> {
    pub(crate) const fn new(catalog: &'c C) -> Self {
        Self { catalog, errors: Vec::new(), warnings: Vec::new(), other_event_fields: Vec::new() }
    }

    fn error(&mut self, error: Diagnostic) -> Failure {
        // A macro that is used twice has its mistakes twice.
        if self.errors.len() < limits::ERRORS && !self.errors.contains(&error) {
            self.errors.push(error);
        }
        Failure::Reported
    }

    fn warn(&mut self, warning: Diagnostic) {
        if self.warnings.len() < limits::ERRORS && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Recursion: keep the frame small, `limits::NESTING` of them have to fit on a stack.
    fn node(&mut self, expr: &Expr) -> Node<C::Field> {
        match &expr.kind {
            ExprKind::And(items) | ExprKind::Or(items) => {
                let mut nodes = Vec::with_capacity(items.len());
                for item in items {
                    nodes.push(self.node(item));
                }
                if matches!(expr.kind, ExprKind::And(_)) { Node::And(nodes) } else { Node::Or(nodes) }
            }
            ExprKind::Not(inner) => Node::Not(Box::new(self.node(inner))),
            ExprKind::Check(_) | ExprKind::Exists(_) | ExprKind::Macro(_) => self.leaf(expr),
        }
    }

    fn leaf(&mut self, expr: &Expr) -> Node<C::Field> {
        let compiled = match &expr.kind {
            ExprKind::Check(check) => self.check(check),
            ExprKind::Exists(operand) => {
                self.operand(operand, Side::Left).map(|left| Halves { left, test: Test::Exists })
            }
            ExprKind::Macro(name) => Err(self.error(Diagnostic::new(
                Kind::UnknownMacro,
                expr.span,
                format!("unknown macro `{name}`"),
                "not defined",
            ))),
            ExprKind::And(_) | ExprKind::Or(_) | ExprKind::Not(_) => Err(Failure::Reported),
        };
        let span = expr.span;
        let text = expr.to_string().into_boxed_str();
        match compiled {
            Ok(halves) => {
                Node::Check(Box::new(CompiledCheck { left: halves.left, test: halves.test, text, span }))
            }
            // After a reported mistake the program is never handed out.
            Err(Failure::OtherEvent | Failure::Reported) => Node::OtherEvent { text, span },
        }
    }

    fn check(&mut self, check: &Check) -> Result<Halves<C::Field>, Failure> {
        let left = self.operand(&check.left, Side::Left);
        // Also when the left side is wrong: the right side has mistakes of its own to report.
        let right = match &check.right {
            operand @ (Operand::Field(_) | Operand::Transform(_)) => Some(self.operand(operand, Side::Right)),
            Operand::Literal(_) | Operand::List(_) => None,
        };
        let left = left?;
        if left.shape() == Shape::List && !matches!(check.operator, Operator::In | Operator::Intersects) {
            return Err(self.error(
                Diagnostic::new(
                    Kind::Type,
                    check.left.span(),
                    format!("`{}` is a list and cannot be compared by `{}`", check.left, check.operator),
                    "a list",
                )
                .hint("a list knows `in`, `intersects`, `exists`, and the transformers `len()` and `join()`"),
            ));
        }
        let test = match right {
            Some(right) => self.against(check, &left, right?)?,
            None => self.constant_side(check, left.ty())?,
        };
        Ok(Halves { left, test })
    }
}

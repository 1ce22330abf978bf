//! Macros replaced by their conditions and list names by their items, on the tree.
//!
//! Falco replaces list names in the text before it parses. Here only bare values are names: the result is the same
//! wherever Falco's text still parses, and a list where one value stands is an error with a place.

use crate::diagnostic::{Diagnostic, Kind, Span};
use crate::limits;
use crate::operator::{Operator, RightSide};
use crate::suggest::did_you_mean;
use crate::syntax::{Check, Expr, ExprKind, List, Literal, Operand, Transform};

/// The macros and lists that a condition may name.
pub trait Names {
    /// The condition of a macro; it may name macros itself.
    fn macro_(&self, name: &str) -> Option<&Expr>;

    /// The items of a list ([`crate::parse_list_item`]); bare items may name other lists. An item that names a list
    /// which is being expanded already is a value, since Falco's lists see only earlier lists.
    fn list(&self, name: &str) -> Option<&[Operand]>;

    /// All macro names, for "did you mean".
    fn macro_names(&self) -> Vec<&str> {
        Vec::new()
    }
}

/// No macros, no lists.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn macro_(&self, _: &str) -> Option<&Expr> {
        None
    }

    fn list(&self, _: &str) -> Option<&[Operand]> {
        None
    }
}

/// The condition without names of macros and lists; lists are flat. Spans keep naming the text a part came from.
pub fn expand<N: Names + ?Sized>(expr: &Expr, names: &N) -> Result<Expr, Vec<Diagnostic>> {
    let mut state =
        Expander { names, errors: Vec::new(), macros: Vec::new(), lists: Vec::new(), nodes: 0, full: false };
    let expanded = state.expr(expr, 0);
    if state.errors.is_empty() { Ok(expanded) } else { Err(state.errors) }
}

struct Expander<'n, N: ?Sized> {
    names: &'n N,
    errors: Vec<Diagnostic>,
    /// Macros and lists that are being expanded, outermost first.
    macros: Vec<String>,
    lists: Vec<String>,
    nodes: usize,
    /// The bound was reported: only get out.
    full: bool,
}

impl<N: Names + ?Sized> Expander<'_, N> {
    fn report(&mut self, error: Diagnostic) {
        // A macro that is used twice has its mistakes twice.
        if self.errors.len() < limits::ERRORS && !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    fn count(&mut self, span: Span) -> bool {
        self.nodes += 1;
        if self.nodes > limits::EXPANDED_NODES && !self.full {
            self.full = true;
            self.report(Diagnostic::new(
                Kind::TooLarge,
                span,
                format!(
                    "the condition has more than {} parts once macros are expanded",
                    limits::EXPANDED_NODES
                ),
                "the limit is reached here",
            ));
        }
        !self.full
    }

    /// Recursion: keep the frame small, `limits::NESTING` of them have to fit on a stack.
    fn expr(&mut self, expr: &Expr, depth: usize) -> Expr {
        if !self.count(expr.span) || !self.shallow(expr.span, depth) {
            return Expr { kind: ExprKind::Macro(String::new()), span: expr.span };
        }
        let kind = match &expr.kind {
            ExprKind::And(items) | ExprKind::Or(items) => {
                let mut all = Vec::with_capacity(items.len());
                for item in items {
                    all.push(self.expr(item, depth + 1));
                }
                if matches!(expr.kind, ExprKind::And(_)) { ExprKind::And(all) } else { ExprKind::Or(all) }
            }
            ExprKind::Not(inner) => ExprKind::Not(Box::new(self.expr(inner, depth + 1))),
            ExprKind::Check(check) => self.check(check),
            ExprKind::Exists(operand) => ExprKind::Exists(self.operand(operand)),
            ExprKind::Macro(name) => return self.macro_(name, expr.span, depth),
        };
        Expr { kind, span: expr.span }
    }

    /// `and` in `or` in parentheses makes two levels of the tree of one level of the text.
    fn shallow(&mut self, span: Span, depth: usize) -> bool {
        let shallow = depth <= 2 * limits::NESTING + 2;
        if !shallow {
            self.report(Diagnostic::new(
                Kind::TooLarge,
                span,
                format!("nested deeper than {} levels once macros are expanded", limits::NESTING),
                "too deep here",
            ));
        }
        shallow
    }

    fn macro_(&mut self, name: &str, span: Span, depth: usize) -> Expr {
        let nothing = Expr { kind: ExprKind::Macro(name.to_owned()), span };
        if self.macros.iter().any(|open| open == name) {
            let path = self.macros.join("` -> `");
            self.report(Diagnostic::new(
                Kind::RecursiveMacro,
                span,
                format!("macro `{name}` contains itself: `{path}` -> `{name}`"),
                "leads back to itself",
            ));
            return nothing;
        }
        let names = self.names;
        let Some(body) = names.macro_(name) else {
            let close = did_you_mean(name, names.macro_names());
            self.report(
                Diagnostic::new(Kind::UnknownMacro, span, format!("unknown macro `{name}`"), "not defined")
                    .maybe_hint(close.map(|close| format!("did you mean `{close}`?"))),
            );
            return nothing;
        };
        if self.macros.len() >= limits::MACRO_NESTING {
            self.report(Diagnostic::new(
                Kind::TooLarge,
                span,
                format!("macros nested deeper than {} levels", limits::MACRO_NESTING),
                "too deep here",
            ));
            return nothing;
        }
        self.macros.push(name.to_owned());
        let expanded = self.expr(body, depth + 1);
        self.macros.pop();
        expanded
    }

    fn check(&mut self, check: &Check) -> ExprKind {
        let left = self.operand(&check.left);
        let list = check.modifier.is_some() || check.operator.right_side() == RightSide::List;
        let right = match &check.right {
            Operand::Literal(literal) if list => {
                let mut items = Vec::new();
                self.items(&check.right, &mut items);
                Operand::List(List { items, span: literal.span })
            }
            Operand::List(written) => {
                let mut items = Vec::new();
                for item in &written.items {
                    self.items(item, &mut items);
                }
                Operand::List(List { items, span: written.span })
            }
            Operand::Literal(literal) => self.single(literal, Some(check.operator)),
            other => self.operand(other),
        };
        ExprKind::Check(Box::new(Check { left, operator: check.operator, modifier: check.modifier, right }))
    }

    /// A literal where one value stands.
    fn single(&mut self, literal: &Literal, operator: Option<Operator>) -> Operand {
        let names = self.names;
        let Some(name) = literal.list_name().filter(|name| names.list(name).is_some()) else {
            return Operand::Literal(literal.clone());
        };
        let mut items = Vec::new();
        self.items(&Operand::Literal(literal.clone()), &mut items);
        if items.len() == 1 {
            return items.remove(0);
        }
        let error = Diagnostic::new(
            Kind::List,
            literal.span,
            format!("`{name}` is a list of {} items where one value stands", items.len()),
            "a list",
        );
        self.report(match operator {
            Some(Operator::Equal) => {
                error.hint("compare with a list by `in (...)`; quote the value if no list is meant")
            }
            _ => error.hint("quote the value if no list is meant"),
        });
        Operand::Literal(literal.clone())
    }

    /// All values that `item` stands for.
    fn items(&mut self, item: &Operand, all: &mut Vec<Operand>) {
        if !self.count(item.span()) {
            return;
        }
        match item {
            Operand::List(list) => {
                for item in &list.items {
                    self.items(item, all);
                }
            }
            Operand::Literal(literal) => {
                let names = self.names;
                let name = literal.list_name().filter(|name| !self.lists.iter().any(|open| open == name));
                match name.and_then(|name| Some((name, names.list(name)?))) {
                    None => all.push(item.clone()),
                    Some(_) if self.lists.len() >= limits::NESTING => {
                        let message = format!("lists of lists nested deeper than {} levels", limits::NESTING);
                        self.report(Diagnostic::new(Kind::TooLarge, literal.span, message, "too deep here"));
                    }
                    Some((name, items)) => {
                        self.lists.push(name.to_owned());
                        for item in items {
                            self.items(item, all);
                        }
                        self.lists.pop();
                    }
                }
            }
            Operand::Field(_) | Operand::Transform(_) => {
                let other = self.operand(item);
                all.push(other);
            }
        }
    }

    fn operand(&mut self, operand: &Operand) -> Operand {
        match operand {
            Operand::Field(_) => operand.clone(),
            Operand::Literal(literal) => self.single(literal, None),
            Operand::List(list) => {
                let mut items = Vec::new();
                for item in &list.items {
                    self.items(item, &mut items);
                }
                Operand::List(List { items, span: list.span })
            }
            Operand::Transform(t) => Operand::Transform(Transform {
                arguments: t.arguments.iter().map(|argument| self.operand(argument)).collect(),
                ..t.clone()
            }),
        }
    }
}

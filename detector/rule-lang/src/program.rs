//! A compiled condition: typed, resolved, ready to be asked about one event after the other.

use std::ops::ControlFlow;

use crate::catalog::{FieldInfo, Shape};
use crate::diagnostic::{Diagnostic, Span};
use crate::input::Input;
use crate::operator::Operator;
use crate::test::{Test, compare};
use crate::value::{FieldSource, Value};

/// A compiled condition.
#[derive(Debug, Clone)]
pub struct Program<F> {
    pub(crate) root: Node<F>,
    pub(crate) warnings: Vec<Diagnostic>,
    pub(crate) other_event_fields: Vec<(String, Span)>,
}

/// The tree of a compiled condition, for whoever computes something else from it than its truth.
#[derive(Debug, Clone)]
pub enum Node<F> {
    /// All hold.
    And(Vec<Node<F>>),
    /// At least one holds.
    Or(Vec<Node<F>>),
    /// Does not hold.
    Not(Box<Node<F>>),
    /// One comparison.
    Check(Box<CompiledCheck<F>>),
    /// A comparison with a field of events that the caller never has. False, like any check of a field without value.
    OtherEvent {
        /// The check as text.
        text: Box<str>,
        /// Where it was written.
        span: Span,
    },
}

/// One comparison.
#[derive(Debug, Clone)]
pub struct CompiledCheck<F> {
    /// What is compared.
    pub left: Input<F>,
    /// With what.
    pub test: Test<F>,
    /// The check as text, macros and lists expanded.
    pub text: Box<str>,
    /// Where it was written.
    pub span: Span,
}

impl<F> Program<F> {
    /// Whether the condition holds for an event. Left to right, no further than needed; without transformers and
    /// right-hand fields nothing is allocated here.
    pub fn matches<'e, S: FieldSource<'e, F> + ?Sized>(&self, source: &mut S) -> bool {
        self.root.matches(source)
    }

    /// As [`Program::matches`], and where it failed: the place of the first of the conditions that must all hold and does
    /// not, 0 for a condition that is not made of several. `None` when the condition holds.
    pub fn first_unmet<'e, S: FieldSource<'e, F> + ?Sized>(&self, source: &mut S) -> Option<usize> {
        match &self.root {
            Node::And(nodes) => nodes.iter().position(|node| !node.matches(source)),
            other => (!other.matches(source)).then_some(0),
        }
    }

    /// The tree.
    #[must_use]
    pub const fn expr(&self) -> &Node<F> {
        &self.root
    }

    /// What the author probably did not mean.
    #[must_use]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Fields that only other events have, each time one is used.
    #[must_use]
    pub fn other_event_fields(&self) -> &[(String, Span)] {
        &self.other_event_fields
    }

    /// The condition without the checks that `decided` knows the truth of.
    #[must_use]
    pub fn decided(self, mut decided: impl FnMut(&CompiledCheck<F>) -> Option<bool>) -> Self {
        Self { root: self.root.decided(&mut decided), ..self }
    }

    /// Whether the truth is the same for every event: `Some(false)` for a condition that only other events can meet.
    /// `None` says nothing.
    #[must_use]
    pub fn constant(&self) -> Option<bool> {
        self.root.constant()
    }

    /// Visits every field that evaluation may ask for, in order, repeated ones repeatedly.
    pub fn for_each_field<'a>(&'a self, mut visit: impl FnMut(&'a FieldInfo<F>)) {
        self.root.for_each_check(&mut |check| {
            check.left.for_each_field(&mut visit);
            if let Test::Against { right, .. } = &check.test {
                right.for_each_field(&mut visit);
            }
        });
    }
}

impl<F> Node<F> {
    /// Whether this part of a condition holds for an event.
    // Recursion: keep the frame small, `limits::NESTING` of them have to fit on a stack.
    pub fn matches<'e, S: FieldSource<'e, F> + ?Sized>(&self, source: &mut S) -> bool {
        match self {
            Self::And(nodes) | Self::Or(nodes) => {
                let decisive = matches!(self, Self::Or(_));
                for node in nodes {
                    if node.matches(source) == decisive {
                        return decisive;
                    }
                }
                !decisive
            }
            Self::Not(node) => !node.matches(source),
            Self::Check(check) => check.holds(source),
            Self::OtherEvent { .. } => false,
        }
    }

    /// Visits every comparison, in order.
    pub fn for_each_check<'a>(&'a self, visit: &mut impl FnMut(&'a CompiledCheck<F>)) {
        match self {
            Self::And(nodes) | Self::Or(nodes) => {
                for node in nodes {
                    node.for_each_check(visit);
                }
            }
            Self::Not(node) => node.for_each_check(visit),
            Self::Check(check) => visit(check),
            Self::OtherEvent { .. } => {}
        }
    }

    /// Recursion: as [`Self::matches`].
    fn decided(self, decide: &mut impl FnMut(&CompiledCheck<F>) -> Option<bool>) -> Self {
        match self {
            Self::And(nodes) => Self::joined(nodes, false, decide),
            Self::Or(nodes) => Self::joined(nodes, true, decide),
            Self::Not(node) => {
                let node = node.decided(decide);
                match node.always() {
                    Some(truth) => Self::always_so(!truth),
                    None => Self::Not(Box::new(node)),
                }
            }
            Self::Check(check) => match decide(&check) {
                Some(truth) => Self::always_so(truth),
                None => Self::Check(check),
            },
            Self::OtherEvent { .. } => Self::always_so(false),
        }
    }

    /// `or` (a true node decides) or `and` (a false one does) of what is left of the nodes.
    fn joined(
        nodes: Vec<Self>,
        decisive: bool,
        decide: &mut impl FnMut(&CompiledCheck<F>) -> Option<bool>,
    ) -> Self {
        let mut left = Vec::with_capacity(nodes.len());
        for node in nodes {
            let node = node.decided(decide);
            match node.always() {
                Some(truth) if truth == decisive => return Self::always_so(decisive),
                Some(_) => {}
                None => left.push(node),
            }
        }
        match left.len() {
            1 => left.remove(0),
            _ if decisive => Self::Or(left),
            _ => Self::And(left),
        }
    }

    /// True is what holds for all of nothing, false what holds for any of nothing.
    const fn always_so(truth: bool) -> Self {
        if truth { Self::And(Vec::new()) } else { Self::Or(Vec::new()) }
    }

    fn always(&self) -> Option<bool> {
        match self {
            Self::And(nodes) if nodes.is_empty() => Some(true),
            Self::Or(nodes) if nodes.is_empty() => Some(false),
            _ => None,
        }
    }

    fn constant(&self) -> Option<bool> {
        match self {
            Self::OtherEvent { .. } => Some(false),
            Self::Check(_) => None,
            Self::Not(node) => node.constant().map(|truth| !truth),
            Self::And(nodes) => decided(nodes, false),
            Self::Or(nodes) => decided(nodes, true),
        }
    }
}

/// One `decisive` node decides; else all must be known.
fn decided<F>(nodes: &[Node<F>], decisive: bool) -> Option<bool> {
    let mut all_known = true;
    for node in nodes {
        match node.constant() {
            Some(truth) if truth == decisive => return Some(decisive),
            Some(_) => {}
            None => all_known = false,
        }
    }
    all_known.then_some(!decisive)
}

impl<F> CompiledCheck<F> {
    /// Whether the comparison holds for an event.
    pub fn holds<'e, S: FieldSource<'e, F> + ?Sized>(&self, source: &mut S) -> bool {
        match &self.test {
            Test::Exists => self.left.visit(source, &mut |_| ControlFlow::Break(())),
            Test::In(_) if self.left.shape() == Shape::List => {
                all(&self.left, source, |value| self.test.accepts(value))
            }
            Test::Against { operator, right } => against(&self.left, *operator, right, source),
            _ => any(&self.left, source, |value| self.test.accepts(value)),
        }
    }
}

fn against<'e, F, S: FieldSource<'e, F> + ?Sized>(
    left: &Input<F>,
    operator: Operator,
    right: &Input<F>,
    source: &mut S,
) -> bool {
    let Some(rights) = right.values(source) else { return false };
    let passes = |value: &Value<'e>| rights.iter().any(|right| compare(operator, value, right));
    if operator == Operator::In && left.shape() == Shape::List {
        all(left, source, passes)
    } else {
        any(left, source, passes)
    }
}

/// Whether any value passes.
fn any<'e, F, S: FieldSource<'e, F> + ?Sized>(
    input: &Input<F>,
    source: &mut S,
    passes: impl Fn(&Value<'e>) -> bool,
) -> bool {
    if let Input::Field(FieldInfo { field, shape: Shape::One, .. }) = input {
        return source.value(field).is_some_and(|value| passes(&value));
    }
    let mut found = false;
    input.visit(source, &mut |value| {
        found = passes(&value);
        if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found
}

/// Whether there is a value and all pass.
fn all<'e, F, S: FieldSource<'e, F> + ?Sized>(
    input: &Input<F>,
    source: &mut S,
    passes: impl Fn(&Value<'e>) -> bool,
) -> bool {
    let (mut some, mut failed) = (false, false);
    input.visit(source, &mut |value| {
        some = true;
        failed = !passes(&value);
        if failed { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    some && !failed
}

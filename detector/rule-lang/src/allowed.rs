//! Which values of one field a condition can hold for, whatever the rest of the event is: how a rule's event types are
//! found. An over-approximation: a value that is not allowed can never match; an allowed one may.

use crate::input::Input;
use crate::program::{Node, Program};
use crate::test::Test;
use crate::value::Value;

impl<F> Program<F> {
    /// For each value of `universe` whether the condition can hold when the field has it. `is_field` tells the field.
    /// `and` intersects, `or` unites, checks of other fields allow all, and `not` turns only checks of this field.
    pub fn values_allowed(&self, is_field: impl Fn(&F) -> bool, universe: &[Value<'_>]) -> Vec<bool> {
        allowed(&self.root, &is_field, universe, false)
    }
}

fn allowed<F>(
    node: &Node<F>,
    is_field: &impl Fn(&F) -> bool,
    universe: &[Value<'_>],
    inverted: bool,
) -> Vec<bool> {
    match node {
        Node::Not(node) => allowed(node, is_field, universe, !inverted),
        // Under `not`, `and` becomes `or` of the negated parts, and the other way round.
        Node::And(nodes) if inverted => unite(nodes, is_field, universe, inverted),
        Node::Or(nodes) if !inverted => unite(nodes, is_field, universe, inverted),
        Node::And(nodes) | Node::Or(nodes) => {
            let mut all = vec![true; universe.len()];
            for node in nodes {
                let one = allowed(node, is_field, universe, inverted);
                all.iter_mut().zip(one).for_each(|(all, one)| *all &= one);
            }
            all
        }
        Node::Check(check) => match (&check.left, &check.test) {
            (_, Test::Exists | Test::Against { .. }) => vec![true; universe.len()],
            (Input::Field(info), test) if info.shape == crate::Shape::One && is_field(&info.field) => {
                universe.iter().map(|value| test.accepts(value) != inverted).collect()
            }
            _ => vec![true; universe.len()],
        },
        Node::OtherEvent { .. } => vec![true; universe.len()],
    }
}

fn unite<F>(
    nodes: &[Node<F>],
    is_field: &impl Fn(&F) -> bool,
    universe: &[Value<'_>],
    inverted: bool,
) -> Vec<bool> {
    let mut any = vec![false; universe.len()];
    for node in nodes {
        let one = allowed(node, is_field, universe, inverted);
        any.iter_mut().zip(one).for_each(|(any, one)| *any |= one);
    }
    any
}

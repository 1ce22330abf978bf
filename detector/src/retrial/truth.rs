//! Truth with three values: a comparison with a field that an alert does not have is neither true nor false.

use detector_rule_lang::{CompiledCheck, Node, Test};
use serde::Serialize;

use super::witness::Witness;
use crate::{
    incident::{PastAlert, inert::visible},
    rules::fields::Field,
};

/// The truth of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// It depends on values that the alert does not have.
    Unknown,
}

impl Truth {
    const fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
        }
    }
}

/// One comparison with what it saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The comparison as text, macros and lists expanded.
    pub text: String,
    /// What it came to.
    pub truth: Truth,
    /// The values of its left side, made visible; `None` if it has none, or none that is known.
    pub values: Option<Vec<String>>,
    /// Fields that the alert does not have.
    pub missing: Vec<String>,
}

/// One of the conditions that must all hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Clause {
    /// What it came to.
    pub truth: Truth,
    /// Whether it is the negation of what its checks say.
    pub negated: bool,
    /// Its comparisons, in order.
    pub checks: Vec<Check>,
}

/// The truth of a condition for an alert.
pub(super) fn of(node: &Node<Field>, alert: &PastAlert) -> Truth {
    match node {
        Node::And(nodes) => all(nodes, alert, Truth::No),
        Node::Or(nodes) => all(nodes, alert, Truth::Yes),
        Node::Not(node) => of(node, alert).not(),
        Node::Check(check) => holds(check, alert).0,
        Node::OtherEvent { .. } => Truth::No,
    }
}

/// One `decisive` node decides.
fn all(nodes: &[Node<Field>], alert: &PastAlert, decisive: Truth) -> Truth {
    let mut truth = decisive.not();
    for node in nodes {
        match of(node, alert) {
            found if found == decisive => return decisive,
            Truth::Unknown => truth = Truth::Unknown,
            _ => {}
        }
    }
    truth
}

fn holds(check: &CompiledCheck<Field>, alert: &PastAlert) -> (Truth, Vec<String>) {
    // Nothing is in an empty list, whatever the value is.
    if let Test::In(set) | Test::Intersects(set) = &check.test
        && set.is_empty()
    {
        return (Truth::No, Vec::new());
    }
    let mut witness = Witness::new(alert);
    let holds = check.holds(&mut witness);
    let truth = match (holds, witness.missing.is_empty()) {
        (true, _) => Truth::Yes,
        (false, true) => Truth::No,
        (false, false) => Truth::Unknown,
    };
    let missing = if holds { Vec::new() } else { witness.missing };
    (truth, missing)
}

/// Fields that the alert would have to have for a condition to be decided.
pub(super) fn missing(node: &Node<Field>, alert: &PastAlert, names: &mut Vec<String>) {
    match node {
        Node::And(nodes) | Node::Or(nodes) => nodes
            .iter()
            .filter(|node| of(node, alert) == Truth::Unknown)
            .for_each(|node| missing(node, alert, names)),
        Node::Not(node) => missing(node, alert, names),
        Node::Check(check) => {
            for name in holds(check, alert).1 {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        Node::OtherEvent { .. } => {}
    }
}

/// The conditions that must all hold, each with its comparisons.
pub(super) fn clauses(root: &Node<Field>, alert: &PastAlert) -> Vec<Clause> {
    let clause = |node: &Node<Field>| {
        let (negated, inner) = match node {
            Node::Not(inner) => (true, inner.as_ref()),
            other => (false, other),
        };
        let mut checks = Vec::new();
        collect(inner, alert, &mut checks);
        Clause { truth: of(node, alert), negated, checks }
    };
    match root {
        Node::And(nodes) => nodes.iter().map(clause).collect(),
        other => vec![clause(other)],
    }
}

fn collect(node: &Node<Field>, alert: &PastAlert, checks: &mut Vec<Check>) {
    match node {
        Node::And(nodes) | Node::Or(nodes) => nodes.iter().for_each(|node| collect(node, alert, checks)),
        Node::Not(node) => collect(node, alert, checks),
        Node::Check(check) => {
            let (truth, missing) = holds(check, alert);
            let values = check.left.values(&mut Witness::new(alert));
            let values = values.filter(|values| !values.is_empty());
            let shown = values.map(|values| values.iter().map(shown).collect());
            checks.push(Check { text: visible(&check.text), truth, values: shown, missing });
        }
        Node::OtherEvent { text, .. } => {
            checks.push(Check { text: visible(text), truth: Truth::No, values: None, missing: Vec::new() });
        }
    }
}

fn shown(value: &detector_rule_lang::Value<'_>) -> String {
    use detector_rule_lang::Value::{Bool, Float, Signed, Text, Unsigned};
    match value {
        Text(bytes) => visible(&String::from_utf8_lossy(bytes)),
        Signed(number) => number.to_string(),
        Unsigned(number) => number.to_string(),
        Float(number) => number.to_string(),
        Bool(truth) => truth.to_string(),
    }
}

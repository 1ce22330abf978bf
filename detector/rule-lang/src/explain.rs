//! Why a condition held or not: every check with the values it saw.

use crate::diagnostic::Span;
use crate::program::{CompiledCheck, Node, Program};
use crate::value::{FieldSource, Value};

/// What the condition came to, and every check of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation<'p, 'e> {
    /// The truth of the condition; always what [`Program::matches`] says.
    pub holds: bool,
    /// All checks, in order.
    pub findings: Vec<Finding<'p, 'e>>,
}

/// One check.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding<'p, 'e> {
    /// The check as text.
    pub text: &'p str,
    /// Where it was written.
    pub span: Span,
    /// The values of the left side; `None` if it had none.
    pub values: Option<Vec<Value<'e>>>,
    /// Whether the check held.
    pub holds: bool,
    /// Whether evaluation came this far; checks behind a decided `and` or `or` are not needed.
    pub needed: bool,
}

impl<F> Program<F> {
    /// Evaluates every check, also those that [`Program::matches`] would skip, and keeps what it saw.
    pub fn explain<'p, 'e, S: FieldSource<'e, F> + ?Sized>(&'p self, source: &mut S) -> Explanation<'p, 'e> {
        let mut findings = Vec::new();
        let holds = explain(&self.root, source, true, &mut findings);
        Explanation { holds, findings }
    }
}

fn explain<'p, 'e, F, S: FieldSource<'e, F> + ?Sized>(
    node: &'p Node<F>,
    source: &mut S,
    needed: bool,
    findings: &mut Vec<Finding<'p, 'e>>,
) -> bool {
    match node {
        Node::Not(node) => !explain(node, source, needed, findings),
        Node::And(nodes) => explain_all(nodes, source, needed, findings, false),
        Node::Or(nodes) => explain_all(nodes, source, needed, findings, true),
        Node::Check(check) => {
            findings.push(finding(check, source, needed));
            findings.last().is_some_and(|finding| finding.holds)
        }
        Node::OtherEvent { text, span } => {
            findings.push(Finding { text, span: *span, values: None, holds: false, needed });
            false
        }
    }
}

/// `decisive` is the truth of one node that settles all.
fn explain_all<'p, 'e, F, S: FieldSource<'e, F> + ?Sized>(
    nodes: &'p [Node<F>],
    source: &mut S,
    needed: bool,
    findings: &mut Vec<Finding<'p, 'e>>,
    decisive: bool,
) -> bool {
    let mut settled = false;
    for node in nodes {
        settled |= explain(node, source, needed && !settled, findings) == decisive;
    }
    settled == decisive
}

fn finding<'p, 'e, F, S: FieldSource<'e, F> + ?Sized>(
    check: &'p CompiledCheck<F>,
    source: &mut S,
    needed: bool,
) -> Finding<'p, 'e> {
    Finding {
        text: &check.text,
        span: check.span,
        values: check.left.values(source),
        holds: check.holds(source),
        needed,
    }
}

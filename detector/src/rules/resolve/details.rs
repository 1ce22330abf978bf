//! What a rule is made of, for those who ask for it (`-L`, `-l`).

use std::collections::BTreeSet;

use detector_rule_lang::{Expr, ExprKind, FieldRef, Operand, Template};

use super::{
    definitions::{Definitions, RuleDefinition},
    event_types, exceptions,
};

/// What a rule is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleDetails {
    /// Macros that its condition names.
    pub macros: BTreeSet<String>,
    /// Lists that its condition names.
    pub lists: BTreeSet<String>,
    /// Operators of the condition once macros are expanded.
    pub operators: BTreeSet<String>,
    /// Fields of the condition once macros are expanded.
    pub fields: BTreeSet<String>,
    /// Fields of the output.
    pub output_fields: Vec<String>,
    /// Names of the exceptions.
    pub exception_names: BTreeSet<String>,
    /// Operators of the exceptions.
    pub exception_operators: BTreeSet<String>,
    /// Fields of the exceptions that have values.
    pub exception_fields: BTreeSet<String>,
    /// The condition once macros, lists and exceptions are in it.
    pub condition: String,
    /// The output with what is added to it.
    pub output: String,
}

impl RuleDetails {
    pub(super) fn of<F>(
        rule: &RuleDefinition,
        (macros, lists): (BTreeSet<String>, BTreeSet<String>),
        expanded: &Expr,
        output: String,
        template: &Template<F>,
    ) -> Self {
        let mut details = Self { condition: expanded.to_string(), output, macros, lists, ..Self::default() };
        (details.operators, details.fields) = operators_and_fields(expanded);
        details.output_fields = template.keys().map(|key| key.key.clone()).collect();
        for exception in &rule.exceptions {
            details.exception_names.insert(exception.name.clone());
            details
                .exception_operators
                .extend(exceptions::operators(exception).into_iter().map(str::to_owned));
            if !exception.values.is_empty() {
                let fields = exceptions::fields(exception).into_iter();
                details.exception_fields.extend(fields.map(|field| field.text.clone()));
            }
        }
        details
    }
}

/// Of a condition: the macros and lists that it names, and its operators and fields.
#[must_use]
pub fn condition_details(
    expr: &Expr,
    definitions: &Definitions,
) -> ([BTreeSet<String>; 2], [BTreeSet<String>; 2]) {
    (named(expr, definitions).into(), operators_and_fields(expr).into())
}

/// The macros and lists that a condition names.
pub(super) fn named(expr: &Expr, definitions: &Definitions) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut macros, mut lists) = (BTreeSet::new(), BTreeSet::new());
    expr.for_each_macro(&mut |name, _| {
        macros.insert(name.to_owned());
    });
    for_each_check(expr, &mut |_, operand| names_of_lists(operand, definitions, &mut lists));
    (macros, lists)
}

/// The operators and fields of a condition.
fn operators_and_fields(expr: &Expr) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut operators, mut fields) = (BTreeSet::new(), BTreeSet::new());
    for_each_check(expr, &mut |operator, _| {
        operators.insert(operator.to_owned());
    });
    for_each_field(expr, &mut |field| {
        fields.insert(field.to_string());
    });
    (operators, fields)
}

fn names_of_lists(operand: &Operand, definitions: &Definitions, lists: &mut BTreeSet<String>) {
    match operand {
        Operand::Literal(literal) => {
            let name = literal.list_name().filter(|name| definitions.lists.get(name).is_some());
            lists.extend(name.map(str::to_owned));
        }
        Operand::List(list) => list.items.iter().for_each(|item| names_of_lists(item, definitions, lists)),
        Operand::Field(_) | Operand::Transform(_) => {}
    }
}

/// Visits every check: the operator as written, and the right side.
fn for_each_check<'e>(expr: &'e Expr, visit: &mut impl FnMut(&str, &'e Operand)) {
    match &expr.kind {
        ExprKind::And(items) | ExprKind::Or(items) => {
            for item in items {
                for_each_check(item, visit);
            }
        }
        ExprKind::Not(inner) => for_each_check(inner, visit),
        ExprKind::Check(check) => {
            let operator = match check.modifier {
                Some(modifier) => format!("{} {modifier}", check.operator),
                None => check.operator.to_string(),
            };
            visit(&operator, &check.right);
        }
        ExprKind::Exists(operand) => visit("exists", operand),
        ExprKind::Macro(_) => {}
    }
}

/// Visits every field of a condition.
pub(super) fn for_each_field<'e>(expr: &'e Expr, visit: &mut impl FnMut(&'e FieldRef)) {
    match &expr.kind {
        ExprKind::And(items) | ExprKind::Or(items) => {
            for item in items {
                for_each_field(item, visit);
            }
        }
        ExprKind::Not(inner) => for_each_field(inner, visit),
        ExprKind::Check(check) => {
            event_types::for_each_field(&check.left, visit);
            event_types::for_each_field(&check.right, visit);
        }
        ExprKind::Exists(operand) => event_types::for_each_field(operand, visit),
        ExprKind::Macro(_) => {}
    }
}

//! Which events a condition can hold for, as far as it can be told without an event. A rule that can only hold for
//! events that are no execs is skipped; one that names no event types at all is warned of.

use std::fmt;

use detector_rule_lang::{
    Check, Diagnostic, Expr, ExprKind, FieldCatalog, FieldError, FieldRef, Kind, Literal, Operand, Operator,
    did_you_mean,
};

/// Event types that we have.
const EXEC: [&[u8]; 2] = [b"execve", b"execveat"];
/// Fields whose value is the event's type.
const TYPE_FIELDS: [&str; 2] = ["evt.type", "syscall.type"];
/// The types that Falco's engine has, with those of its container plugin: a rule may name no other.
const EVENT_NAMES: &str = include_str!("event_names.txt");
/// Names in a reason; more are only counted.
const SHOWN: usize = 6;

/// A set of event types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventTypes {
    /// `execve` and `execveat`.
    pub exec: [bool; 2],
    /// All others, but for those that are named.
    pub unlimited: bool,
}

impl EventTypes {
    const ALL: Self = Self { exec: [true; 2], unlimited: true };
    const NONE: Self = Self { exec: [false; 2], unlimited: false };
    const NO_EXEC: Self = Self { exec: [false; 2], unlimited: true };

    /// Whether an event that we have is among them.
    #[must_use]
    pub fn has_exec(self) -> bool {
        self.exec != [false; 2]
    }

    /// Names of those that we have.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        let all = ["execve", "execveat"];
        all.into_iter().zip(self.exec).filter_map(|(name, has)| has.then_some(name)).collect()
    }

    fn and(self, other: Self) -> Self {
        let exec = [self.exec[0] && other.exec[0], self.exec[1] && other.exec[1]];
        Self { exec, unlimited: self.unlimited && other.unlimited }
    }

    fn or(self, other: Self) -> Self {
        let exec = [self.exec[0] || other.exec[0], self.exec[1] || other.exec[1]];
        Self { exec, unlimited: self.unlimited || other.unlimited }
    }
}

/// For which event types a condition can be true, and for which it can be false: `not` swaps them.
#[derive(Clone, Copy)]
struct Outcome {
    truth: EventTypes,
    falsehood: EventTypes,
}

impl Outcome {
    const ANY: Self = Self { truth: EventTypes::ALL, falsehood: EventTypes::ALL };

    fn swapped(self) -> Self {
        Self { truth: self.falsehood, falsehood: self.truth }
    }
}

/// Why a rule does not concern execs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoExec {
    /// Its condition wants these event types.
    Types(Vec<String>),
    /// Its condition needs these fields, which execs do not have.
    Fields(Vec<String>),
}

impl fmt::Display for NoExec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, names, behind) = match self {
            Self::Types(names) => ("only for events of type ", names, ""),
            Self::Fields(names) => ("needs ", names, ", which exec events do not have"),
        };
        let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = match names.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        write!(formatter, "{before}{shown}{more}{behind}")
    }
}

/// Event types of an expanded condition that do not exist.
pub(super) fn unknown_types(expr: &Expr) -> Vec<Diagnostic> {
    let mut unknown: Vec<Diagnostic> = Vec::new();
    for_each_type(expr, &mut |literal| {
        let name = String::from_utf8_lossy(&literal.bytes);
        // A macro that is used twice has its mistakes twice.
        if event_names().any(|known| known == name) || unknown.iter().any(|other| other.span == literal.span)
        {
            return;
        }
        let near = did_you_mean(&name, event_names());
        unknown.push(Diagnostic {
            kind: Kind::UnknownValue,
            span: literal.span,
            message: format!("unknown event type `{name}`"),
            label: "no such event".to_owned(),
            hint: near.map(|near| format!("did you mean `{near}`?")),
        });
    });
    unknown
}

/// Every event type that a rule may name, in alphabetical order.
pub fn event_names() -> impl Iterator<Item = &'static str> {
    EVENT_NAMES.split_whitespace()
}

/// Visits the values that event types are compared with for equality.
fn for_each_type(expr: &Expr, visit: &mut impl FnMut(&Literal)) {
    let check = match &expr.kind {
        ExprKind::And(items) | ExprKind::Or(items) => {
            for item in items {
                for_each_type(item, visit);
            }
            return;
        }
        ExprKind::Not(inner) => return for_each_type(inner, visit),
        ExprKind::Exists(_) | ExprKind::Macro(_) => return,
        ExprKind::Check(check) => check,
    };
    let of_type = matches!(&check.left, Operand::Field(field) if field.name == "evt.type");
    let whole =
        matches!(check.operator, Operator::Equal | Operator::NotEqual | Operator::In | Operator::Intersects);
    let items = match &check.right {
        _ if !of_type || !whole => return,
        Operand::List(list) => list.items.as_slice(),
        one => std::slice::from_ref(one),
    };
    for item in items {
        if let Operand::Literal(literal) = item {
            visit(literal);
        }
    }
}

/// The event types that an expanded condition can hold for, or why it holds for no exec.
pub(super) fn event_types<C: FieldCatalog>(expr: &Expr, catalog: &C) -> Result<EventTypes, NoExec> {
    let mut seen = Seen { catalog: Some(catalog), types: Vec::new(), fields: Vec::new() };
    let truth = seen.outcome(expr).truth;
    if truth.has_exec() {
        return Ok(truth);
    }
    let mut by_type_only = Seen::<C> { catalog: None, types: Vec::new(), fields: Vec::new() };
    if by_type_only.outcome(expr).truth.has_exec() {
        Err(NoExec::Fields(seen.fields))
    } else {
        Err(NoExec::Types(seen.types))
    }
}

struct Seen<'c, C> {
    /// `None`: fields are not looked at.
    catalog: Option<&'c C>,
    types: Vec<String>,
    fields: Vec<String>,
}

impl<C: FieldCatalog> Seen<'_, C> {
    /// Recursion as deep as conditions nest: loops and not chains of closures, which each take a frame.
    fn outcome(&mut self, expr: &Expr) -> Outcome {
        match &expr.kind {
            ExprKind::And(items) => {
                let mut all = Outcome { truth: EventTypes::ALL, falsehood: EventTypes::NONE };
                for item in items {
                    let one = self.outcome(item);
                    all.truth = all.truth.and(one.truth);
                    all.falsehood = all.falsehood.or(one.falsehood);
                }
                all
            }
            ExprKind::Or(items) => {
                let mut any = Outcome { truth: EventTypes::NONE, falsehood: EventTypes::ALL };
                for item in items {
                    let one = self.outcome(item);
                    any.truth = any.truth.or(one.truth);
                    any.falsehood = any.falsehood.and(one.falsehood);
                }
                any
            }
            ExprKind::Not(inner) => self.outcome(inner).swapped(),
            ExprKind::Check(check) => self.check(check),
            ExprKind::Exists(operand) => self.without_value([operand]),
            ExprKind::Macro(_) => Outcome::ANY,
        }
    }

    fn check(&mut self, check: &Check) -> Outcome {
        if let Operand::Field(field) = &check.left
            && TYPE_FIELDS.contains(&field.name.as_str())
            && check.modifier.is_none()
            && let Some(named) = self.named_types(&check.right)
        {
            let unnamed = EventTypes { exec: named.map(|named| !named), unlimited: true };
            let named = EventTypes { exec: named, unlimited: false };
            match check.operator {
                Operator::Equal | Operator::In | Operator::Intersects => {
                    return Outcome { truth: named, falsehood: unnamed };
                }
                Operator::NotEqual => return Outcome { truth: unnamed, falsehood: named },
                _ => {}
            }
        }
        self.without_value([&check.left, &check.right])
    }

    /// Which of ours are among literal event types; `None` when there is something else than literals.
    fn named_types(&mut self, operand: &Operand) -> Option<[bool; 2]> {
        let literals: Vec<&[u8]> = match operand {
            Operand::Literal(literal) => vec![&literal.bytes],
            Operand::List(list) => list
                .items
                .iter()
                .map(|item| match item {
                    Operand::Literal(literal) => Some(literal.bytes.as_slice()),
                    Operand::Field(_) | Operand::List(_) | Operand::Transform(_) => None,
                })
                .collect::<Option<_>>()?,
            Operand::Field(_) | Operand::Transform(_) => return None,
        };
        for name in &literals {
            note(&mut self.types, &String::from_utf8_lossy(name));
        }
        Some(EXEC.map(|name| literals.contains(&name)))
    }

    /// A check with a field that execs do not have is false for them.
    fn without_value<'o>(&mut self, operands: impl IntoIterator<Item = &'o Operand>) -> Outcome {
        let mut missing = false;
        for operand in operands {
            for_each_field(operand, &mut |field| {
                let found =
                    self.catalog.map(|catalog| catalog.resolve(&field.name, field.argument.as_deref()));
                if matches!(found, Some(Err(FieldError::OtherEvent))) {
                    note(&mut self.fields, &field.name);
                    missing = true;
                }
            });
        }
        if missing {
            Outcome { truth: EventTypes::NO_EXEC, falsehood: EventTypes::ALL }
        } else {
            Outcome::ANY
        }
    }
}

fn note(names: &mut Vec<String>, name: &str) {
    // Only a few are shown; the rest is counted, up to a bound that keeps this linear.
    if names.len() < 64 && !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

/// Visits every field of one side of a check.
pub(super) fn for_each_field<'o>(operand: &'o Operand, visit: &mut impl FnMut(&'o FieldRef)) {
    match operand {
        Operand::Field(field) => visit(field),
        Operand::Literal(_) => {}
        Operand::List(list) => list.items.iter().for_each(|item| for_each_field(item, visit)),
        Operand::Transform(transform) => {
            transform.arguments.iter().for_each(|argument| for_each_field(argument, visit));
        }
    }
}

//! A past alert that answers what its fields are, as far as it can.

use std::ops::ControlFlow;

use detector_rule_lang::{FieldSource, Value};
use serde_json::Value as Json;

use crate::{
    incident::PastAlert,
    rules::fields::{Argument, Field, Takes, ValueType},
};

/// Ancestors that are looked for.
const MAX_ANCESTORS: usize = 32;

/// Answers from an alert; notes what it was asked and could not answer.
pub(super) struct Witness<'e> {
    alert: &'e PastAlert,
    /// Names of fields that the alert does not have.
    pub(super) missing: Vec<String>,
}

/// What an alert says about a field.
enum Answer<'e> {
    /// It does not have the field.
    Absent,
    /// It has the field; `None` = without a value.
    Has(Option<Value<'e>>),
}

impl<'e> Witness<'e> {
    pub(super) const fn new(alert: &'e PastAlert) -> Self {
        Self { alert, missing: Vec::new() }
    }

    /// What the alert says under a name, or under another that means the same.
    fn answer(&self, name: &str, kind: ValueType) -> Answer<'e> {
        let fields = &self.alert.fields;
        if let Some(value) = fields.all().get(name) {
            return Answer::Has(typed(value, kind));
        }
        let flag = |flag: &str| {
            let flags = fields.text("evt.arg.flags")?;
            Some(Value::Bool(flags.split('|').any(|one| one == flag)))
        };
        let under = |name: &str| fields.all().get(name).map(|value| typed(value, kind));
        let told = match name {
            "proc.is_exe_upper_layer" => flag("EXE_UPPER_LAYER"),
            "proc.is_exe_lower_layer" => flag("EXE_LOWER_LAYER"),
            "proc.is_exe_from_memfd" => flag("EXE_FROM_MEMFD"),
            "proc.is_exe_writable" => flag("EXE_WRITABLE"),
            // Events are numbered from 1: the stock macro `never_true` asks whether this one has the number 0.
            "evt.num" => Some(Value::Unsigned(1)),
            "evt.source" => self.alert.source.as_ref().map(Value::text),
            "evt.hostname" => self.alert.hostname.as_ref().map(Value::text),
            "evt.rawtime" | "evt.time" | "evt.time.iso8601" => {
                self.alert.event_ns().map(|(ns, _)| Value::Unsigned(ns))
            }
            "container.id" => {
                fields.text("container.full_id").map(|full| Value::text(full.get(..12).unwrap_or(full)))
            }
            // An event that executed something is of this type.
            "evt.type" | "syscall.type" => Some(Value::text("execve")),
            // What other names say under which the same is known, also that it has no value.
            _ => {
                let other = match name {
                    "proc.pid" => under("drop.pid"),
                    "container.type" => under("drop.runtime"),
                    "proc.pname" => under("proc.aname[1]"),
                    "proc.aname[1]" => under("proc.pname"),
                    "proc.aname[0]" => under("proc.name"),
                    "proc.pcmdline" => under("proc.acmdline[1]"),
                    "proc.acmdline[1]" => under("proc.pcmdline"),
                    "proc.pexepath" => under("proc.aexepath[1]"),
                    "proc.aexepath[1]" => under("proc.pexepath"),
                    _ => None,
                };
                return other.map_or(Answer::Absent, Answer::Has);
            }
        };
        told.map_or(Answer::Absent, |value| Answer::Has(Some(value)))
    }

    fn answer_field(&self, field: &Field) -> Answer<'e> {
        for name in names(field) {
            if let Answer::Has(value) = self.answer(&name, field.value_type()) {
                return Answer::Has(value);
            }
        }
        Answer::Absent
    }

    fn note(&mut self, field: &Field) {
        let name = names(field).into_iter().next().unwrap_or_default();
        if !self.missing.contains(&name) {
            self.missing.push(name);
        }
    }
}

/// The ways in which an alert may write a field.
fn names(field: &Field) -> Vec<String> {
    let base = field.entry().name;
    match field.argument() {
        Argument::None => vec![base.to_owned()],
        Argument::Index(index) => vec![format!("{base}[{index}]")],
        Argument::Name(name) if matches!(field.entry().takes, Takes::Name | Takes::NameOrIndex) => {
            vec![format!("{base}.{name}"), format!("{base}[{name}]")]
        }
        Argument::Name(name) => vec![format!("{base}[{name}]"), format!("{base}.{name}")],
    }
}

/// A value of JSON as the rule language compares it.
fn typed(value: &Json, kind: ValueType) -> Option<Value<'_>> {
    let text = || value.as_str();
    match kind {
        ValueType::Text | ValueType::List => match value {
            Json::String(text) => Some(Value::text(text)),
            Json::Null => None,
            other => Some(Value::owned_text(other.to_string())),
        },
        ValueType::Signed => value.as_i64().or_else(|| text()?.parse().ok()).map(Value::Signed),
        ValueType::Unsigned | ValueType::Time => {
            value.as_u64().or_else(|| text()?.parse().ok()).map(Value::Unsigned)
        }
        ValueType::Double => value.as_f64().or_else(|| text()?.parse().ok()).map(Value::Float),
        ValueType::Bool => value.as_bool().or_else(|| text()?.parse().ok()).map(Value::Bool),
    }
}

impl<'e> FieldSource<'e, Field> for Witness<'e> {
    fn value(&mut self, field: &Field) -> Option<Value<'e>> {
        match self.answer_field(field) {
            Answer::Has(value) => value,
            Answer::Absent => {
                self.note(field);
                None
            }
        }
    }

    fn values(&mut self, field: &Field, visit: &mut dyn FnMut(Value<'e>) -> ControlFlow<()>) -> bool {
        if !field.matches_any_ancestor() {
            // A list is joined in an alert and cannot be taken apart again.
            self.note(field);
            return false;
        }
        let (base, kind) = (field.entry().name, field.value_type());
        let mut any = false;
        for level in 1..=MAX_ANCESTORS {
            if let Answer::Has(Some(value)) = self.answer(&format!("{base}[{level}]"), kind) {
                any = true;
                if visit(value).is_break() {
                    return true;
                }
            }
        }
        // There may be more above those that are known.
        self.note(field);
        any
    }
}

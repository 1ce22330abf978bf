//! The catalogue of fields as the rule language wants it, and events as it asks about them.

use std::{collections::BTreeSet, ops::ControlFlow};

use detector_rule_lang::{
    FieldCatalog, FieldError, FieldInfo, FieldSource, Shape, Type, Value, did_you_mean,
};

use super::fields::{self, Field, Lookup, ValueType};
use crate::event::{self, ExecEvent};

/// The fields of exec events.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    static_fields: BTreeSet<String>,
}

impl Catalog {
    /// With fields `static.NAME` of these names.
    pub fn new(static_fields: impl IntoIterator<Item = String>) -> Self {
        Self { static_fields: static_fields.into_iter().collect() }
    }
}

impl FieldCatalog for Catalog {
    type Field = Field;

    fn resolve(&self, name: &str, argument: Option<&str>) -> Result<FieldInfo<Field>, FieldError> {
        let written = argument.map_or_else(|| name.to_owned(), |argument| format!("{name}[{argument}]"));
        match fields::lookup(&written) {
            Lookup::Known(field)
                if field.static_name().is_none_or(|name| self.static_fields.contains(name)) =>
            {
                Ok(info(field))
            }
            Lookup::OtherEvent(_) => Err(FieldError::OtherEvent),
            Lookup::BadArgument(why) => Err(FieldError::BadArgument { why: why.to_owned() }),
            // One that is known and not meant above is a static field that the configuration does not have.
            Lookup::Known(_) | Lookup::Unknown => Err(FieldError::Unknown),
        }
    }

    fn suggestion(&self, name: &str) -> Option<String> {
        match name.strip_prefix("static.") {
            Some(wrong) => did_you_mean(wrong, self.static_fields.iter().map(String::as_str))
                .map(|near| format!("static.{near}")),
            None => fields::suggestion(name),
        }
    }
}

fn info(field: Field) -> FieldInfo<Field> {
    let (ty, list) = match field.value_type() {
        ValueType::Text => (Type::Text, false),
        ValueType::List => (Type::Text, true),
        ValueType::Signed => (Type::Signed, false),
        ValueType::Unsigned | ValueType::Time => (Type::Unsigned, false),
        ValueType::Double => (Type::Float, false),
        ValueType::Bool => (Type::Bool, false),
    };
    let shape = if list {
        Shape::List
    } else if field.matches_any_ancestor() {
        Shape::Any
    } else {
        Shape::One
    };
    let operand = field.entry().operand;
    FieldInfo { field, ty, shape, transformable: operand, right_side: operand }
}

/// An event that answers what its fields are.
pub(super) struct Asked<'e>(pub(super) &'e ExecEvent);

impl<'e> FieldSource<'e, Field> for Asked<'e> {
    fn value(&mut self, field: &Field) -> Option<Value<'e>> {
        field.extract(self.0).map(compared)
    }

    fn values(&mut self, field: &Field, visit: &mut dyn FnMut(Value<'e>) -> ControlFlow<()>) -> bool {
        let mut any = false;
        for value in field.values(self.0) {
            any = true;
            if visit(compared(value)).is_break() {
                break;
            }
        }
        any
    }
}

/// What conditions compare: times are numbers, bits are numbers.
fn compared(value: event::Value<'_>) -> Value<'_> {
    match value {
        event::Value::Text(bytes) => Value::Text(bytes),
        event::Value::Signed(number) => Value::Signed(number),
        event::Value::Unsigned(number) | event::Value::Hex(number) => Value::Unsigned(number),
        event::Value::Double(number) => Value::Float(number),
        event::Value::Bool(truth) => Value::Bool(truth),
        event::Value::Time { ns, .. } => Value::Unsigned(ns),
    }
}

/// What alerts show of a value that the language has computed.
pub(super) fn shown(value: Value<'_>) -> event::Value<'static> {
    match value {
        Value::Text(bytes) => event::Value::owned(bytes.into_owned()),
        Value::Signed(number) => event::Value::Signed(number),
        Value::Unsigned(number) => event::Value::Unsigned(number),
        Value::Float(number) => event::Value::Double(number),
        Value::Bool(truth) => event::Value::Bool(truth),
    }
}

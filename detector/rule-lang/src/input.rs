//! The left half of a compiled check (and the right one, when it depends on the event): fields and transformers over
//! them. A missing value anywhere makes the whole input a missing value.

use std::borrow::Cow;
use std::ops::ControlFlow;

use crate::catalog::{FieldInfo, Shape, Type};
use crate::constant::Constant;
use crate::operator::Transformer;
use crate::transform;
use crate::value::{FieldSource, Value};

/// Where values come from.
#[derive(Debug, Clone)]
pub enum Input<F> {
    /// A field.
    Field(FieldInfo<F>),
    /// A value of the rule, as a transformer's argument.
    Constant(Constant),
    /// A list written in the rule, as a transformer's argument.
    List(Vec<Input<F>>),
    /// A function of other inputs.
    Transform(Transformed<F>),
}

/// A transformer and its arguments.
#[derive(Debug, Clone)]
pub struct Transformed<F> {
    /// Which one.
    pub function: Transformer,
    /// As many as it takes, of types it takes.
    pub arguments: Vec<Input<F>>,
    /// The option of `getopt`.
    pub index: Option<u8>,
}

impl<F> Input<F> {
    /// The type of its values.
    #[must_use]
    pub fn ty(&self) -> Type {
        match self {
            Self::Field(info) => info.ty,
            Self::Constant(Constant::Text(_)) => Type::Text,
            Self::Constant(Constant::Signed(_)) => Type::Signed,
            Self::Constant(Constant::Unsigned(_)) => Type::Unsigned,
            Self::Constant(Constant::Float(_)) => Type::Float,
            Self::Constant(Constant::Bool(_)) => Type::Bool,
            Self::List(items) => items.first().map_or(Type::Text, Self::ty),
            Self::Transform(t) => match t.function {
                Transformer::Val => t.arguments.first().map_or(Type::Text, Self::ty),
                Transformer::Len => Type::Unsigned,
                _ => Type::Text,
            },
        }
    }

    /// How many values.
    #[must_use]
    pub fn shape(&self) -> Shape {
        match self {
            Self::Field(info) => info.shape,
            Self::Constant(_) => Shape::One,
            Self::List(_) => Shape::List,
            Self::Transform(t) => {
                let argument = t.arguments.first().map_or(Shape::One, Self::shape);
                match t.function {
                    Transformer::Concat | Transformer::Join | Transformer::Getopt => Shape::One,
                    Transformer::Len if argument == Shape::List => Shape::One,
                    _ => argument,
                }
            }
        }
    }

    /// Visits every field, in order.
    pub fn for_each_field<'a>(&'a self, visit: &mut impl FnMut(&'a FieldInfo<F>)) {
        match self {
            Self::Field(info) => visit(info),
            Self::Constant(_) => {}
            Self::List(items) => items.iter().for_each(|item| item.for_each_field(visit)),
            Self::Transform(t) => t.arguments.iter().for_each(|argument| argument.for_each_field(visit)),
        }
    }

    /// The first value, if any: all there is for [`Shape::One`].
    pub fn value<'e, S: FieldSource<'e, F> + ?Sized>(&self, source: &mut S) -> Option<Value<'e>> {
        if let Self::Field(FieldInfo { field, shape: Shape::One, .. }) = self {
            return source.value(field);
        }
        let mut found = None;
        self.visit(source, &mut |value| {
            found = Some(value);
            ControlFlow::Break(())
        });
        found
    }

    /// All values. `None` if there is no value at all, which is not the same as an empty list.
    pub fn values<'e, S: FieldSource<'e, F> + ?Sized>(&self, source: &mut S) -> Option<Vec<Value<'e>>> {
        let mut all = Vec::new();
        let known = self.visit(source, &mut |value| {
            all.push(value);
            ControlFlow::Continue(())
        });
        known.then_some(all)
    }

    /// Hands over each value until `visit` breaks. Returns whether there is a value at all; an empty list is one.
    pub fn visit<'e, S: FieldSource<'e, F> + ?Sized>(
        &self,
        source: &mut S,
        visit: &mut dyn FnMut(Value<'e>) -> ControlFlow<()>,
    ) -> bool {
        match self {
            Self::Field(FieldInfo { field, shape: Shape::One, .. }) => one(source.value(field), visit),
            Self::Field(info) => source.values(&info.field, visit),
            Self::Constant(constant) => one(Some(constant.to_value()), visit),
            Self::List(items) => {
                let mut all = Vec::with_capacity(items.len());
                for item in items {
                    let Some(value) = item.value(source) else { return false };
                    all.push(value);
                }
                // A break is the visitor's wish to see no more.
                let _ = all.into_iter().try_for_each(visit);
                true
            }
            Self::Transform(t) => t.visit(source, visit),
        }
    }
}

fn one<'e>(value: Option<Value<'e>>, visit: &mut dyn FnMut(Value<'e>) -> ControlFlow<()>) -> bool {
    value.is_some_and(|value| {
        // One value: there is nothing left to stop.
        let _ = visit(value);
        true
    })
}

impl<F> Transformed<F> {
    fn visit<'e, S: FieldSource<'e, F> + ?Sized>(
        &self,
        source: &mut S,
        visit: &mut dyn FnMut(Value<'e>) -> ControlFlow<()>,
    ) -> bool {
        match self.function {
            Transformer::Concat => one(self.concat(source), visit),
            Transformer::Join => one(self.join(source), visit),
            Transformer::Getopt => one(self.getopt(source), visit),
            Transformer::Len if self.arguments[0].shape() == Shape::List => {
                let mut items = 0;
                let known = self.arguments[0].visit(source, &mut |_| {
                    items += 1;
                    ControlFlow::Continue(())
                });
                one(known.then_some(Value::Unsigned(items)), visit)
            }
            _ => {
                let list = self.arguments[0].shape() == Shape::List;
                let mut known = false;
                let argument = self.arguments[0].visit(source, &mut |value| match self.each(value) {
                    Some(value) => {
                        known = true;
                        visit(value)
                    }
                    None => ControlFlow::Continue(()),
                });
                known || (list && argument)
            }
        }
    }

    /// Transformers of one value.
    fn each<'e>(&self, value: Value<'e>) -> Option<Value<'e>> {
        match (self.function, value) {
            (Transformer::Val, value) => Some(value),
            (Transformer::ToLower, Value::Text(text)) => Some(Value::Text(transform::to_lower(text))),
            (Transformer::ToUpper, Value::Text(text)) => Some(Value::Text(transform::to_upper(text))),
            (Transformer::Basename, Value::Text(text)) => Some(Value::Text(transform::basename(text))),
            (Transformer::Base64, Value::Text(text)) => transform::base64(&text).map(Value::owned_text),
            (Transformer::Len, Value::Text(text)) => u64::try_from(text.len()).ok().map(Value::Unsigned),
            _ => None,
        }
    }

    fn concat<'e, S: FieldSource<'e, F> + ?Sized>(&self, source: &mut S) -> Option<Value<'e>> {
        let mut all = Vec::new();
        for argument in &self.arguments {
            all.extend_from_slice(argument.value(source)?.as_text()?);
        }
        Some(Value::owned_text(all))
    }

    fn join<'e, S: FieldSource<'e, F> + ?Sized>(&self, source: &mut S) -> Option<Value<'e>> {
        let separator = self.arguments[0].value(source)?;
        let items = self.arguments[1].values(source)?;
        let items = items.iter().map(Value::as_text).collect::<Option<Vec<_>>>()?;
        Some(Value::owned_text(items.join(separator.as_text()?)))
    }

    fn getopt<'e, S: FieldSource<'e, F> + ?Sized>(&self, source: &mut S) -> Option<Value<'e>> {
        let mut arguments = Vec::new();
        for value in self.arguments[0].values(source)? {
            let Value::Text(text) = value else { return None };
            if self.arguments[0].shape() == Shape::List {
                arguments.push(text);
            } else {
                // A command line in one text: all that is known of where arguments end is the blanks.
                let words = text.split(|&b| b == b' ').filter(|word| !word.is_empty());
                arguments.extend(words.map(|word| Cow::Owned(word.to_vec())));
            }
        }
        let options = self.arguments[1].value(source)?;
        transform::getopt(&arguments, options.as_text()?, self.index?).map(Value::owned_text)
    }
}

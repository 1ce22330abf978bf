//! Fields looked up, transformers applied: which go with which.

use super::{Compiler, Failure, Side};
use crate::catalog::{FieldCatalog, FieldError, Shape, Type};
use crate::constant::Constant;
use crate::diagnostic::{Diagnostic, Kind};
use crate::input::{Input, Transformed};
use crate::operator::Transformer;
use crate::syntax::{FieldRef, Operand, Transform};

impl<C: FieldCatalog> Compiler<'_, C> {
    pub(crate) fn operand(&mut self, operand: &Operand, side: Side) -> Result<Input<C::Field>, Failure> {
        match operand {
            Operand::Field(field) => self.field(field, side, false),
            Operand::Transform(transform) => self.transform(transform, side),
            other => self.argument(other, side),
        }
    }

    fn field(&mut self, field: &FieldRef, side: Side, transformed: bool) -> Result<Input<C::Field>, Failure> {
        let info = match self.catalog.resolve(&field.name, field.argument.as_deref()) {
            Ok(info) => info,
            Err(FieldError::OtherEvent) => {
                self.other_event_fields.push((field.name.clone(), field.span));
                return Err(Failure::OtherEvent);
            }
            Err(FieldError::Unknown) => {
                let meant = self.catalog.suggestion(&field.name);
                return Err(self.error(
                    Diagnostic::new(
                        Kind::UnknownField,
                        field.span,
                        format!("unknown field `{}`", field.name),
                        "no such field",
                    )
                    .maybe_hint(meant.map(|close| format!("did you mean `{close}`?"))),
                ));
            }
            Err(FieldError::BadArgument { why }) => {
                return Err(self.error(Diagnostic::new(
                    Kind::BadArgument,
                    field.span,
                    format!("`{field}`: {why}"),
                    "wrong argument",
                )));
            }
        };
        if side == Side::Right && !info.right_side {
            return Err(self.error(Diagnostic::new(
                Kind::Type,
                field.span,
                format!("`{field}` cannot stand on the right side"),
                "only on the left",
            )));
        }
        if transformed && !info.transformable {
            return Err(self.error(Diagnostic::new(
                Kind::Type,
                field.span,
                format!("`{field}` cannot be transformed"),
                "only without transformer",
            )));
        }
        Ok(Input::Field(info))
    }

    /// An argument of a transformer. Literals are texts.
    fn argument(&mut self, operand: &Operand, side: Side) -> Result<Input<C::Field>, Failure> {
        match operand {
            Operand::Field(field) => self.field(field, side, true),
            Operand::Literal(literal) => Ok(Input::Constant(Constant::Text(literal.bytes.as_slice().into()))),
            Operand::List(list) => {
                let items: Vec<_> = list.items.iter().map(|item| self.argument(item, side)).collect();
                let items = items.into_iter().collect::<Result<Vec<_>, _>>()?;
                for (item, written) in items.iter().zip(&list.items) {
                    if item.shape() != Shape::One || item.ty() != Type::Text {
                        return Err(self.error(Diagnostic::new(
                            Kind::Type,
                            written.span(),
                            format!("`{written}` is not one text"),
                            "cannot be an item of a list",
                        )));
                    }
                }
                Ok(Input::List(items))
            }
            Operand::Transform(transform) => self.transform(transform, side),
        }
    }

    fn transform(&mut self, transform: &Transform, side: Side) -> Result<Input<C::Field>, Failure> {
        let function = transform.function;
        if function == Transformer::Val {
            // The field alone; that it may be on this side is checked with it.
            return match transform.arguments.first() {
                Some(Operand::Field(field)) => self.field(field, side, false),
                _ => Err(self.error(Diagnostic::new(
                    Kind::Type,
                    transform.span,
                    "`val()` takes a field",
                    "not a field",
                ))),
            };
        }
        // All arguments before the first failure is passed on: each may have a mistake to report.
        let arguments: Vec<_> = transform.arguments.iter().map(|a| self.argument(a, side)).collect();
        let arguments = arguments.into_iter().collect::<Result<Vec<_>, _>>()?;
        for (position, (argument, written)) in arguments.iter().zip(&transform.arguments).enumerate() {
            if let Err(expected) = takes(function, position, argument) {
                return Err(self.error(Diagnostic::new(
                    Kind::Type,
                    written.span(),
                    format!("`{function}()` takes {expected} here"),
                    describe(argument),
                )));
            }
        }
        let index = match (&transform.index, function) {
            (Some(option), Transformer::Getopt) if option.len() == 1 => option.bytes().next(),
            (_, Transformer::Getopt) => {
                return Err(self.error(
                    Diagnostic::new(
                        Kind::BadArgument,
                        transform.span,
                        "`getopt()` needs the letter of one option in brackets",
                        "which option?",
                    )
                    .hint("as in `getopt(list, \"a:b\")[a]`"),
                ));
            }
            _ => None,
        };
        Ok(Input::Transform(Transformed { function, arguments, index }))
    }
}

/// Whether the transformer takes this argument at this position, or what it takes instead.
fn takes<F>(function: Transformer, position: usize, argument: &Input<F>) -> Result<(), &'static str> {
    let text = matches!(argument.ty(), Type::Text | Type::Bytes);
    let one = argument.shape() == Shape::One;
    let list = argument.shape() == Shape::List;
    let (fits, expected) = match (function, position) {
        (Transformer::Len, _) => (text || list, "a text or a list"),
        (Transformer::Concat, _) | (Transformer::Join, 0) | (Transformer::Getopt, 1) => {
            (text && one, "one text")
        }
        (Transformer::Join, _) => (text && list, "a list of texts"),
        (Transformer::Getopt, _) => (text && (list || one), "a list of texts, or a command line"),
        _ => (text, "a text"),
    };
    if fits { Ok(()) } else { Err(expected) }
}

fn describe<F>(argument: &Input<F>) -> String {
    let name = argument.ty().name();
    match argument.shape() {
        Shape::One => name.to_owned(),
        Shape::Any => format!("several values, each a {name}"),
        Shape::List => format!("a list, each item a {name}"),
    }
}

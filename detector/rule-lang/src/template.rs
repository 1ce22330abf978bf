//! Output templates: text with `%field`, `%field[argument]`, `%transformer(field)` and `%<20>field` in it.

use crate::catalog::FieldCatalog;
use crate::compile::{Compiler, Side};
use crate::diagnostic::{Diagnostic, Kind, SourceId};
use crate::input::Input;
use crate::limits;
use crate::parse::parse_operand;
use crate::syntax::Operand;
use crate::token::Cursor;

/// A parsed output template.
#[derive(Debug, Clone)]
pub struct Template<F> {
    /// In the order written. Neighbouring literals are one.
    pub pieces: Vec<Piece<F>>,
}

/// A part of a template.
#[derive(Debug, Clone)]
pub enum Piece<F> {
    /// As it is.
    Literal(String),
    /// A value of the event.
    Field(TemplateField<F>),
}

/// A value of the event in a template.
#[derive(Debug, Clone)]
pub struct TemplateField<F> {
    /// Everything behind the `%` and the width, as written: `proc.aname[2]`, `tolower(proc.name)`.
    pub as_written: String,
    /// Pad with blanks to this many characters, or cut.
    pub width: Option<usize>,
    /// Where the value comes from; `None` for a field that only other events have.
    pub input: Option<Input<F>>,
    /// The fields by name as written, in order; one for a field, those inside for a transformer. These are the keys
    /// of the structured output.
    pub keys: Vec<TemplateKey<F>>,
}

/// A field that a template names.
#[derive(Debug, Clone)]
pub struct TemplateKey<F> {
    /// As written, with its argument.
    pub key: String,
    /// Where the value comes from; `None` for a field that only other events have.
    pub input: Option<Input<F>>,
}

impl<F> Template<F> {
    /// All keys, in order, repeated ones repeatedly.
    pub fn keys(&self) -> impl Iterator<Item = &TemplateKey<F>> {
        self.pieces.iter().flat_map(|piece| match piece {
            Piece::Literal(_) => [].iter(),
            Piece::Field(field) => field.keys.iter(),
        })
    }
}

/// Parses a template. A leading `*` (print although values are missing) changes nothing and is left out. `%` always
/// starts a field: there is no escape for it.
pub fn parse_template<C: FieldCatalog>(
    text: &str,
    catalog: &C,
) -> Result<Template<C::Field>, Vec<Diagnostic>> {
    parse_template_source(text, SourceId::default(), catalog)
}

/// Parses a template whose spans name `source`.
pub fn parse_template_source<C: FieldCatalog>(
    text: &str,
    source: SourceId,
    catalog: &C,
) -> Result<Template<C::Field>, Vec<Diagnostic>> {
    let mut pieces = Vec::new();
    let mut compiler = Compiler::new(catalog);
    let mut cursor = Cursor::new(text, source);
    cursor.eat("*");
    while !cursor.rest().is_empty() {
        let rest = cursor.rest();
        let literal = rest.find('%').unwrap_or(rest.len());
        if literal > 0 {
            pieces.push(Piece::Literal(rest[..literal].to_owned()));
            cursor.at += literal;
            continue;
        }
        match field(&mut cursor, &mut compiler) {
            Ok(field) => pieces.extend(field.map(Piece::Field)),
            Err(error) => compiler.errors.push(error),
        }
    }
    if compiler.errors.is_empty() { Ok(Template { pieces }) } else { Err(compiler.errors) }
}

/// A field; the cursor stands at its `%` and afterwards behind it. `None` if the compiler reported a mistake.
fn field<C: FieldCatalog>(
    cursor: &mut Cursor<'_>,
    compiler: &mut Compiler<'_, C>,
) -> Result<Option<TemplateField<C::Field>>, Diagnostic> {
    let percent = cursor.at;
    cursor.at += 1;
    let width = width(cursor)?;
    let start = cursor.at;
    let Some(operand) = parse_operand(cursor)? else {
        let end = cursor.peek().is_none();
        return Err(Diagnostic::new(
            Kind::Syntax,
            cursor.span_from(percent),
            if end { "the output ends with `%`" } else { "no field follows `%`" },
            "a field must follow",
        )
        .hint("`%` cannot be escaped; leave it out"));
    };
    let mut keys = Vec::new();
    let errors = compiler.errors.len();
    collect_keys(&operand, compiler, &mut keys);
    let input = if let [key] = keys.as_slice()
        && matches!(operand, Operand::Field(_))
    {
        key.input.clone()
    } else {
        compiler.operand(&operand, Side::Left).ok()
    };
    if compiler.errors.len() > errors {
        return Ok(None);
    }
    let as_written = cursor.text()[start..cursor.at].to_owned();
    Ok(Some(TemplateField { as_written, width, input, keys }))
}

/// `20` or `<20>`.
fn width(cursor: &mut Cursor<'_>) -> Result<Option<usize>, Diagnostic> {
    let start = cursor.at;
    let angle = cursor.eat("<");
    let rest = cursor.rest();
    let digits = &rest[..rest.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len())];
    cursor.at += digits.len();
    let closed = !angle || cursor.eat(">");
    if !angle && digits.is_empty() {
        return Ok(None);
    }
    let error =
        |message: String| Diagnostic::new(Kind::Syntax, cursor.span_from(start), message, "not a width");
    if digits.is_empty() || !closed {
        return Err(error("a width is written `%<20>field`".to_owned()));
    }
    match digits.parse() {
        Ok(width) if width <= limits::TEMPLATE_WIDTH => Ok(Some(width)),
        _ => Err(error(format!("the width is more than {}", limits::TEMPLATE_WIDTH))),
    }
}

fn collect_keys<C: FieldCatalog>(
    operand: &Operand,
    compiler: &mut Compiler<'_, C>,
    keys: &mut Vec<TemplateKey<C::Field>>,
) {
    match operand {
        Operand::Field(field) => {
            let input = compiler.operand(operand, Side::Left).ok();
            keys.push(TemplateKey { key: field.to_string(), input });
        }
        Operand::Literal(_) => {}
        Operand::List(list) => list.items.iter().for_each(|item| collect_keys(item, compiler, keys)),
        Operand::Transform(t) => t.arguments.iter().for_each(|a| collect_keys(a, compiler, keys)),
    }
}

//! Falco's rule language: conditions and output templates. Pure: no IO, and no field known by name.
//!
//! ```text
//! text --parse--> Expr --expand(Names)--> Expr --compile(FieldCatalog)--> Program --matches(FieldSource)--> bool
//!                 names, spans             no names                       typed, prepared
//! text --parse_template(FieldCatalog)--> Template
//! ```
//!
//! - [`parse`] reports all mistakes of a text at once, each with a [`Span`] in bytes. Give every text its own
//!   [`SourceId`] ([`parse_source`]), and a mistake inside an expanded macro still points at the macro's text.
//! - [`expand`] puts in macros and lists, which a caller offers through [`Names`]; items of lists are read by
//!   [`parse_list_item`].
//! - [`compile`] resolves fields through a [`FieldCatalog`] and reads values as the field's type.
//! - [`Program::matches`] asks a [`FieldSource`] for values. A field without value makes every comparison false, also
//!   `!=`, and so `not` of it true. [`Program::explain`] tells what each check saw.
//!   [`Program::expr`] is the typed tree, [`Program::values_allowed`] the inference of event types.
//!
//! The language itself is described in [`REFERENCE`].

mod allowed;
mod catalog;
mod compile;
mod constant;
mod diagnostic;
mod expand;
mod explain;
mod glob;
mod input;
pub mod limits;
mod operator;
mod parse;
mod path_prefix;
mod print;
mod program;
mod suggest;
mod syntax;
mod template;
mod test;
mod token;
mod transform;
mod value;

pub use catalog::{FieldCatalog, FieldError, FieldInfo, Shape, Type};
pub use compile::compile;
pub use constant::{Constant, Set};
pub use diagnostic::{Diagnostic, Kind, SourceId, Span};
pub use expand::{Names, NoNames, expand};
pub use explain::{Explanation, Finding};
pub use glob::Glob;
pub use input::{Input, Transformed};
pub use operator::{Modifier, Operator, Transformer};
pub use parse::{Parsed, parse, parse_list_item, parse_source};
pub use path_prefix::PathPrefixes;
pub use program::{CompiledCheck, Node, Program};
pub use suggest::did_you_mean;
pub use syntax::{Check, Expr, ExprKind, FieldRef, List, Literal, Operand, Transform};
pub use template::{Piece, Template, TemplateField, TemplateKey, parse_template, parse_template_source};
pub use test::{Matcher, Test};
pub use value::{FieldSource, Value};

/// The language for people who write rules: grammar, operators, transformers, missing values.
pub const REFERENCE: &str = include_str!("../reference.md");

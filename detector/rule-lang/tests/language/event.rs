//! An event and a catalog made for the tests: fields of every type and shape, with and without value.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use detector_rule_lang::{
    Diagnostic, Expr, FieldCatalog, FieldError, FieldInfo, FieldSource, Names, Operand, Program, Shape,
    SourceId, Type, Value, compile, did_you_mean, expand, parse, parse_list_item,
};

/// Name, type, shape.
const FIELDS: [(&str, Type, Shape); 17] = [
    ("t.name", Type::Text, Shape::One),
    ("t.same", Type::Text, Shape::One),
    ("t.path", Type::Text, Shape::One),
    ("t.empty", Type::Text, Shape::One),
    ("t.null", Type::Text, Shape::One),
    ("t.arg", Type::Text, Shape::One),
    ("t.fixed", Type::Text, Shape::One),
    ("b.bytes", Type::Bytes, Shape::One),
    ("n.signed", Type::Signed, Shape::One),
    ("n.unsigned", Type::Unsigned, Shape::One),
    ("n.null", Type::Unsigned, Shape::One),
    ("n.float", Type::Float, Shape::One),
    ("f.yes", Type::Bool, Shape::One),
    ("f.null", Type::Bool, Shape::One),
    ("a.names", Type::Text, Shape::Any),
    ("l.items", Type::Text, Shape::List),
    ("l.null", Type::Text, Shape::List),
];

pub(crate) struct Catalog;

impl FieldCatalog for Catalog {
    type Field = String;

    fn resolve(&self, name: &str, argument: Option<&str>) -> Result<FieldInfo<String>, FieldError> {
        if name.starts_with("other.") {
            return Err(FieldError::OtherEvent);
        }
        let Some(&(_, ty, shape)) = FIELDS.iter().find(|(known, ..)| *known == name) else {
            return Err(FieldError::Unknown);
        };
        match (name, argument) {
            ("t.arg", None) => return Err(FieldError::BadArgument { why: "needs an argument".to_owned() }),
            ("t.arg", Some(_)) | (_, None) => {}
            (_, Some(_)) => return Err(FieldError::BadArgument { why: "takes no argument".to_owned() }),
        }
        let field = argument.map_or_else(|| name.to_owned(), |argument| format!("{name}[{argument}]"));
        let free = !matches!(name, "t.fixed" | "a.names");
        Ok(FieldInfo { field, ty, shape, transformable: free, right_side: free })
    }

    fn suggestion(&self, name: &str) -> Option<String> {
        did_you_mean(name, FIELDS.iter().map(|(known, ..)| *known)).map(str::to_owned)
    }
}

pub(crate) struct Event;

impl<'e> FieldSource<'e, String> for Event {
    fn value(&mut self, field: &String) -> Option<Value<'e>> {
        Some(match field.as_str() {
            "t.name" | "t.same" => Value::text("Sshd"),
            "t.path" => Value::text("/usr/local/bin/ssh"),
            "t.empty" => Value::text(""),
            "t.arg[1]" => Value::text("one"),
            "t.arg[a b]" => Value::text("two words"),
            "t.fixed" => Value::text("execve"),
            "b.bytes" => Value::text(b"\x00\xca\xfe\xba\xbe\xff"),
            "n.signed" => Value::Signed(-5),
            "n.unsigned" => Value::Unsigned(4096),
            "n.float" => Value::Float(1.5),
            "f.yes" => Value::Bool(true),
            _ => return None,
        })
    }

    fn values(&mut self, field: &String, visit: &mut dyn FnMut(Value<'e>) -> ControlFlow<()>) -> bool {
        let all: &[&str] = match field.as_str() {
            "a.names" => &["bash", "sshd", "systemd"],
            "l.items" => &["-c", "-x", "file"],
            _ => return false,
        };
        let _ = all.iter().try_for_each(|text| visit(Value::text(*text)));
        true
    }
}

/// Macros and lists by their texts.
#[derive(Default)]
pub(crate) struct Named {
    macros: BTreeMap<String, Expr>,
    lists: BTreeMap<String, Vec<Operand>>,
}

impl Named {
    pub(crate) fn with_macro(mut self, name: &str, condition: &str) -> Self {
        // Each text has its own number, in the order of definition from 1.
        let source = SourceId(u32::try_from(self.macros.len() + self.lists.len() + 1).unwrap());
        let parsed = detector_rule_lang::parse_source(condition, source);
        assert_eq!(parsed.errors, [], "{condition}");
        self.macros.insert(name.to_owned(), parsed.expr.unwrap());
        self
    }

    pub(crate) fn with_list(mut self, name: &str, items: &[&str]) -> Self {
        let source = SourceId(u32::try_from(self.macros.len() + self.lists.len() + 1).unwrap());
        let items = items.iter().flat_map(|item| parse_list_item(item, source).unwrap()).collect();
        self.lists.insert(name.to_owned(), items);
        self
    }
}

impl Names for Named {
    fn macro_(&self, name: &str) -> Option<&Expr> {
        self.macros.get(name)
    }

    fn list(&self, name: &str) -> Option<&[Operand]> {
        self.lists.get(name).map(Vec::as_slice)
    }

    fn macro_names(&self) -> Vec<&str> {
        self.macros.keys().map(String::as_str).collect()
    }
}

/// Parse, expand, compile.
pub(crate) fn build(text: &str, names: &Named) -> Result<Program<String>, Vec<Diagnostic>> {
    let parsed = parse(text);
    match parsed.expr {
        None => Err(parsed.errors),
        Some(expr) => compile(&expand(&expr, names)?, &Catalog),
    }
}

/// Each condition holds for [`Event`].
#[track_caller]
pub(crate) fn holds(conditions: &[&str]) {
    each(conditions, true);
}

/// Each condition compiles and does not hold for [`Event`].
#[track_caller]
pub(crate) fn fails(conditions: &[&str]) {
    each(conditions, false);
}

#[track_caller]
fn each(conditions: &[&str], expected: bool) {
    for condition in conditions {
        match build(condition, &Named::default()) {
            Ok(program) => {
                assert_eq!(program.matches(&mut Event), expected, "{condition}");
                assert_eq!(program.explain(&mut Event).holds, expected, "explain: {condition}");
            }
            Err(errors) => panic!("{condition}: {}", errors[0]),
        }
    }
}

/// Each condition parses, and is refused with a message that contains the text.
#[track_caller]
pub(crate) fn refused(cases: &[(&str, &str)]) {
    for (condition, message) in cases {
        assert_eq!(parse(condition).errors, [], "{condition}");
        match build(condition, &Named::default()) {
            Ok(_) => panic!("{condition} was accepted"),
            Err(errors) => {
                assert!(errors[0].to_string().contains(message), "{condition}: {}", errors[0]);
                let span = errors[0].span;
                assert!(
                    condition.get(span.start..span.end).is_some_and(|marked| !marked.is_empty()),
                    "{span:?}"
                );
            }
        }
    }
}

//! Exceptions of a rule: checked, and written out as the condition that they stand for.

use crate::rules::{
    files::{Entry, Exception, LocatedText, Place, Scalar},
    report::{Code, Diagnostic, did_you_mean},
};

/// Operators that compare with one value.
const SINGLE: [&str; 16] = [
    "=",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "contains",
    "icontains",
    "startswith",
    "endswith",
    "bcontains",
    "bstartswith",
    "glob",
    "iglob",
    "regex",
];
/// Operators that compare with a list.
const LIST: [&str; 3] = ["in", "pmatch", "intersects"];
/// Operators that a modifier makes compare with a list.
const MODIFIABLE: [&str; 9] =
    ["=", "==", "contains", "icontains", "startswith", "endswith", "glob", "iglob", "regex"];
/// The modifiers.
const MODIFIERS: [&str; 3] = ["oneof", "anyof", "allof"];

/// What is wrong with the shape of an exception: numbers of fields, operators and values.
pub(super) fn check(exception: &Exception) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut wrong = |place: &Place, message: String, help: Option<String>| {
        let diagnostic = Diagnostic::new(Code::Validate, place.clone(), message).maybe_help(help);
        found.push(diagnostic.within(&exception.standing.within));
    };
    let name = &exception.name;
    match (&exception.fields, &exception.comps) {
        (None, _) => wrong(&exception.standing.place, format!("exception `{name}` has no `fields`"), None),
        (Some(Entry::One(_)), None) => {}
        (Some(Entry::One(_)), Some(Entry::One(comp))) => {
            if !takes_list(&comp.text) {
                let known = if is_operator(&comp.text) { None } else { unknown_operator(&comp.text) };
                let help = known.unwrap_or_else(|| {
                    "use `in`, `pmatch`, `intersects` or an operator with `oneof`, `anyof`, `allof`; or make `fields` and `comps` lists"
                        .to_owned()
                });
                let message =
                    format!("`{}` does not compare one field with a list of values", comp.text.trim());
                wrong(&comp.place, message, Some(help));
            }
        }
        (Some(Entry::One(field)), Some(Entry::Many(_, place))) => {
            let help = format!("write `fields: [{}]`, or one operator", field.text);
            wrong(place, "`comps` is a list and `fields` is not".to_owned(), Some(help));
        }
        (Some(Entry::Many(fields, _)), Some(Entry::One(comp))) => {
            let help = format!(
                "write `comps: [{}]` with one operator for each of {} fields",
                comp.text,
                fields.len()
            );
            wrong(&comp.place, "`fields` is a list and `comps` is not".to_owned(), Some(help));
        }
        (Some(Entry::Many(fields, _)), comps) => {
            for field in fields {
                if let Entry::Many(_, place) = field {
                    wrong(place, "a field must be text".to_owned(), None);
                }
            }
            let comps: &[Entry] = match comps {
                Some(Entry::Many(comps, place)) => {
                    if comps.len() != fields.len() {
                        let message = format!("{} operators for {} fields", comps.len(), fields.len());
                        wrong(place, message, Some("give one operator for each field".to_owned()));
                    }
                    comps
                }
                _ => &[],
            };
            for comp in comps {
                match comp {
                    Entry::One(comp) if is_operator(&comp.text) => {}
                    Entry::One(comp) => {
                        let message = format!("`{}` is no operator", comp.text.trim());
                        wrong(&comp.place, message, unknown_operator(&comp.text));
                    }
                    Entry::Many(_, place) => wrong(place, "an operator must be text".to_owned(), None),
                }
            }
        }
    }
    found.extend(check_values(exception));
    found
}

/// What is wrong with the values.
fn check_values(exception: &Exception) -> Vec<Diagnostic> {
    let wrong = |place: &Place, message: String, help: &str| {
        Diagnostic::new(Code::Validate, place.clone(), message).help(help).within(&exception.standing.within)
    };
    let mut found = Vec::new();
    for value in &exception.values {
        match (&exception.fields, value) {
            (Some(Entry::Many(fields, _)), Entry::Many(values, place)) => {
                if values.len() != fields.len() {
                    let message = format!("{} values for {} fields", values.len(), fields.len());
                    found.push(wrong(place, message, "give one value, or list of values, for each field"));
                }
                for inner in values {
                    if let Entry::Many(items, _) = inner {
                        let nested = items.iter().filter(|item| matches!(item, Entry::Many(..)));
                        found.extend(nested.map(|item| {
                            wrong(
                                item.place(),
                                "a list of lists of values".to_owned(),
                                "a list for one field holds values only",
                            )
                        }));
                    }
                }
            }
            (Some(Entry::Many(fields, _)), Entry::One(value)) => {
                let message = format!("one value for {} fields", fields.len());
                found.push(wrong(
                    &value.place,
                    message,
                    "`fields` is a list: write each of `values` as a list too",
                ));
            }
            (Some(Entry::One(_)), Entry::Many(_, place)) => {
                let help = "`fields` is one field: write `values` as one list of values";
                found.push(wrong(place, "a list where a value of the field stands".to_owned(), help));
            }
            (Some(Entry::One(_)), Entry::One(_)) | (None, _) => {}
        }
    }
    found
}

fn unknown_operator(written: &str) -> Option<String> {
    did_you_mean(written.trim(), SINGLE.into_iter().chain(LIST))
}

fn is_operator(written: &str) -> bool {
    SINGLE.contains(&written.trim()) || takes_list(written)
}

/// Whether the operator compares with a list.
fn takes_list(written: &str) -> bool {
    let words: Vec<&str> = written.split_whitespace().collect();
    match words.as_slice() {
        [operator] => LIST.contains(operator),
        [operator, modifier] => MODIFIABLE.contains(operator) && MODIFIERS.contains(modifier),
        _ => false,
    }
}

/// The fields that an exception compares.
pub(super) fn fields(exception: &Exception) -> Vec<&Scalar> {
    match &exception.fields {
        None => Vec::new(),
        Some(Entry::One(field)) => vec![field],
        Some(Entry::Many(fields, _)) => fields
            .iter()
            .filter_map(|field| match field {
                Entry::One(field) => Some(field),
                Entry::Many(..) => None,
            })
            .collect(),
    }
}

/// The operators that an exception compares with, as written or by default.
pub(super) fn operators(exception: &Exception) -> Vec<&str> {
    match (&exception.fields, &exception.comps) {
        (_, Some(Entry::One(comp))) => vec![comp.text.trim()],
        (_, Some(Entry::Many(comps, _))) => comps
            .iter()
            .filter_map(|comp| match comp {
                Entry::One(comp) => Some(comp.text.trim()),
                Entry::Many(..) => None,
            })
            .collect(),
        (Some(Entry::Many(fields, _)), None) => vec!["="; fields.len()],
        (_, None) => vec!["in"],
    }
}

/// The condition that holds when the exception applies; `None` when it has no values and never does. Only for an
/// exception whose shape [`check`] found right.
pub(super) fn condition(exception: &Exception) -> Option<LocatedText> {
    if exception.values.is_empty() {
        return None;
    }
    let mut text = LocatedText::default();
    match exception.fields.as_ref()? {
        Entry::One(field) => {
            let operator = operators(exception).first().copied().unwrap_or("in");
            text.push_made(&field.text, &field.place);
            text.push_made(&format!(" {operator} "), &field.place);
            push_list(&mut text, &exception.values, &exception.standing.place);
        }
        Entry::Many(..) => {
            let (fields, operators) = (fields(exception), operators(exception));
            for (row, values) in exception.values.iter().enumerate() {
                let Entry::Many(values, place) = values else { continue };
                text.push_made(if row == 0 { "(" } else { " or (" }, place);
                for (column, ((field, operator), value)) in
                    fields.iter().zip(&operators).zip(values).enumerate()
                {
                    text.push_made(if column == 0 { "" } else { " and " }, place);
                    text.push_made(&field.text, &field.place);
                    text.push_made(&format!(" {operator} "), &field.place);
                    push_value(&mut text, value, takes_list(operator));
                }
                text.push_made(")", place);
            }
        }
    }
    Some(text)
}

fn push_value(text: &mut LocatedText, value: &Entry, list: bool) {
    match value {
        Entry::Many(values, place) => push_list(text, values, place),
        Entry::One(scalar) if list && scalar.text.starts_with('(') => {
            text.push_made(&scalar.text, &scalar.place);
        }
        Entry::One(_) if list => push_list(text, std::slice::from_ref(value), value.place()),
        Entry::One(scalar) => text.push_made(&quoted(&scalar.text), &scalar.place),
    }
}

fn push_list(text: &mut LocatedText, values: &[Entry], place: &Place) {
    text.push_made("(", place);
    let mut first = true;
    for value in values {
        if let Entry::One(scalar) = value {
            text.push_made(if first { "" } else { ", " }, place);
            text.push_made(&quoted(&scalar.text), &scalar.place);
            first = false;
        }
    }
    text.push_made(")", place);
}

/// As it reads in a condition. What has quotes keeps them; what could not stand there bare gets them. A comma alone
/// parts two values, as it does in Falco.
fn quoted(value: &str) -> String {
    let special = |character: char| character.is_whitespace() || "()\"'=".contains(character);
    if value.starts_with(['"', '\'']) || !value.contains(special) {
        return value.to_owned();
    }
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::{check, condition};
    use crate::rules::files::{Exception, Item, RuleAction, SourceFile, read_items};

    fn exception(keys: &str) -> Exception {
        let yaml = format!(
            "- rule: r\n  desc: d\n  condition: c\n  output: o\n  priority: info\n  exceptions:\n    - {{name: e, {keys}}}\n"
        );
        let read = read_items(&SourceFile::new("e.yaml", yaml));
        assert_eq!(read.diagnostics, []);
        match read.items.into_iter().next() {
            Some(Item::Rule(rule)) => match rule.action {
                RuleAction::Define(keys) => {
                    keys.exceptions.and_then(|mut all| all.pop()).expect("one exception")
                }
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_form_becomes_a_condition() {
        let cases = [
            ("fields: proc.name, values: [a, b]", Some("proc.name in (a, b)")),
            ("fields: proc.name, comps: pmatch, values: [/a]", Some("proc.name pmatch (/a)")),
            (
                "fields: proc.name, comps: startswith anyof, values: [/a]",
                Some("proc.name startswith anyof (/a)"),
            ),
            ("fields: proc.name, values: []", None),
            ("fields: proc.name", None),
            (
                "fields: [a.b, c.d], values: [[x, y], [z, w]]",
                Some("(a.b = x and c.d = y) or (a.b = z and c.d = w)"),
            ),
            (
                "fields: [a.b, c.d], comps: [in, contains], values: [[[x, y], 'p q'], [lst, z]]",
                Some("(a.b in (x, y) and c.d contains \"p q\") or (a.b in (lst) and c.d contains z)"),
            ),
            ("fields: [a.b], comps: [in], values: [['(x, y)']]", Some("(a.b in (x, y))")),
            (
                "fields: [a.b], values: [['\"x y\"'], ['k=v'], ['c:\\d e']]",
                Some("(a.b = \"x y\") or (a.b = \"k=v\") or (a.b = \"c:\\\\d e\")"),
            ),
        ];
        for (keys, expected) in cases {
            let exception = exception(keys);
            assert_eq!(check(&exception), [], "{keys}");
            let text = condition(&exception);
            assert_eq!(text.as_ref().map(crate::rules::files::LocatedText::as_str), expected, "{keys}");
        }
    }

    #[test]
    fn shapes_that_do_not_fit_are_told() {
        let cases = [
            (
                "fields: a.b, comps: startswith, values: [x]",
                "`startswith` does not compare one field with a list of values",
            ),
            ("fields: a.b, comps: [in], values: [x]", "`comps` is a list and `fields` is not"),
            ("fields: [a.b], comps: in, values: [[x]]", "`fields` is a list and `comps` is not"),
            ("fields: [a.b, c.d], comps: [in], values: [[x, y]]", "1 operators for 2 fields"),
            ("fields: [a.b], comps: [startwith], values: [[x]]", "`startwith` is no operator"),
            ("fields: [a.b], comps: ['!=  anyof'], values: [[x]]", "`!=  anyof` is no operator"),
            ("fields: [a.b, c.d], values: [[x]]", "1 values for 2 fields"),
            ("fields: [a.b], values: [x]", "one value for 1 fields"),
            ("fields: a.b, values: [[x]]", "a list where a value of the field stands"),
            ("fields: [a.b], comps: [in], values: [[[[x]]]]", "a list of lists of values"),
        ];
        for (keys, expected) in cases {
            let messages: Vec<String> =
                check(&exception(keys)).into_iter().map(|found| found.message).collect();
            assert_eq!(messages, [expected], "{keys}");
        }
    }
}

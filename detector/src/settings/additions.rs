//! `append_output` and `static_fields`: what is added to the outputs of rules.

use std::{collections::BTreeMap, sync::Arc};

use super::reader::SettingError;
use crate::{
    config::{Kind, Tree},
    rules::{
        Appended,
        resolve::{AppendOutput, ExtraField},
    },
};

const ENTRY: &str = "a list of maps with `match`, `extra_output`, `extra_fields`, `suggested_output`";
const FIELDS: &str = "a list of fields and of `NAME: FORMAT`, each name once";

/// `append_output`; `None` when it is not set.
pub(super) fn appended(tree: &Tree, errors: &mut Vec<SettingError>) -> Option<Vec<Appended>> {
    let value = tree.get("append_output")?;
    let entries = match &value.kind {
        Kind::List(entries) => entries,
        Kind::Null => return None,
        _ => {
            errors.push(wrong("append_output", value, ENTRY));
            return None;
        }
    };
    Some(entries.iter().filter_map(|entry| one(entry, errors)).collect())
}

fn one(entry: &Tree, errors: &mut Vec<SettingError>) -> Option<Appended> {
    let Kind::Map(keys) = &entry.kind else {
        errors.push(wrong("append_output", entry, ENTRY));
        return None;
    };
    let mut appended = Appended::default();
    let output = &mut appended.output;
    for (key, value) in keys {
        match key.as_str() {
            "match" => matched(value, output, errors),
            "extra_output" => output.format = text("append_output.extra_output", value, errors)?,
            "extra_fields" => output.fields = fields(value, errors)?,
            "suggested_output" => match text("append_output.suggested_output", value, errors)?.as_str() {
                "true" => appended.suggested = true,
                "false" => {}
                _ => errors.push(wrong("append_output.suggested_output", value, "true or false")),
            },
            _ => errors.push(wrong("append_output", entry, ENTRY)),
        }
    }
    Some(appended)
}

/// All that it names has to hold.
fn matched(value: &Tree, output: &mut AppendOutput, errors: &mut Vec<SettingError>) {
    const WANTED: &str = "a map with `rule`, `source`, `tags`";
    let Kind::Map(keys) = &value.kind else {
        errors.push(wrong("append_output.match", value, WANTED));
        return;
    };
    for (key, value) in keys {
        match (key.as_str(), &value.kind) {
            // An empty text is no condition, as in Falco.
            ("rule", _) => {
                output.rule = text("append_output.match.rule", value, errors).filter(|name| !name.is_empty());
            }
            ("source", _) => {
                output.source =
                    text("append_output.match.source", value, errors).filter(|name| !name.is_empty());
            }
            ("tags", Kind::List(tags)) => {
                output
                    .tags
                    .extend(tags.iter().filter_map(|tag| text("append_output.match.tags", tag, errors)));
            }
            _ => errors.push(wrong("append_output.match", value, WANTED)),
        }
    }
}

fn fields(value: &Tree, errors: &mut Vec<SettingError>) -> Option<Vec<ExtraField>> {
    const KEY: &str = "append_output.extra_fields";
    let Kind::List(items) = &value.kind else {
        errors.push(wrong(KEY, value, FIELDS));
        return None;
    };
    let mut fields: Vec<ExtraField> = Vec::new();
    for item in items {
        let field = match &item.kind {
            Kind::Scalar(field) => ExtraField::Plain(field.clone()),
            Kind::Map(pair) if pair.len() == 1 => {
                let (name, format) = &pair[0];
                ExtraField::Formatted { name: name.clone(), format: text(KEY, format, errors)? }
            }
            _ => {
                errors.push(wrong(KEY, item, FIELDS));
                continue;
            }
        };
        if fields.iter().any(|other| other.name() == field.name() && *other != field) {
            errors.push(wrong(KEY, item, FIELDS));
        }
        fields.push(field);
    }
    Some(fields)
}

/// `static_fields`: names with texts.
pub(super) fn static_fields(tree: &Tree, errors: &mut Vec<SettingError>) -> BTreeMap<String, String> {
    let Some(value) = tree.get("static_fields") else { return BTreeMap::new() };
    let pairs = match &value.kind {
        Kind::Map(pairs) => pairs,
        Kind::Null => return BTreeMap::new(),
        _ => {
            errors.push(wrong("static_fields", value, "a map of names and texts"));
            return BTreeMap::new();
        }
    };
    let mut read = |(name, value): &(String, Tree)| {
        Some((name.clone(), text(&format!("static_fields.{name}"), value, errors)?))
    };
    pairs.iter().filter_map(&mut read).collect()
}

/// `Null` is the empty text.
fn text(key: &str, value: &Tree, errors: &mut Vec<SettingError>) -> Option<String> {
    match &value.kind {
        Kind::Scalar(text) => Some(text.clone()),
        Kind::Null => Some(String::new()),
        _ => {
            errors.push(wrong(key, value, "text"));
            None
        }
    }
}

fn wrong(key: &str, value: &Tree, wanted: &'static str) -> SettingError {
    SettingError::Kind {
        place: Arc::clone(&value.place),
        key: key.to_owned(),
        wanted,
        found: super::values::described(value),
    }
}

#[cfg(test)]
mod tests {
    use super::{appended, static_fields};
    use crate::{
        config,
        rules::{
            Appended,
            resolve::{AppendOutput, ExtraField},
        },
    };

    fn tree(overrides: &[&str]) -> config::Tree {
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        config::load(None, &overrides).unwrap().tree
    }

    #[test]
    fn an_entry_says_what_is_added_to_which_rules() {
        let entry = "append_output[]={match: {source: syscall, tags: [a, b], rule: R}, extra_output: on %evt.cpu, \
            extra_fields: [home: x %proc.cwd, evt.hostname], suggested_output: true}";
        let mut errors = Vec::new();
        let read = appended(&tree(&[entry]), &mut errors).unwrap();
        assert_eq!(errors, []);
        let fields = vec![
            ExtraField::Formatted { name: "home".to_owned(), format: "x %proc.cwd".to_owned() },
            ExtraField::Plain("evt.hostname".to_owned()),
        ];
        let output = AppendOutput {
            format: "on %evt.cpu".to_owned(),
            fields,
            source: Some("syscall".to_owned()),
            rule: Some("R".to_owned()),
            tags: ["a".to_owned(), "b".to_owned()].into(),
        };
        assert_eq!(read, [Appended { output, suggested: true }]);
        assert_eq!(appended(&tree(&[]), &mut errors), None);
    }

    #[test]
    fn what_cannot_be_read_is_said_with_its_place() {
        for (entry, key) in [
            ("append_output=x", "`append_output` takes a list"),
            ("append_output[]={match: x}", "`append_output.match` takes a map"),
            ("append_output[]={extra_fields: x}", "`append_output.extra_fields` takes"),
            ("append_output[]={extra_fields: [a: b, a: c]}", "each name once"),
            ("append_output[]={suggested_output: maybe}", "takes true or false"),
            ("append_output[]={extra_outputs: x}", "`append_output` takes a list"),
        ] {
            let mut errors = Vec::new();
            appended(&tree(&[entry]), &mut errors);
            assert!(errors.iter().any(|error| error.to_string().contains(key)), "{entry}: {errors:?}");
        }
    }

    #[test]
    fn static_fields_are_texts() {
        let mut errors = Vec::new();
        let read = static_fields(&tree(&["static_fields.rack=7", "static_fields.row=b"]), &mut errors);
        assert_eq!(
            read.into_iter().collect::<Vec<_>>(),
            [("rack".into(), "7".into()), ("row".into(), "b".into())]
        );
        assert_eq!(errors, []);
        static_fields(&tree(&["static_fields={a: [b]}"]), &mut errors);
        assert!(errors[0].to_string().contains("`static_fields.a` takes text"), "{errors:?}");
    }
}

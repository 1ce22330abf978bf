//! `--rule-schema`: the shape of rule files as JSON schema, for editors and for checks before a roll-out. What a key
//! means is said by the loader; the schema says which there are.

use serde_json::{Value, json};

use super::keys::{EXCEPTION, LIST, MACRO, RULE, RULE_APPEND, RULE_REPLACE};

/// What `priority` takes; the loader reads it without regard to case, and its beginning is enough.
const PRIORITIES: [&str; 9] =
    ["EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFORMATIONAL", "INFO", "DEBUG"];

/// The schema, ready to print.
#[must_use]
pub fn rule_schema() -> String {
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Rule file of detector",
        "type": ["array", "null"],
        "items": { "oneOf": [
            item("required_engine_version", &["required_engine_version"]),
            item("required_plugin_versions", &["required_plugin_versions"]),
            item("list", &LIST),
            item("macro", &MACRO),
            item("rule", &RULE),
        ] },
    });
    format!("{schema:#}")
}

/// An item that is told by this key.
fn item(kind: &str, keys: &[&str]) -> Value {
    let mut schema = map(keys);
    schema["title"] = kind.into();
    schema["required"] = json!([kind]);
    if keys.contains(&"override") {
        schema["properties"]["override"] = overrides(kind);
    }
    schema
}

fn map(keys: &[&str]) -> Value {
    let properties: serde_json::Map<String, Value> =
        keys.iter().map(|key| ((*key).to_owned(), of(key))).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn of(key: &str) -> Value {
    match key {
        "append" | "enabled" | "warn_evttypes" | "skip-if-unknown-filter" | "capture" => {
            json!({ "type": "boolean" })
        }
        "capture_duration" => json!({ "type": "integer", "minimum": 0 }),
        "priority" => json!({ "type": "string", "examples": PRIORITIES }),
        "tags" => json!({ "type": "array", "items": { "type": "string" } }),
        // Lists may stand in lists, by their names; numbers are taken as texts.
        "items" => json!({ "type": "array", "items": { "type": ["string", "number", "boolean"] } }),
        "exceptions" => json!({ "type": "array", "items": exception() }),
        "required_engine_version" => json!({ "type": ["string", "integer"] }),
        "required_plugin_versions" => json!({ "type": "array", "items": plugin(true) }),
        _ => json!({ "type": "string" }),
    }
}

/// Fields, comparisons and values have shapes that go together; the loader checks these.
fn exception() -> Value {
    let mut schema = map(&EXCEPTION);
    schema["required"] = json!(["name"]);
    for key in ["fields", "comps"] {
        schema["properties"][key] = json!({ "type": ["string", "array"], "items": { "type": "string" } });
    }
    schema["properties"]["values"] = json!({ "type": "array" });
    schema
}

fn plugin(with_alternatives: bool) -> Value {
    let mut schema = map(&["name", "version"]);
    schema["required"] = json!(["name", "version"]);
    if with_alternatives {
        schema["properties"]["alternatives"] = json!({ "type": "array", "items": plugin(false) });
    }
    schema
}

/// Which keys of an item there is to be added to, and which can be replaced.
fn overrides(kind: &str) -> Value {
    let (append, replace): (&[&str], &[&str]) = match kind {
        "list" => (&["items"], &["items"]),
        "macro" => (&["condition"], &["condition"]),
        _ => (&RULE_APPEND, &RULE_REPLACE),
    };
    let properties: serde_json::Map<String, Value> = replace
        .iter()
        .map(|key| {
            let words: &[&str] = if append.contains(key) { &["append", "replace"] } else { &["replace"] };
            ((*key).to_owned(), json!({ "type": "string", "enum": words }))
        })
        .collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false, "minProperties": 1 })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::rule_schema;
    use crate::yaml::{self, Node, Value as Yaml};

    /// What of a value does not fit a schema, as far as our schema uses the language of schemas.
    fn misfit(schema: &Value, node: &Node) -> Option<String> {
        if let Some(kinds) = schema["oneOf"].as_array() {
            let fitting = kinds.iter().filter(|kind| misfit(kind, node).is_none()).count();
            return (fitting != 1).then(|| format!("{fitting} kinds of items fit {node:?}"));
        }
        let types = &schema["type"];
        let takes = |name: &str| {
            types == name || types.as_array().is_some_and(|all| all.iter().any(|one| one == name))
        };
        match &node.value {
            Yaml::Null => (!takes("null")).then(|| "nothing".to_owned()),
            Yaml::Scalar(text, _) => {
                let fits = takes("string")
                    || (takes("boolean") && ["true", "false"].contains(&text.as_str()))
                    || ((takes("integer") || takes("number")) && text.parse::<f64>().is_ok());
                (!fits).then(|| format!("`{text}` for {types}"))
            }
            Yaml::Sequence(items) if takes("array") => {
                items.iter().find_map(|item| schema.get("items").and_then(|schema| misfit(schema, item)))
            }
            Yaml::Mapping(pairs) if takes("object") => {
                let name = |node: &Node| match &node.value {
                    Yaml::Scalar(text, _) => text.clone(),
                    _ => String::new(),
                };
                let names: Vec<String> = pairs.iter().map(|(key, _)| name(key)).collect();
                let required = schema["required"].as_array().into_iter().flatten();
                let missing = required
                    .filter_map(Value::as_str)
                    .find(|key| !names.iter().any(|name| name == key))
                    .map(|key| format!("no `{key}`"));
                missing.or_else(|| {
                    pairs.iter().zip(&names).find_map(|((_, value), name)| {
                        match schema["properties"].get(name) {
                            None => Some(format!("no key `{name}`")),
                            Some(schema) => misfit(schema, value),
                        }
                    })
                })
            }
            other => Some(format!("{other:?} for {types}")),
        }
    }

    fn fault(text: &str) -> Option<String> {
        let schema: Value = serde_json::from_str(&rule_schema()).unwrap();
        let (documents, error) = yaml::read(text);
        assert!(error.is_none(), "{text}");
        documents.iter().find_map(|document| misfit(&schema, document))
    }

    #[test]
    fn the_rules_that_are_shipped_fit() {
        for text in [
            include_str!("../../../rules/falco_rules.yaml"),
            include_str!("../../../rules/detector_rules.yaml"),
        ] {
            assert_eq!(fault(text), None);
        }
    }

    #[test]
    fn what_is_wrong_does_not_fit() {
        for text in [
            "- rule: r\n  conditon: x\n",
            "- rule: r\n  enabled: perhaps\n",
            "- macro: m\n  items: [a]\n",
            "- condition: x\n",
            "- list: l\n  override: {condition: append}\n",
            "rule: r\n",
        ] {
            assert!(fault(text).is_some(), "{text}");
        }
        assert_eq!(
            fault("- list: l\n  items: [a, 7]\n- rule: r\n  override: {tags: append}\n  tags: [x]\n"),
            None
        );
    }
}

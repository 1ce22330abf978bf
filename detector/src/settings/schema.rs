//! `--config-schema`: the keys of the configuration as JSON schema, for editors and for checks before a roll-out.

use serde_json::{Value, json};

use super::keys::{IGNORED, Key, Takes, known};

/// The schema, ready to print.
#[must_use]
pub fn config_schema() -> String {
    let mut root = object();
    for key in known() {
        insert(&mut root, key.path, of(key));
    }
    for section in IGNORED {
        insert(
            &mut root,
            section,
            json!({ "description": "a key of Falco that does not concern this agent" }),
        );
    }
    root["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    root["title"] = "Configuration of detector".into();
    format!("{root:#}")
}

fn object() -> Value {
    json!({ "type": "object", "properties": {}, "additionalProperties": false })
}

fn insert(root: &mut Value, path: &str, schema: Value) {
    let mut at = root;
    let mut parts = path.split('.').peekable();
    while let Some(part) = parts.next() {
        let properties = &mut at["properties"];
        if parts.peek().is_none() {
            properties[part] = schema;
            return;
        }
        if properties.get(part).is_none() {
            properties[part] = object();
        }
        at = &mut properties[part];
    }
}

fn of(key: &Key) -> Value {
    let mut schema = match key.takes {
        Takes::Bool => json!({ "type": "boolean" }),
        Takes::Number => json!({ "type": "integer", "minimum": 0 }),
        Takes::Text => json!({ "type": ["string", "null"] }),
        Takes::Fraction => json!({ "type": "number", "minimum": 0 }),
        Takes::Interval => json!({ "type": ["integer", "string"], "examples": ["15m", "1h 30m"] }),
        Takes::Duration => json!({ "type": "string", "examples": ["250ms", "10s", "1h 30m"] }),
        Takes::Size => json!({ "type": ["integer", "string"], "examples": [67_108_864, "64 MiB"] }),
        // Words are read without regard to case; a schema can only list one spelling.
        Takes::Word(words) => json!({ "type": "string", "enum": words }),
        Takes::Texts => json!({ "type": ["array", "string", "null"], "items": { "type": "string" } }),
        Takes::Structure => json!({ "type": ["array", "object", "null"] }),
    };
    schema["description"] = key.about.into();
    schema
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::config_schema;
    use crate::settings::keys::known;

    #[test]
    fn every_key_is_in_the_schema_with_what_it_is_for() {
        let schema: Value = serde_json::from_str(&config_schema()).unwrap();
        for key in known() {
            let found = key.path.split('.').fold(&schema, |at, part| &at["properties"][part]);
            assert_eq!(found["description"], key.about, "{}", key.path);
        }
        assert_eq!(schema["properties"]["http_output"]["additionalProperties"], false);
    }
}

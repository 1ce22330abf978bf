//! What the loaded rules are, for `-L` (all) and `-l` (one): as text for people, as JSON in Falco's form.

use std::fmt::Write as _;

use detector_rule_lang::parse_source;
use serde_json::{Value, json};

use super::text::visible;
use crate::rules::{
    files::ENGINE_VERSION,
    resolve::{LoadReport, LoadedRule, condition_details},
};

/// Column at which descriptions start.
const INDENTATION: usize = 51;
/// Column at which they end.
const WIDTH: usize = 110;

/// All rules, or the one with this name; then how many are loaded, and each that is not with the reason. `None`: no
/// rule has this name.
#[must_use]
pub fn describe_text<F>(report: &LoadReport<F>, only: Option<&str>) -> Option<String> {
    let wanted = |name: &str| only.is_none_or(|only| only == name);
    let mut text = String::new();
    two_columns(&mut text, "Rule", "Description");
    two_columns(&mut text, "----", "-----------");
    let mut found = false;
    for rule in report.rules.iter().filter(|rule| wanted(&rule.name)) {
        found = true;
        let switched = if rule.enabled { "" } else { " (switched off)" };
        let desc = visible(&format!("{}{switched}", rule.desc.trim()));
        two_columns(&mut text, &visible(&rule.name), &wrapped(&desc));
        text.push('\n');
    }
    // Writing to a String cannot fail.
    if only.is_none() {
        let off = report.rules.iter().filter(|rule| !rule.enabled).count();
        let _ = writeln!(
            text,
            "{} rules loaded, {off} of them switched off; {} skipped",
            report.rules.len(),
            report.skipped.len()
        );
    }
    for skipped in report.skipped.iter().filter(|skipped| wanted(&skipped.name)) {
        found = true;
        let reason = visible(&skipped.reason.to_string());
        let _ = writeln!(text, "skipped `{}`: {reason}", visible(&skipped.name));
    }
    found.then_some(text).or_else(|| only.is_none().then(String::new))
}

fn two_columns(text: &mut String, left: &str, right: &str) {
    let _ = writeln!(text, "{left:<width$}{right}", width = INDENTATION.max(left.chars().count() + 1));
}

fn wrapped(text: &str) -> String {
    let (mut wrapped, mut column) = (String::new(), INDENTATION);
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column + 1 + width > WIDTH && column > INDENTATION {
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(INDENTATION));
            column = INDENTATION;
        } else if column > INDENTATION {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += width;
    }
    wrapped
}

/// The same as Falco's `falco_describe_results`; rules that are left out stand in `skipped_rules`. `None`: no rule
/// has this name.
#[must_use]
pub fn describe_json<F>(report: &LoadReport<F>, only: Option<&str>) -> Option<Value> {
    if let Some(only) = only {
        let rule = report.rules.iter().find(|rule| rule.name == only)?;
        return Some(json!({ "rules": [rule_json(report, rule)] }));
    }
    let definitions = &report.definitions;
    let plugins: Vec<Value> = definitions
        .plugins
        .iter()
        .map(|plugin| {
            let alternatives = plugin.alternatives.iter();
            let alternatives: Vec<Value> =
                alternatives.map(|(name, version)| json!({ "name": name, "version": version })).collect();
            json!({ "name": plugin.name, "version": plugin.version, "alternatives": alternatives })
        })
        .collect();
    let skipped =
        report.skipped.iter().map(|rule| json!({ "name": rule.name, "reason": rule.reason.to_string() }));
    let lists = definitions.lists.all().iter().map(|list| {
        let is_list = |item: &str| item != list.name && definitions.lists.get(item).is_some();
        let texts = || list.items.iter().map(|item| item.text.as_str());
        json!({
            "info": {
                "name": list.name,
                "items": texts().filter(|item| !is_list(item)).collect::<Vec<_>>(),
            },
            "details": {
                "used": report.used.contains(&list.name),
                "lists": texts().filter(|item| is_list(item)).collect::<Vec<_>>(),
                "items_compiled": definitions.flat_items(list),
                "plugins": [],
            },
        })
    });
    let macros = definitions.macros.all().iter().map(|item| {
        let written = parse_source(item.condition.as_str(), detector_rule_lang::SourceId::default()).expr;
        let (names, [operators, fields]) =
            written.map(|expr| condition_details(&expr, definitions)).unwrap_or_default();
        json!({
            "info": { "name": item.name, "condition": item.condition.as_str() },
            "details": {
                "used": report.used.contains(&item.name),
                "macros": names[0],
                "lists": names[1],
                "condition_operators": operators,
                "condition_fields": fields,
            },
        })
    });
    let engine =
        definitions.engine_version.map_or_else(|| ENGINE_VERSION.to_string(), |version| version.to_string());
    Some(json!({
        "required_engine_version": engine,
        "required_plugin_versions": plugins,
        "rules": report.rules.iter().map(|rule| rule_json(report, rule)).collect::<Vec<_>>(),
        "macros": macros.collect::<Vec<_>>(),
        "lists": lists.collect::<Vec<_>>(),
        "skipped_rules": skipped.collect::<Vec<_>>(),
    }))
}

fn rule_json<F>(report: &LoadReport<F>, rule: &LoadedRule<F>) -> Value {
    let definition = report.definitions.rules.get(&rule.name);
    let details = &rule.details;
    json!({
        "info": {
            "name": rule.name,
            "condition": definition.map(|definition| definition.condition.as_str()),
            "priority": rule.priority.name(),
            "output": definition.map(|definition| definition.output.as_str()),
            "description": rule.desc,
            "enabled": rule.enabled,
            "source": rule.source,
            "capture": definition.is_some_and(|definition| definition.capture),
            "capture_duration": definition.map_or(0, |definition| definition.capture_duration),
            "tags": rule.tags,
        },
        "details": {
            "macros": details.macros,
            "lists": details.lists,
            "condition_operators": details.operators,
            "condition_fields": details.fields,
            "output_fields": details.output_fields,
            "exception_names": details.exception_names,
            "exception_operators": details.exception_operators,
            "exception_fields": details.exception_fields,
            "events": rule.event_types.names(),
            "condition_compiled": details.condition,
            "output_compiled": details.output,
            "plugins": [],
        },
    })
}

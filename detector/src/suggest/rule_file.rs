//! The proposal as a rule file: what it covers stands above each exception as a comment.

use std::fmt::Write as _;

use super::{Condition, Exception};
use crate::incident::inert::visible;

/// Figures of a proposal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Alerts that were read.
    pub alerts: u64,
    /// Alerts that no exception covers.
    pub uncovered: u64,
}

/// The file, with what it covers on top.
#[must_use]
pub fn rule_file(exceptions: &[Exception], account: Account) -> String {
    let Account { alerts, uncovered } = account;
    let covered = alerts - uncovered.min(alerts);
    format!(
        "# Proposed by `detector suggest`: {} exceptions for {covered} of {alerts} alerts; {uncovered} are left.\n\
         # Read every one of them before you load this file behind your rules (-r RULES -r THIS).\n\n{}",
        exceptions.len(),
        rule_file_of(exceptions)
    )
}

/// The exceptions alone.
#[must_use]
pub fn rule_file_of(exceptions: &[Exception]) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let mut line = |text: std::fmt::Arguments<'_>| {
        let _ = writeln!(out, "{text}");
    };
    let mut rules: Vec<&str> = exceptions.iter().map(|one| one.rule.as_str()).collect();
    rules.dedup();
    let mut seen: Vec<&str> = Vec::new();
    for rule in rules {
        if seen.contains(&rule) {
            continue;
        }
        seen.push(rule);
        line(format_args!("- rule: {}\n  exceptions:", yaml(rule)));
        for exception in exceptions.iter().filter(|one| one.rule == rule) {
            line(format_args!("    # {}", covers(exception.count)));
            for warning in &exception.warnings {
                line(format_args!("    # WARNING: {}", visible(warning)));
            }
            let list = |item: fn(&Condition) -> String| {
                exception.conditions.iter().map(item).collect::<Vec<_>>().join(", ")
            };
            line(format_args!("    - name: {}", exception.name));
            line(format_args!("      fields: [{}]", list(|one| one.field.to_owned())));
            line(format_args!("      comps: [{}]", list(|one| yaml(one.operator))));
            line(format_args!("      values:\n        - [{}]", list(values)));
        }
        line(format_args!("  override: {{exceptions: append}}"));
    }
    out
}

fn covers(count: u64) -> String {
    if count == 1 { "covers 1 alert".to_owned() } else { format!("covers {count} alerts") }
}

fn values(condition: &Condition) -> String {
    let all: Vec<String> = condition.values.iter().map(|value| yaml(&word(value))).collect();
    if condition.operator == "in" { format!("[{}]", all.join(", ")) } else { all.join(", ") }
}

/// A value as a condition reads it: in quotes, unless every letter of it can stand bare.
fn word(value: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:@%+*?-".contains(&byte);
    if !value.is_empty() && value.bytes().all(bare) {
        return value.to_owned();
    }
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A scalar of YAML: bare where nobody could read it as something else, in single quotes otherwise.
fn yaml(text: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || b"_./-".contains(&byte);
    let safe = text.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'/')
        && text.bytes().all(|byte| bare(byte) || byte == b' ')
        && !text.ends_with(' ')
        && !["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
            .contains(&text.to_ascii_lowercase().as_str());
    if safe { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

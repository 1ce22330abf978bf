//! Items of the kind `rule`: definitions, changes to earlier ones, and the switch `enabled`.

use super::{
    item::{RuleAction, RuleItem, RuleKeys},
    keys::{self, Map, text_of},
    lists_and_macros::Override,
    reader::{Reader, Reported},
};
use crate::yaml::{Node, Value};
use crate::{
    alert::Priority,
    rules::report::{Code, Diagnostic, did_you_mean},
};

/// The keys that make an item a definition: with none of them it only switches a rule on or off.
const DEFINING: [&str; 4] = ["condition", "output", "desc", "priority"];

impl Reader {
    pub(super) fn rule(&mut self, name: &str, node: &Node, map: Map<'_>) -> Result<RuleItem, Reported> {
        self.check_keys(map, &keys::RULE);
        let source = match map.get("source").map(|source| &source.value) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.optional_text(map, "source"),
        };
        let flag = self.append_flag(map);
        let change = self.overrides(map, &keys::RULE_APPEND, &keys::RULE_REPLACE);
        let (flag, change) = (flag?, change?);
        self.not_both(map, flag, &change)?;
        let action = if !change.is_empty() {
            self.change(map, &change)?
        } else if flag {
            let present: Vec<&str> =
                ["condition", "exceptions"].into_iter().filter(|key| map.has(key)).collect();
            if present.is_empty() {
                let wrong = self.wrong(map.get("append").unwrap_or(node), "nothing is appended");
                return Err(wrong.help("give `condition` or `exceptions`").code(Code::Validate).report(self));
            }
            RuleAction::Change { append: Some(Box::new(self.rule_keys(map, &present, true))), replace: None }
        } else if DEFINING.iter().any(|key| map.has(key)) {
            self.definition(node, map)?
        } else {
            self.enable(node, map)?
        };
        let standing = self.standing(self.place(map.get("rule").unwrap_or(node)));
        Ok(RuleItem { name: name.to_owned(), source: source?, action, standing })
    }

    fn enable(&mut self, node: &Node, map: Map<'_>) -> Result<RuleAction, Reported> {
        let Some(enabled) = self.optional_truth(map, "enabled")? else {
            let wrong = self.wrong(
                map.get("rule").unwrap_or(node),
                "the rule has no condition, output, desc and priority",
            );
            return Err(wrong.help("define the rule, or switch an earlier one with `enabled`").report(self));
        };
        let place = self.place(map.get("enabled").unwrap_or(node));
        let diagnostic = Diagnostic::new(Code::DeprecatedItem, place, "`enabled` alone is deprecated")
            .help("add `override: {enabled: replace}`");
        self.push(diagnostic);
        Ok(RuleAction::Enable(enabled))
    }

    fn definition(&mut self, node: &Node, map: Map<'_>) -> Result<RuleAction, Reported> {
        let missing: Vec<String> =
            DEFINING.iter().filter(|key| !map.has(key)).map(|key| format!("`{key}`")).collect();
        let mut keys = self.rule_keys(map, &keys::RULE_REPLACE, false);
        let mut reported = Reported;
        if !missing.is_empty() {
            let verb = if missing.len() == 1 { "is" } else { "are" };
            let message = format!("{} {verb} missing", missing.join(", "));
            let wrong = self.wrong(map.get("rule").unwrap_or(node), message);
            reported =
                wrong.help("to change an earlier rule, name the changed keys under `override`").report(self);
        }
        if keys.condition.is_none() || keys.output.is_none() {
            return Err(reported);
        }
        // With what is left the mistakes in condition and output are found too; the file is refused in any case.
        keys.desc.get_or_insert_default();
        keys.priority.get_or_insert(Priority::Debug);
        Ok(RuleAction::Define(Box::new(keys)))
    }

    fn change(&mut self, map: Map<'_>, change: &Override<'_>) -> Result<RuleAction, Reported> {
        let mut result = Ok(());
        for (key, node) in change.append.iter().chain(&change.replace) {
            if !map.has(key) {
                let wrong = self.wrong(node, format!("`{key}` is to be overridden but not given"));
                result = Err(wrong.help(format!("give the rule a `{key}`")).report(self));
            }
        }
        for (node, _) in map.0 {
            let Some(key) = text_of(node).filter(|key| keys::RULE_REPLACE.contains(key)) else { continue };
            if !change.append.iter().chain(&change.replace).any(|(named, _)| *named == key) {
                let wrong = self.wrong(node, format!("`{key}` is given but not named under `override`"));
                let help = if keys::RULE_APPEND.contains(&key) {
                    format!("add `{key}: append` or `{key}: replace` under `override`")
                } else {
                    format!("add `{key}: replace` under `override`")
                };
                result = Err(wrong.help(help).report(self));
            }
        }
        result?;
        let mut part = |named: &[(&str, &Node)], append: bool| {
            let keys: Vec<&str> = named.iter().map(|(key, _)| *key).collect();
            (!keys.is_empty()).then(|| Box::new(self.rule_keys(map, &keys, append)))
        };
        Ok(RuleAction::Change { append: part(&change.append, true), replace: part(&change.replace, false) })
    }

    /// Reads those of the keys in `wanted` that are there. One with a mistake is reported and left out.
    fn rule_keys(&mut self, map: Map<'_>, wanted: &[&str], append: bool) -> RuleKeys {
        let of = |key: &str| if wanted.contains(&key) { map } else { Map(&[]) };
        let tags = of("tags").get("tags").and_then(|node| self.scalars(node, "tags").ok());
        RuleKeys {
            condition: self.located(of("condition"), "condition").ok().flatten(),
            output: self.located(of("output"), "output").ok().flatten().map(|output| output.trimmed()),
            desc: self.optional_text(of("desc"), "desc").ok().flatten().map(|desc| desc.text),
            priority: self.priority(of("priority")).ok().flatten(),
            tags: tags.map(|tags| tags.into_iter().map(|tag| tag.text).collect()),
            exceptions: of("exceptions")
                .get("exceptions")
                .and_then(|node| self.exceptions(node, append).ok()),
            enabled: self.optional_truth(of("enabled"), "enabled").ok().flatten(),
            warn_evttypes: self.optional_truth(of("warn_evttypes"), "warn_evttypes").ok().flatten(),
            skip_if_unknown_filter: self
                .optional_truth(of("skip-if-unknown-filter"), "skip-if-unknown-filter")
                .ok()
                .flatten(),
            capture: self.optional_truth(of("capture"), "capture").ok().flatten(),
            capture_duration: self.milliseconds(of("capture_duration"), "capture_duration").ok().flatten(),
        }
    }

    fn priority(&mut self, map: Map<'_>) -> Result<Option<Priority>, Reported> {
        let (Some(written), Some(node)) = (self.optional_text(map, "priority")?, map.get("priority")) else {
            return Ok(None);
        };
        if let Some(priority) = parse_priority(&written.text) {
            return Ok(Some(priority));
        }
        let names = PRIORITIES.map(Priority::name);
        let mut spelt = written.text.to_ascii_lowercase();
        if let Some(first) = spelt.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let help = did_you_mean(&spelt, names)
            .unwrap_or_else(|| format!("priorities, the most severe first: {}", names.join(", ")));
        Err(self.wrong(node, format!("unknown priority `{}`", written.text)).help(help).report(self))
    }

    fn milliseconds(&mut self, map: Map<'_>, key: &str) -> Result<Option<u64>, Reported> {
        let (Some(written), Some(node)) = (self.optional_text(map, key)?, map.get(key)) else {
            return Ok(None);
        };
        match written.text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(self.wrong(node, format!("`{key}` must be a number of milliseconds")).report(self)),
        }
    }
}

const PRIORITIES: [Priority; 8] = [
    Priority::Emergency,
    Priority::Alert,
    Priority::Critical,
    Priority::Error,
    Priority::Warning,
    Priority::Notice,
    Priority::Informational,
    Priority::Debug,
];

/// A priority by its name, in any mixture of cases; `info` is short for `informational`.
#[must_use]
pub fn parse_priority(text: &str) -> Option<Priority> {
    if text.eq_ignore_ascii_case("info") {
        return Some(Priority::Informational);
    }
    PRIORITIES.into_iter().find(|priority| priority.name().eq_ignore_ascii_case(text))
}

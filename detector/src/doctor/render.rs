//! A diagnosis as text for people and as JSON for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Check, Diagnosis};
use crate::kernel::attach_plan::Hook;

impl Diagnosis {
    /// For people: one line for each finding, what follows and what to do below it. Without a final newline.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        for check in &self.checks {
            entry(&mut out, check.status.name(), check.key, &check.fact);
            for (word, text) in [("so", &check.consequence), ("do", &check.remedy)] {
                if !text.is_empty() {
                    let _ = writeln!(out, "{:26}  {word}: {text}", "");
                }
            }
        }
        out.push_str("\nWhat the agent sees here, and through which hook:\n");
        for feature in &self.features {
            let (status, how) = match (&feature.hook, feature.would_use) {
                (Ok(hook), _) => ("ok", hook.to_string()),
                (Err(reason), Some(hook)) => {
                    ("missing", format!("{reason}; this kernel could do it by {hook}"))
                }
                (Err(reason), None) => ("missing", reason.clone()),
            };
            entry(&mut out, status, feature.name, &format!("{}: {how}", feature.sees));
        }
        let verdict = if self.can_run { "The agent can run here." } else { "The agent cannot run here." };
        out.push('\n');
        out.push_str(verdict);
        out
    }

    /// For programs: keys and status words are stable, texts are not.
    #[must_use]
    pub fn json(&self) -> String {
        let checks: Vec<Value> = self.checks.iter().map(check_json).collect();
        let features: Vec<Value> = self
            .features
            .iter()
            .map(|feature| {
                json!({
                    "name": feature.name,
                    "hook": feature.hook.as_ref().ok().map(|hook| hook.name()),
                    "reason": feature.hook.as_ref().err(),
                    "would_use": feature.would_use.map(Hook::name),
                })
            })
            .collect();
        json!({ "can_run": self.can_run, "checks": checks, "features": features }).to_string()
    }
}

fn check_json(check: &Check) -> Value {
    json!({
        "key": check.key,
        "status": check.status.name(),
        "fact": check.fact,
        "consequence": check.consequence,
        "remedy": check.remedy,
    })
}

fn entry(out: &mut String, status: &str, name: &str, fact: &str) {
    // Reasons may come with a verifier's log; its lines stay below the first.
    let fact = fact.trim_end().replace('\n', "\n                            ");
    let _ = writeln!(out, "{status:8} {name:17}  {fact}");
}

//! A diagnosis as text for people and as JSON for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Check, Diagnosis};

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
            let (status, how) = match &feature.hook {
                Ok(hook) => ("ok", hook.to_string()),
                Err(reason) => ("missing", reason.clone()),
            };
            entry(&mut out, status, feature.name, &format!("{}: {how}", feature.sees));
        }
        if !self.containers.is_empty() {
            out.push_str("\nContainers that run here, and what would be missed of them:\n");
        }
        for one in &self.containers {
            let name = one.container.id.as_deref().map_or("no id", |id| id.get(..12).unwrap_or(id));
            let root = one.container.file_system.as_deref().unwrap_or("unknown");
            let fact = format!("process {}, root on {root}", one.container.pid);
            entry(&mut out, one.coverage.execs.name(), name, &fact);
            for missed in &one.coverage.missed {
                let _ = writeln!(out, "{:26}  missed: {missed}", "");
            }
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
                })
            })
            .collect();
        let containers: Vec<Value> = self
            .containers
            .iter()
            .map(|one| {
                json!({
                    "pid": one.container.pid,
                    "id": one.container.id,
                    "root": one.container.file_system,
                    "covered": one.coverage.execs.name(),
                    "missed": one.coverage.missed,
                })
            })
            .collect();
        json!({
            "can_run": self.can_run,
            "checks": checks,
            "features": features,
            "containers": containers,
        })
        .to_string()
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

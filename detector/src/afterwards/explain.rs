//! `detector explain`: why a rule fires for an alert, or does not.

use std::{fmt::Write as _, io::Write as _, process::ExitCode};

use anyhow::bail;
use log::warn;
use serde_json::json;

use super::{alerts, last::Last, stale};
use crate::{
    cli::explain::ExplainArgs,
    exit_code,
    incident::{PastAlert, inert::visible},
    retrial::{Clause, Jury, Rule, Truth, Verdict},
    settings::Settings,
};

pub(super) fn run(args: &ExplainArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let jury = Jury::new(&settings.rules, Vec::new())?;
    let inputs = alerts::inputs(&args.files, settings)?;
    let text = if args.stale {
        stale::text(args, &jury, &inputs, settings)?
    } else {
        let mut last = Last::new(args.last.max(1));
        alerts::each(&inputs, |alert| last.push(alert))?;
        if last.crowded_out > 0 {
            warn!("{} of the last alerts are left out, because memory holds no more", last.crowded_out);
        }
        let last = last.into_alerts();
        if last.is_empty() {
            bail!("no alert was found");
        }
        let mut text = String::new();
        for alert in &last {
            if args.json {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{}", explained_json(&jury, alert));
            } else {
                text.push_str(&explained(&jury, alert));
            }
        }
        text
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(exit_code::SUCCESS)
}

/// The rules to explain: the alert's own, else all that are loaded.
pub(super) fn concerned<'j>(jury: &'j Jury, alert: &PastAlert) -> Vec<&'j Rule> {
    match alert.rule.as_deref().and_then(|name| jury.rule(name)) {
        Some(rule) => vec![rule],
        None => jury.rules.iter().collect(),
    }
}

fn verdict_words(rule: &Rule, alert: &PastAlert) -> String {
    let matching: Vec<&str> = matching(rule, alert);
    match rule.verdict(alert) {
        Verdict::Fires => "fires".to_owned(),
        Verdict::Silent if matching.is_empty() => "does not fire".to_owned(),
        Verdict::Silent => format!("does not fire: silenced by the exception {}", matching.join(", ")),
        Verdict::Undecided(fields) => {
            format!("cannot be told: the alert does not have {}", fields.join(", "))
        }
    }
}

/// Names of the exceptions that match.
pub(super) fn matching<'r>(rule: &'r Rule, alert: &PastAlert) -> Vec<&'r str> {
    // The clause of an exception is its negation.
    rule.clauses(alert)
        .into_iter()
        .filter(|(_, clause)| clause.truth == Truth::No)
        .filter_map(|(name, _)| rule.exceptions.iter().find(|one| Some(one.as_str()) == name.as_deref()))
        .map(String::as_str)
        .collect()
}

fn explained(jury: &Jury, alert: &PastAlert) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let mut line = |text: String| {
        let _ = writeln!(out, "{text}");
    };
    let named = alert.rule.as_deref().map_or("an alert that names no rule".to_owned(), |rule| {
        format!("an alert of rule `{}`", visible(rule))
    });
    line(format!("line {}: {named}", alert.line));
    if alert.rule.as_deref().is_some_and(|name| jury.rule(name).is_none()) {
        line("  this rule is not among those that are loaded (-r); these are:".to_owned());
    }
    for rule in concerned(jury, alert) {
        line(format!("rule `{}` {}", visible(&rule.name), verdict_words(rule, alert)));
        for (name, clause) in rule.clauses(alert) {
            if let Some(name) = &name {
                let word = if clause.truth == Truth::No {
                    "matches"
                } else if clause.truth == Truth::Yes {
                    "does not match"
                } else {
                    "cannot be told"
                };
                line(format!("  exception `{}` {word}", visible(name)));
            }
            let indent = if name.is_some() { "    " } else { "  " };
            let negated = clause.negated && name.is_none();
            for check in &clause.checks {
                let truth = match check.truth {
                    Truth::Yes => "holds",
                    Truth::No => "does not hold",
                    Truth::Unknown => "unknown",
                };
                let saw = match (&check.values, check.missing.is_empty()) {
                    (Some(values), _) => {
                        values.iter().map(|value| format!("\"{value}\"")).collect::<Vec<_>>().join(", ")
                    }
                    (None, true) => "no value".to_owned(),
                    (None, false) => format!("the alert does not have {}", check.missing.join(", ")),
                };
                line(format!(
                    "{indent}{:<14} {}{}   <- {saw}",
                    truth,
                    if negated { "not " } else { "" },
                    check.text
                ));
            }
        }
    }
    out
}

fn explained_json(jury: &Jury, alert: &PastAlert) -> serde_json::Value {
    let clauses = |rule: &Rule| -> Vec<serde_json::Value> {
        let one = |(name, clause): (Option<String>, Clause)| json!({"exception": name, "clause": clause});
        rule.clauses(alert).into_iter().map(one).collect()
    };
    let rules: Vec<_> = concerned(jury, alert)
        .into_iter()
        .map(|rule| {
            let (verdict, missing) = match rule.verdict(alert) {
                Verdict::Fires => ("fires", Vec::new()),
                Verdict::Silent => ("silent", Vec::new()),
                Verdict::Undecided(fields) => ("undecided", fields),
            };
            json!({"rule": rule.name, "verdict": verdict, "missing": missing, "matching_exceptions": matching(rule, alert),
                "clauses": clauses(rule)})
        })
        .collect();
    json!({"line": alert.line, "rule": alert.rule, "rules": rules})
}

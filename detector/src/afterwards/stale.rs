//! `detector explain --stale`: exceptions and items of lists that never did anything, and lists and macros that nothing
//! uses.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{Read as _, stdin},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde_json::json;

use super::{
    alerts::{self, Kind},
    explain::{concerned, matching},
    metrics,
};
use crate::{
    cli::explain::ExplainArgs,
    incident::{PastAlert, inert::visible},
    pipeline,
    retrial::Jury,
    rules::{RuleHits, report::Code},
    settings::Settings,
};

/// Items of one list that are named on one line.
const NAMED: usize = 50;

/// The answer, from alerts, recordings and metrics.
pub(super) fn text(
    args: &ExplainArgs,
    jury: &Jury,
    inputs: &[PathBuf],
    settings: &Settings,
) -> anyhow::Result<String> {
    let mut stale = Stale::new(jury, settings);
    let mut texts = Vec::new();
    for path in inputs {
        match alerts::kind(path) {
            Kind::Alerts => texts.push(path.clone()),
            Kind::Recording => {
                let hits = pipeline::hits(path, settings)
                    .with_context(|| format!("cannot replay {}", path.display()))?;
                stale.add_hits(hits);
            }
            Kind::Metrics => {
                let hits = read_metrics(path).with_context(|| format!("cannot use {}", path.display()))?;
                stale.add_hits(hits);
            }
        }
    }
    if !texts.is_empty() {
        stale.events += alerts::each(&texts, |alert| stale.exceptions.add(jury, &alert))?.alerts;
    }
    Ok(if args.json { stale.json() } else { stale.text() })
}

fn read_metrics(path: &Path) -> anyhow::Result<Vec<RuleHits>> {
    let mut text = String::new();
    if path.as_os_str() == "-" {
        stdin().lock().read_to_string(&mut text)?;
    } else {
        text = fs::read_to_string(path)?;
    }
    Ok(metrics::read(&text)?)
}

/// Rule and exception, and how often it matched.
#[derive(Default)]
struct Exceptions(BTreeMap<(String, String), u64>);

impl Exceptions {
    fn add(&mut self, jury: &Jury, alert: &PastAlert) {
        for rule in concerned(jury, alert) {
            for name in matching(rule, alert) {
                *self.0.entry((rule.name.clone(), name.to_owned())).or_default() += 1;
            }
        }
    }
}

/// What seems to be of no use.
struct Stale {
    /// What was looked at.
    events: u64,
    exceptions: Exceptions,
    /// Rule, what silences it, item; and how many events it silenced. Only recordings and metrics tell.
    items: BTreeMap<(String, String), BTreeMap<String, u64>>,
    unused: Vec<String>,
}

impl Stale {
    fn new(jury: &Jury, settings: &Settings) -> Self {
        let named = |rule: &crate::retrial::Rule| {
            let one = |name: &String| ((rule.name.clone(), name.clone()), 0);
            rule.exceptions.iter().map(one).collect::<Vec<_>>()
        };
        let unused = settings
            .rules
            .load()
            .diagnostics
            .iter()
            .filter(|found| matches!(found.code, Code::UnusedList | Code::UnusedMacro))
            .map(|found| found.message.clone())
            .collect();
        let exceptions = Exceptions(jury.rules.iter().flat_map(named).collect());
        Self { events: 0, exceptions, items: BTreeMap::new(), unused }
    }

    fn add_hits(&mut self, hits: Vec<RuleHits>) {
        for rule in hits {
            self.events += rule.matched + rule.silencers.iter().map(|one| one.count).sum::<u64>();
            for silencer in rule.silencers {
                let key = (rule.rule.clone(), silencer.label);
                if !silencer.items.is_empty() {
                    let items = self.items.entry(key.clone()).or_default();
                    for (item, count) in silencer.items {
                        *items.entry(item).or_default() += count;
                    }
                }
                if silencer.is_exception {
                    *self.exceptions.0.entry(key).or_default() += silencer.count;
                }
            }
        }
    }

    fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let mut line = |text: String| {
            let _ = writeln!(out, "{text}");
        };
        for ((rule, name), count) in &self.exceptions.0 {
            let word = if *count == 0 { "stale" } else { "used " };
            line(format!(
                "{word}  exception `{}` of `{}` matches {count} of {} events",
                visible(name),
                visible(rule),
                self.events
            ));
        }
        for ((rule, by), items) in &self.items {
            let never: Vec<String> =
                items.iter().filter(|(_, count)| **count == 0).map(|(item, _)| visible(item)).collect();
            if never.is_empty() {
                continue;
            }
            let more = if never.len() > NAMED { ", ..." } else { "" };
            line(format!(
                "stale  {} of {} items of `{}` of `{}`: {}{more}",
                never.len(),
                items.len(),
                visible(by),
                visible(rule),
                never.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ")
            ));
        }
        for message in &self.unused {
            line(format!("stale  {}", visible(message)));
        }
        if self.exceptions.0.is_empty() && self.unused.is_empty() {
            line("the rules have no exceptions with values, and nothing that is not used".to_owned());
        }
        out
    }

    fn json(&self) -> String {
        let exceptions: Vec<_> = self
            .exceptions
            .0
            .iter()
            .map(|((rule, name), count)| json!({"rule": rule, "exception": name, "matches": count}))
            .collect();
        let items: Vec<_> = self
            .items
            .iter()
            .flat_map(|((rule, by), items)| {
                items
                    .iter()
                    .map(move |(item, count)| json!({"rule": rule, "by": by, "item": item, "matches": count}))
            })
            .collect();
        let all =
            json!({"events": self.events, "exceptions": exceptions, "items": items, "unused": self.unused});
        format!("{all}\n")
    }
}

//! `detector test-rules`: what other rules would change.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use serde_json::json;

use super::{
    alerts::{self, Kind},
    progress::Progress,
};
use crate::{
    cli::test_rules::TestRulesArgs,
    exit_code,
    incident::{AlertReader, PastAlert, inert::visible},
    output::Line,
    pipeline,
    retrial::Jury,
    rules::RuleChoice,
    settings::Settings,
};

/// Changes that are told apart; more are only counted.
const MOST: usize = 1_000;
/// Bytes of a text that are kept.
const MAX_TEXT: usize = 1_024;

pub(super) fn run(args: &TestRulesArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let (recordings, texts): (Vec<&PathBuf>, Vec<&PathBuf>) =
        args.alerts.iter().partition(|path| alerts::kind(path) == Kind::Recording);
    let against = (!args.against.is_empty())
        .then(|| RuleChoice { files: args.against.clone(), ..settings.rules.clone() });
    let mut changes = Changes::default();
    if !texts.is_empty() {
        let after = Jury::new(&settings.rules, Vec::new())?;
        let before = against.as_ref().map(|choice| Jury::new(choice, Vec::new())).transpose()?;
        let inputs: Vec<PathBuf> = texts.into_iter().cloned().collect();
        alerts::each(&inputs, |alert| changes.add_alert(&alert, before.as_ref(), &after))?;
    }
    for path in recordings {
        let before =
            against.clone().unwrap_or_else(|| RuleChoice { files: Vec::new(), ..settings.rules.clone() });
        let before = Settings { rules: before, json_output: true, ..settings.clone() };
        let after = Settings { json_output: true, ..settings.clone() };
        replay(path, &before, &after, &mut changes)?;
    }
    if changes.looked_at == 0 {
        bail!("no alert was found in what was given");
    }
    let text = if args.json { changes.json() } else { changes.text() };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(if changes.is_empty() { exit_code::SUCCESS } else { ExitCode::from(exit_code::DIFFERENT) })
}

/// Holds a recording against both sets of rules, record by record.
fn replay(path: &Path, before: &Settings, after: &Settings, changes: &mut Changes) -> anyhow::Result<()> {
    let mut progress = Progress::new(path.metadata().ok().map(|file| file.len()));
    pipeline::compare(path, before, after, |one, other, bytes| {
        let (one, other) = (read(one), read(other));
        changes.add_event(&one, &other);
        progress.tell(bytes, changes.looked_at);
    })
    .with_context(|| format!("cannot replay {}", path.display()))
}

/// The alerts of lines that were just made.
fn read(lines: &[Line]) -> Vec<PastAlert> {
    let alert = |line: &Line| AlertReader::new("replay", line.with_newline()).next_alert().ok().flatten();
    lines.iter().filter_map(alert).collect()
}

/// The file and the container that an alert is about.
fn subject(alert: &PastAlert) -> String {
    let text = |field: &str| alert.fields.text(field).unwrap_or("?").to_owned();
    format!("{} in {}", text("proc.exepath"), text("container.name"))
}

/// A text that is as long as texts are; the rest of a longer one is left out.
fn cut(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        let end = (0..=MAX_TEXT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push_str("...");
    }
    text
}

/// A change: the rules before and after, joined by commas; `None` stands for no rule.
type Change = (Option<String>, Option<String>);

#[derive(Default)]
struct Changes {
    looked_at: u64,
    unchanged: u64,
    /// How often, and the first of them.
    changed: BTreeMap<Change, (u64, String)>,
    /// Changes beyond those that are told apart.
    more: u64,
    /// How often something cannot be told, by what is missing.
    undecided: BTreeMap<String, u64>,
    /// What cannot be told for other reasons than those that are told apart.
    more_undecided: u64,
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.more == 0
    }

    fn add_alert(&mut self, alert: &PastAlert, before: Option<&Jury>, after: &Jury) {
        self.looked_at += 1;
        let joined = |names: Vec<&str>| (!names.is_empty()).then(|| names.join(", "));
        let (old, mut missing) = match before {
            Some(jury) => {
                let (names, missing) = jury.fires(alert);
                (joined(names), missing)
            }
            None => (alert.rule.clone(), Vec::new()),
        };
        let (new, more) = after.fires(alert);
        let new = joined(new);
        missing.extend(more);
        if new != old && !missing.is_empty() {
            missing.sort();
            missing.dedup();
            let missing = cut(missing.join(", "));
            if self.undecided.len() >= MOST && !self.undecided.contains_key(&missing) {
                self.more_undecided += 1;
            } else {
                *self.undecided.entry(missing).or_default() += 1;
            }
            return;
        }
        self.note(old, new, || subject(alert));
    }

    /// One event of a recording with what both sets of rules make of it.
    fn add_event(&mut self, before: &[PastAlert], after: &[PastAlert]) {
        self.looked_at += 1;
        let joined = |alerts: &[PastAlert]| {
            let names: Vec<&str> = alerts.iter().filter_map(|alert| alert.rule.as_deref()).collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        let first = before.first().or(after.first());
        self.note(joined(before), joined(after), || first.map(subject).unwrap_or_default());
    }

    fn note(&mut self, old: Option<String>, new: Option<String>, subject: impl FnOnce() -> String) {
        if old == new {
            self.unchanged += 1;
        } else {
            self.note_change((old.map(cut), new.map(cut)), cut(subject()));
        }
    }

    fn note_change(&mut self, change: Change, subject: String) {
        if self.changed.len() >= MOST && !self.changed.contains_key(&change) {
            self.more += 1;
            return;
        }
        self.changed.entry(change).or_insert((0, subject)).0 += 1;
    }

    fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let mut line = |text: String| {
            let _ = writeln!(out, "{text}");
        };
        for ((old, new), (count, first)) in &self.changed {
            if let Some(old) = old {
                line(format!("- {count:>6}  {}", visible(old)));
            }
            if let Some(new) = new {
                line(format!("+ {count:>6}  {}", visible(new)));
            }
            line(format!("          first: {}", visible(first)));
        }
        for (fields, count) in &self.undecided {
            line(format!("? {count:>6}  cannot be told: the alerts do not have {}", visible(fields)));
        }
        if self.more > 0 {
            line(format!(
                "  {:>6}  further changes, of rules that are not listed: there are too many",
                self.more
            ));
        }
        if self.more_undecided > 0 {
            line(format!("? {:>6}  cannot be told for further reasons", self.more_undecided));
        }
        let changed: u64 = self.changed.values().map(|(count, _)| count).sum::<u64>() + self.more;
        line(format!(
            "{} alerts: {} as before, {changed} changed, {} cannot be told",
            self.looked_at,
            self.unchanged,
            self.undecided.values().sum::<u64>() + self.more_undecided
        ));
        out
    }

    fn json(&self) -> String {
        let change = |((old, new), (count, first)): (&Change, &(u64, String))| json!({"before": old, "after": new, "count": count, "first": first});
        let changed: Vec<_> = self.changed.iter().map(change).collect();
        let value = json!({"alerts": self.looked_at, "unchanged": self.unchanged, "changed": changed, "more_changes": self.more, "undecided": self.undecided, "more_undecided": self.more_undecided});
        format!("{value}\n")
    }
}

//! The points in time that are known, earliest first.

use super::document::{Block, Moment, Section};
use crate::incident::{Fact, Facts, Sentence};

/// A time of the file that lies so far behind its execution is not the time that it says.
const TOO_LATE_NS: u64 = 1_000_000_000;

pub(super) fn section(facts: &Facts<'_>, additional: Vec<Moment>) -> Section {
    let executed = facts.event_time();
    let mut moments = additional;
    let mut add = |fact: Option<Fact<u64>>, label, words: &str| {
        if let Some(fact) = fact {
            moments.push(Moment { ns: fact.value, label, what: Sentence::new(words).because(&fact.from) });
        }
    };
    add(facts.time("container.start_ts"), "container started", "The container's first process started.");
    let plausible =
        |fact: &Fact<u64>| executed.as_ref().is_none_or(|time| fact.value <= time.value + TOO_LATE_NS);
    let (mtime, ctime) = (facts.time("proc.exe_ino.mtime"), facts.time("proc.exe_ino.ctime"));
    let same = |one: &Option<Fact<u64>>, other: &Option<Fact<u64>>| match (one, other) {
        (Some(one), Some(other)) => one.value.abs_diff(other.value) < 1_000_000,
        _ => false,
    };
    if same(&mtime, &ctime) {
        add(
            ctime.filter(plausible),
            "file written",
            "The file was written: its data and its inode changed last.",
        );
    } else {
        add(
            mtime.filter(plausible),
            "data written",
            "The file says that its data was written last (a program can set this time).",
        );
        add(
            ctime.filter(plausible),
            "file changed",
            "The file's inode changed last: data, name, mode or owner.",
        );
    }
    add(facts.time("proc.ppid.ts"), "parent started", "The parent process started.");
    add(facts.time("proc.pid.ts"), "process started", "The process was forked.");
    add(executed, "executed", "The file was executed.");
    if let (count, Some(last)) = facts.repeats()
        && count > 1
    {
        add(
            Some(Fact::new(last, "alerts")),
            "last repeat",
            "It was executed for the last time in what was read.",
        );
    }
    moments.sort_by_key(|moment| moment.ns);
    let block = if moments.is_empty() {
        let nothing =
            Sentence::default().unknown("No point in time is known: the alert has none with a date.");
        Block::Paragraph { sentences: vec![nothing] }
    } else {
        Block::Timeline { moments }
    };
    Section::new("timeline", "Timeline", vec![block])
}

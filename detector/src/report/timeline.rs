//! The points in time that are known, earliest first.

use super::document::{Block, Moment, Section};
use crate::incident::{Fact, Facts, Sentence, Subject};

/// What happened to a file that is code of another program.
pub(super) const MAPPED: &str = "mapped";

/// A time of the file that lies so far behind its execution is not the time that it says.
const TOO_LATE_NS: u64 = 1_000_000_000;

pub(super) fn section(facts: &Facts<'_>, additional: Vec<Moment>) -> Section {
    let executed = facts.event_time();
    let subject = facts.subject();
    let mut moments = additional;
    let mut add = |fact: Option<Fact<u64>>, label, words: &str| {
        if let Some(fact) = fact {
            moments.push(Moment { ns: fact.value, label, what: Sentence::new(words).because(&fact.from) });
        }
    };
    add(facts.time("container.start_ts"), "container started", "The container's first process started.");
    let plausible =
        |fact: &Fact<u64>| executed.as_ref().is_none_or(|time| fact.value <= time.value + TOO_LATE_NS);
    // Of an interpreter, or of a program that mapped a file, these times tell nothing.
    let of_file = |field| {
        let time = facts.time(field).filter(|_| subject.value == Subject::Program)?;
        Some(Fact { value: time.value, from: [time.from, subject.from.clone()].concat() })
    };
    let (mtime, ctime) = (of_file("proc.exe_ino.mtime"), of_file("proc.exe_ino.ctime"));
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
    let (label, words) = match subject.value {
        Subject::Program => ("executed", "The file was executed."),
        Subject::Script => ("executed", "The script was run."),
        Subject::Mapped => (MAPPED, "The file was mapped as code."),
    };
    let executed = executed.map(|time| Fact { value: time.value, from: [time.from, subject.from].concat() });
    add(executed, label, words);
    if let (count, Some(last)) = facts.repeats()
        && count > 1
    {
        add(
            Some(Fact::new(last, "alerts")),
            "last repeat",
            "It happened for the last time in what was read.",
        );
    }
    if let (Some(written), Some(by)) = (facts.written(), facts.dropper()) {
        let what = Sentence::new("The file was opened for writing for the last time, by ")
            .because(&written.from)
            .value(&by)
            .words(".");
        moments.push(Moment { ns: written.value, label: "opened to write", what });
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

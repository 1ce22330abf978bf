//! The executed file.

use super::{
    container::{missing, row, row_of},
    document::{Block, Row, Section},
};
use crate::incident::{Fact, Facts, Provenance, Sentence, Subject, time_words};

/// Rows of fields that not every alert has.
const OPTIONAL: [(&str, &str); 8] = [
    ("Found below", "drop.mount"),
    ("Volume", "drop.volume"),
    ("Sure of the origin", "drop.confidence"),
    ("Newer than the start", "drop.newer_than_container"),
    ("Entropy", "drop.entropy"),
    ("Looked at", "drop.examined"),
    ("Copy of it", "drop.sample"),
    ("Package manager", "drop.via"),
];

/// The same of a script.
const OF_SCRIPT: [(&str, &str); 2] =
    [("Script's inode", "drop.script.ino"), ("Script found by", "drop.script.source")];

/// The same of who wrote the file.
const OF_WRITER: [(&str, &str); 8] = [
    ("Written by", "drop.by.comm"),
    ("Writer's program", "drop.by.exe"),
    ("Writer's command line", "drop.by.cmdline"),
    ("Writer's process id", "drop.by.pid"),
    ("Writer ran", "drop.by.where"),
    ("Writer's container", "drop.by.container.id"),
    ("Opened with", "drop.by.open_flags"),
    ("Opened before, ms", "drop.by.age_ms"),
];

/// Times of it.
const TIMES_OF_WRITER: [(&str, &str); 2] =
    [("Writer started", "drop.by.pid.ts"), ("Opened at", "drop.by.time")];

pub(super) fn section(facts: &Facts<'_>) -> Section {
    let subject = facts.subject();
    let mut rows = match subject.value {
        Subject::Program => vec![row(facts, "Path", "proc.exepath"), row(facts, "Called as", "proc.exe")],
        Subject::Script => of_subject(facts, "Script", "drop.script.path", "Run by"),
        Subject::Mapped => of_subject(facts, "Mapped file", "drop.path", "Mapped by"),
    };
    rows.push(origin(facts));
    let hash = if subject.value == Subject::Script { "drop.script.sha256" } else { "drop.sha256" };
    rows.push(match facts.sha256() {
        Some(hash) => row_of("SHA-256", Sentence::default().value(&hash)),
        None => row_of("SHA-256", missing(facts, hash)),
    });
    if let Some(same) = facts.identical_to_image() {
        let word = if same.value { "yes" } else { "no" };
        rows.push(row_of("Equals the image's", Sentence::new(word).because(&same.from)));
    }
    // What is told about the executed file is told of a script's interpreter.
    if subject.value != Subject::Script {
        rows.push(match facts.unsigned("drop.size") {
            Some(size) => row_of("Size", Sentence::default().value(&size).words(" bytes")),
            None => row_of("Size", missing(facts, "drop.size")),
        });
    }
    if subject.value == Subject::Program {
        rows.push(row(facts, "Inode", "proc.exe_ino"));
        rows.push(time(facts, "Last change", "proc.exe_ino.ctime"));
        rows.push(time(facts, "Data written", "proc.exe_ino.mtime"));
    }
    let of_script: &[_] = if subject.value == Subject::Script { &OF_SCRIPT } else { &[] };
    for (label, field) in OPTIONAL.iter().chain(of_script).copied() {
        if facts.alert().fields.value(field).is_some() {
            rows.push(row(facts, label, field));
        }
    }
    rows.extend(writer(facts));
    for (name, value) in facts.alert().fields.all() {
        if name.starts_with("drop.elf") && !value.is_null() && subject.value != Subject::Script {
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let known = Fact::new(format!("{}={shown}", name.trim_start_matches("drop.elf.")), name);
            rows.push(row_of("ELF", Sentence::default().value(&known)));
        }
    }
    // What got to run decides what stands here.
    let rows = rows.into_iter().map(|row| row_of(row.label, row.value.because(&subject.from))).collect();
    let mut blocks = vec![Block::Rows { rows }];
    blocks.extend(flags(facts));
    Section::new("file", "File", blocks)
}

/// Who wrote it.
fn writer(facts: &Facts<'_>) -> Vec<Row> {
    let Some(by) = facts.dropper() else { return Vec::new() };
    let mut rows: Vec<Row> = OF_WRITER
        .into_iter()
        .filter(|(_, field)| facts.alert().fields.value(field).is_some())
        .map(|(label, field)| row(facts, label, field))
        .collect();
    let times = TIMES_OF_WRITER.into_iter().filter(|(_, field)| facts.time(field).is_some());
    rows.extend(times.map(|(label, field)| time(facts, label, field)));
    rows.into_iter().map(|row| row_of(row.label, row.value.because(&by.from))).collect()
}

/// The path of what is not the executed file, and the executed file beside it.
fn of_subject(
    facts: &Facts<'_>,
    label: &'static str,
    field: &'static str,
    program: &'static str,
) -> Vec<Row> {
    let path = match facts.path() {
        Some(path) => row_of(label, Sentence::default().value(&path)),
        None => row_of(label, missing(facts, field)),
    };
    vec![path, row(facts, program, "proc.exepath")]
}

fn origin(facts: &Facts<'_>) -> Row {
    match facts.provenance() {
        Some(found) => row_of("Origin", Sentence::new("it ").fact(&found.map(Provenance::meaning))),
        None if facts.subject().value == Subject::Script => {
            row_of("Origin", missing(facts, "drop.script.origin"))
        }
        None => row_of("Origin", missing(facts, "drop.origin")),
    }
}

fn time(facts: &Facts<'_>, label: &'static str, field: &'static str) -> Row {
    let Some(time) = facts.time(field) else { return row_of(label, missing(facts, field)) };
    let late = facts.event_time().filter(|now| time.value > now.value + 1_000_000_000);
    let mut value = Sentence::default().fact(&time.clone().map(time_words::moment));
    if let Some(now) = late {
        value = value
            .words(", after the execution: set by a program, or read wrongly (Falco does on kernels from 6.11 on)")
            .because(&now.from);
    }
    row_of(label, value)
}

/// Falco's flags, explained.
fn flags(facts: &Facts<'_>) -> Option<Block> {
    let flags = facts.text("evt.arg.flags")?;
    let subject = facts.subject();
    if subject.value != Subject::Program {
        let words = "Falco's flags speak of the executed program, not of this file: ";
        let items = vec![Sentence::new(words).value(&flags).words(".").because(&subject.from)];
        return Some(Block::List { items });
    }
    let explained = |flag: &str| {
        Some(match flag {
            "EXE_WRITABLE" => {
                "EXE_WRITABLE: the user that ran the file could have written to it; for root that is nearly always so."
            }
            "EXE_UPPER_LAYER" => {
                "EXE_UPPER_LAYER: the file lies in the layer that holds what was written after the container was created."
            }
            "EXE_LOWER_LAYER" => "EXE_LOWER_LAYER: the file lies in a layer of the image.",
            "EXE_FROM_MEMFD" => "EXE_FROM_MEMFD: the file is an anonymous memory file.",
            "0" => "No flag: the file is neither writable for its user, nor on an overlay, nor in memory.",
            _ => return None,
        })
    };
    let items = flags
        .value
        .split('|')
        .map(|flag| match explained(flag) {
            Some(words) => Sentence::new(words).because(&flags.from).because(&subject.from),
            None => Sentence::new("A flag that is not known here: ")
                .value(&Fact { value: flag.to_owned(), from: flags.from.clone() }),
        })
        .collect();
    Some(Block::List { items })
}

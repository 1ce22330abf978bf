//! The executed file.

use super::{
    container::{missing, row, row_of},
    document::{Block, Row, Section},
};
use crate::incident::{Fact, Facts, Provenance, Sentence, time_words};

/// Facts that later agents add, by name.
const OPTIONAL: [(&str, &str); 12] = [
    ("Found below", "drop.mount"),
    ("Volume", "drop.volume"),
    ("Script", "drop.script.path"),
    ("Script's inode", "drop.script.ino"),
    ("Written by", "drop.by.exepath"),
    ("Writer's command line", "drop.by.cmdline"),
    ("Writer's process id", "drop.by.pid"),
    ("Writer's container", "drop.by.container"),
    ("Package manager", "drop.via"),
    ("Equals the image's", "drop.identical_to_image"),
    ("Links", "drop.nlink"),
    ("Deleted", "drop.deleted"),
];

pub(super) fn section(facts: &Facts<'_>) -> Section {
    let mut rows =
        vec![row(facts, "Path", "proc.exepath"), row(facts, "Called as", "proc.exe"), origin(facts)];
    rows.push(match facts.sha256() {
        Some(hash) => row_of("SHA-256", Sentence::default().value(&hash)),
        None => row_of("SHA-256", missing(facts, "drop.sha256")),
    });
    rows.push(match facts.unsigned("drop.size") {
        Some(size) => row_of("Size", Sentence::default().value(&size).words(" bytes")),
        None => row_of("Size", missing(facts, "drop.size")),
    });
    rows.push(row(facts, "Inode", "proc.exe_ino"));
    rows.push(time(facts, "Last change", "proc.exe_ino.ctime"));
    rows.push(time(facts, "Data written", "proc.exe_ino.mtime"));
    for (label, field) in OPTIONAL {
        if facts.alert().fields.value(field).is_some() {
            rows.push(row(facts, label, field));
        }
    }
    for (name, value) in facts.alert().fields.all() {
        if name.starts_with("drop.elf") && !value.is_null() {
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let known = Fact::new(format!("{}={shown}", name.trim_start_matches("drop.elf.")), name);
            rows.push(row_of("ELF", Sentence::default().value(&known)));
        }
    }
    let mut blocks = vec![Block::Rows { rows }];
    blocks.extend(flags(facts));
    Section::new("file", "File", blocks)
}

fn origin(facts: &Facts<'_>) -> Row {
    match facts.provenance() {
        Some(found) => row_of("Origin", Sentence::new("it ").fact(&found.map(Provenance::meaning))),
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
            Some(words) => Sentence::new(words).because(&flags.from),
            None => Sentence::new("A flag that is not known here: ")
                .value(&Fact { value: flag.to_owned(), from: flags.from.clone() }),
        })
        .collect();
    Some(Block::List { items })
}

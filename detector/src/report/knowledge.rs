//! What is known and what is not, and how to know it next time.

use super::{
    document::{Block, Section},
    html::push,
};
use crate::incident::{Facts, Sentence};

const PID: &str = "proc.pid";
const RUNTIME: &str = "container.type";

/// Fields that a report is better with, with what each would tell.
const WANTED: [(&str, &str); 14] = [
    (PID, "the process on the host"),
    ("proc.ppid", "its parent on the host"),
    ("proc.aname[3]", "one more process above"),
    ("proc.pcmdline", "the command line of the parent"),
    ("thread.cap_effective", "its capabilities"),
    (RUNTIME, "which engine's commands work"),
    ("container.image.repository", "the image, and exceptions for it"),
    ("container.image.digest", "exactly which image"),
    ("container.privileged", "whether the container is privileged"),
    ("container.host_pid", "whether it shares process ids with the host"),
    ("container.host_network", "whether it shares the network with the host"),
    ("container.mounts", "what is mounted into it"),
    ("k8s.pod.name", "the pod"),
    ("k8s.ns.name", "the pod's namespace"),
];

pub(super) fn section(facts: &Facts<'_>) -> Section {
    let fields = &facts.alert().fields;
    let mut items = Vec::new();
    items.push(metadata(facts));
    match facts.text("drop.truncated") {
        Some(parts) => items.push(
            Sentence::new("Parts of the record were cut or could not be read: ").value(&parts).words("."),
        ),
        None if fields.names("drop.truncated") => {
            items.push(
                Sentence::new("The record was whole: nothing was cut.")
                    .because(&["drop.truncated".to_owned()]),
            );
        }
        None => items.push(Sentence::default().unknown("Whether parts of the record were cut is unknown.")),
    }
    for (field, tells) in WANTED {
        if fields.names(field) && fields.value(field).is_none() && !field.starts_with("k8s.") {
            items.push(
                Sentence::default().unknown(&format!("{field} has no value, so {tells} is not known.")),
            );
        }
    }
    // Known under a name of ours.
    let told =
        |field: &str| field == PID && facts.pid().is_some() || field == RUNTIME && facts.runtime().is_some();
    let absent: Vec<&(&str, &str)> =
        WANTED.iter().filter(|(field, _)| !fields.names(field) && !told(field)).collect();
    let mut blocks = vec![Block::List { items }];
    if !absent.is_empty() {
        let mut text = "append_output:\n  - match:\n      source: syscall\n    extra_fields:\n".to_owned();
        for (field, tells) in absent {
            push(&mut text, format_args!("      - {field:<28} # {tells}\n"));
        }
        let words = "The alert does not have these fields. With this in the configuration (Falco 0.39 and later understand it, too) later alerts do:";
        blocks.push(Block::Paragraph { sentences: vec![Sentence::new(words)] });
        blocks.push(Block::Code { language: "yaml", text, folded: false });
    }
    Section::new("knowledge", "What is known and what is not", blocks)
}

/// `complete`, or `partial:REASON[:ITEMS]`.
fn metadata(facts: &Facts<'_>) -> Sentence {
    match facts.text("drop.metadata") {
        Some(state) if state.value == "complete" => {
            Sentence::new("All that the container's engine can tell about it was known.").because(&state.from)
        }
        Some(state) => Sentence::new("Not all was known about the container; the agent's own words: ").value(&state).words("."),
        None => Sentence::default().unknown("Whether all was known about the container is not told: only this agent's alerts do, in drop.metadata."),
    }
}

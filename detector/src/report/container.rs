//! The container and its pod.

use super::document::{Block, Row, Section};
use crate::incident::{Fact, Facts, Sentence, time_words};

/// Values of one field that stand in rows of their own, at most.
const MAX_ITEMS: usize = 12;

pub(super) fn section(facts: &Facts<'_>) -> Section {
    if let Some(on_host) = facts.on_host().filter(|fact| fact.value) {
        let sentence =
            Sentence::new("It happened on the host, outside of containers.").because(&on_host.from);
        return Section::new("container", "Container", vec![Block::Paragraph { sentences: vec![sentence] }]);
    }
    let id = if facts.text("container.full_id").is_some() { "container.full_id" } else { "container.id" };
    let mut rows = vec![
        row(facts, "Name", "container.name"),
        row(facts, "Id", id),
        engine(facts),
        row(facts, "Image", "container.image.repository"),
        row(facts, "Tag", "container.image.tag"),
        row(facts, "Digest", "container.image.digest"),
        started(facts),
        row(facts, "Privileged", "container.privileged"),
        namespaces(facts),
    ];
    rows.extend(several(facts, "Mount", "Mounts", "container.mounts"));
    rows.extend(several(facts, "Label", "Labels", "container.labels"));
    for (label, field) in [("Address", "container.ip"), ("Image id", "container.image.id")] {
        if facts.text(field).is_some() {
            rows.push(row(facts, label, field));
        }
    }
    let mut blocks = vec![Block::Rows { rows }];
    if facts.text("k8s.pod.name").is_some() || facts.text("k8s.ns.name").is_some() {
        let mut pod = vec![row(facts, "Pod", "k8s.pod.name"), row(facts, "Namespace", "k8s.ns.name")];
        if facts.text("k8s.pod.uid").is_some() {
            pod.push(row(facts, "Pod id", "k8s.pod.uid"));
        }
        blocks.push(Block::Rows { rows: pod });
    } else {
        let words = if facts.alert().fields.names("k8s.pod.name") {
            "The alert names no Kubernetes pod."
        } else {
            "Whether it is part of a Kubernetes pod is unknown: the alert does not have k8s.pod.name."
        };
        blocks.push(Block::Paragraph { sentences: vec![Sentence::default().unknown(words)] });
    }
    Section::new("container", "Container", blocks)
}

/// A row with a field's value, or with the reason why there is none.
pub(super) fn row(facts: &Facts<'_>, label: &'static str, field: &str) -> Row {
    let fields = &facts.alert().fields;
    let value = match fields.value(field) {
        Some(serde_json::Value::String(text)) if text.is_empty() => {
            Sentence::new("none").because(&[field.to_owned()])
        }
        Some(serde_json::Value::String(text)) => Sentence::default().value(&Fact::new(text.clone(), field)),
        Some(serde_json::Value::Bool(truth)) => {
            Sentence::new(if *truth { "yes" } else { "no" }).because(&[field.to_owned()])
        }
        Some(other) => Sentence::default().value(&Fact::new(other.to_string(), field)),
        None => missing(facts, field),
    };
    Row { label, value }
}

pub(super) const fn row_of(label: &'static str, value: Sentence) -> Row {
    Row { label, value }
}

/// Why a value is missing.
pub(super) fn missing(facts: &Facts<'_>, field: &str) -> Sentence {
    let why = if facts.alert().fields.names(field) {
        "unknown: the agent could not find it out".to_owned()
    } else {
        format!("unknown: the alert does not have {field}")
    };
    Sentence::default().unknown(&why)
}

fn engine(facts: &Facts<'_>) -> Row {
    let fields = &facts.alert().fields;
    match facts.runtime() {
        Some(runtime) => row_of("Engine", Sentence::default().value(&runtime)),
        None if ["container.type", "drop.runtime"].iter().any(|field| fields.is_empty(field)) => {
            row_of("Engine", Sentence::default().unknown("unknown: nothing tells who made the container"))
        }
        None => row(facts, "Engine", "container.type"),
    }
}

fn started(facts: &Facts<'_>) -> Row {
    match facts.time("container.start_ts") {
        Some(start) => {
            let mut value = Sentence::default().fact(&start.clone().map(time_words::moment));
            if let Some(time) = facts.event_time()
                && time.value >= start.value
            {
                let before = Fact { value: time_words::span(time.value - start.value), from: time.from };
                value = value.words(", ").fact(&before).words(" before the execution");
            }
            row_of("Started", value)
        }
        None => row_of("Started", missing(facts, "container.start_ts")),
    }
}

fn namespaces(facts: &Facts<'_>) -> Row {
    let all = [
        ("process ids", "container.host_pid"),
        ("network", "container.host_network"),
        ("IPC", "container.host_ipc"),
    ];
    let known: Vec<_> = all.iter().filter_map(|(word, field)| Some((*word, facts.truth(field)?))).collect();
    let mut value = Sentence::default();
    if known.is_empty() {
        return row_of("Of the host", missing(facts, "container.host_pid"));
    }
    for (word, fact) in &known {
        let comma = if value.parts.is_empty() { "" } else { "; " };
        let shared = if fact.value { "shared" } else { "own" };
        value = value.words(&format!("{comma}{word}: {shared}")).because(&fact.from);
    }
    row_of("Of the host", value)
}

/// One row for each item of a field that holds several.
fn several(facts: &Facts<'_>, one: &'static str, all: &'static str, field: &'static str) -> Vec<Row> {
    let Some(text) = facts.text(field) else { return vec![row(facts, all, field)] };
    let items: Vec<&str> = text.value.split(',').map(str::trim).collect();
    let mut rows: Vec<Row> = items
        .iter()
        .take(MAX_ITEMS)
        .map(|item| row_of(one, Sentence::default().value(&Fact::new((*item).to_owned(), field))))
        .collect();
    if items.len() > MAX_ITEMS {
        let rest = Fact::new(items.len() - MAX_ITEMS, field);
        rows.push(row_of(one, Sentence::new("and ").value(&rest).words(" more")));
    }
    rows
}

//! The event itself: when, where, by which rule; and, at the end of the report, the alert as it was read.

use super::{
    document::{Block, Row, Section},
    html::push,
};
use crate::incident::{Facts, Sentence, inert::is_hidden, time_words};

pub(super) fn section(facts: &Facts<'_>) -> Section {
    let time = match (facts.event_time(), &facts.alert().time_text) {
        (Some(time), _) => Sentence::default().fact(&time.map(crate::event::time::rfc3339)),
        (None, Some(text)) => Sentence::default()
            .value(&crate::incident::Fact::new(text.clone(), "time"))
            .words(", ")
            .unknown("without a date or time zone"),
        (None, None) => Sentence::default().unknown("unknown: the alert has no time"),
    };
    let plain = |label, fact: Option<crate::incident::Fact<String>>, what: &str| Row {
        label,
        value: match fact {
            Some(fact) => Sentence::default().value(&fact),
            None => Sentence::default().unknown(what),
        },
    };
    let tags = facts.tags().map(|tags| tags.map(|tags| tags.join(" ")));
    let mut rows = vec![
        Row { label: "Time (UTC)", value: time },
        plain("Host", facts.host(), "unknown: the alert names no host"),
        plain("Rule", facts.rule(), "unknown: the alert names no rule"),
        plain("Priority", facts.priority(), "unknown: the alert has no priority"),
        plain("Tags", tags, "none"),
    ];
    if let (count, Some(last)) = facts.repeats()
        && count > 1
    {
        let count = crate::incident::Fact::new(count, "alerts");
        let last = crate::incident::Fact::new(time_words::moment(last), "alerts");
        let value = Sentence::default()
            .value(&count)
            .words(" alerts with this rule and file, the last at ")
            .value(&last);
        rows.push(Row { label: "Repeats", value });
    }
    Section::new("event", "Event", vec![Block::Rows { rows }])
}

/// The alert, value by value.
pub(super) fn as_read(facts: &Facts<'_>) -> Section {
    let alert = facts.alert();
    let head = [
        ("hostname", &alert.hostname),
        ("priority", &alert.priority),
        ("rule", &alert.rule),
        ("source", &alert.source),
        ("output", &alert.output),
    ];
    let mut text = String::new();
    for (name, value) in head {
        if let Some(value) = value {
            push(&mut text, format_args!("{name}: {}\n", serde_json::Value::from(value.as_str())));
        }
    }
    for (name, value) in alert.fields.all() {
        push(&mut text, format_args!("{name}: {value}\n"));
    }
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character != '\n' && is_hidden(character) {
            push(&mut safe, format_args!("\\u{{{:x}}}", u32::from(character)));
        } else {
            safe.push(character);
        }
    }
    Section::new(
        "alert",
        "The alert as it was read",
        vec![Block::Code { language: "", text: safe, folded: true }],
    )
}

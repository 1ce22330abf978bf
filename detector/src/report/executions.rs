//! All executions of an incident, when there are several.

use super::document::{Block, Section};
use crate::incident::{Fact, Facts, Incident, Sentence, time_words};

pub(super) fn section(incident: &Incident) -> Option<Section> {
    if incident.executions.len() < 2 {
        return None;
    }
    let mut items: Vec<Sentence> = incident
        .executions
        .iter()
        .map(|execution| {
            let facts = Facts::of(execution);
            let mut item = match facts.event_time() {
                Some(time) => Sentence::default().fact(&time.map(time_words::moment)).words(": "),
                None => Sentence::default().unknown("time unknown").words(": "),
            };
            item = match facts.path() {
                Some(path) => item.value(&path),
                None => item.unknown("path unknown"),
            };
            if let Some(parent) = facts.ancestors().into_iter().next().and_then(|one| one.name) {
                item = item.words(" by ").value(&parent);
            }
            if let Some(rule) = facts.rule() {
                item = item.words(", rule ").value(&rule);
            }
            match execution.count {
                1 => item,
                count => item.words(", ").value(&Fact::new(count, "alerts")).words(" times"),
            }
        })
        .collect();
    if incident.unlisted > 0 {
        let rest = Fact::new(incident.unlisted, "alerts");
        items.push(
            Sentence::new("And ").value(&rest).words(" alerts of further executions that are not listed."),
        );
    }
    Some(Section::new("executions", "All executions", vec![Block::List { items }]))
}

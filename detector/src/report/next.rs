//! What to look at next, what to keep, and how to stop it.

use super::document::{Block, Section};
use crate::incident::{Commands, Sentence, Step};

pub(super) fn sections(commands: Commands) -> Vec<Section> {
    let section = |id, title, words: &str, notes: Vec<Sentence>, steps: Vec<Step>| {
        let mut blocks = Vec::new();
        let mut sentences = notes;
        if steps.is_empty() {
            sentences.push(Sentence::default().unknown("No command can be made from what the alert says."));
        } else {
            sentences.insert(0, Sentence::new(words));
        }
        blocks.push(Block::Paragraph { sentences });
        if !steps.is_empty() {
            blocks.push(Block::Steps { steps });
        }
        Section::new(id, title, blocks)
    };
    let Commands { notes, check, keep, contain } = commands;
    vec![
        section(
            "check",
            "What to check next",
            "These commands look and change nothing. Run them on the host of the alert as root; kubectl wherever it is set up.",
            notes,
            check,
        ),
        section(
            "keep",
            "What to keep",
            "Evidence goes away with the container. In this order:",
            Vec::new(),
            keep,
        ),
        section("contain", "How to contain", "These commands change what runs.", Vec::new(), contain),
    ]
}

//! Plain text for a terminal: values stand in quotes, and nothing in them can talk to the terminal.

use super::document::{Block, Document, IncidentReport, Node};
use crate::incident::{Answer, Sentence, Step, Term, time_words};

const WIDTH: usize = 100;

pub(super) fn render(document: &Document) -> String {
    let mut out = Text::default();
    out.line(&format!("INCIDENT REPORT, made {}", document.made));
    for note in &document.notes {
        out.wrapped("", "", &note.text());
    }
    for incident in &document.incidents {
        out.incident(incident);
    }
    out.0
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: &str) {
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }

    /// Wraps at blanks; `first` stands before the first line, `rest` before the others.
    fn wrapped(&mut self, first: &str, rest: &str, text: &str) {
        let mut line = first.to_owned();
        let mut is_empty = true;
        for word in text.split(' ') {
            if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.line(&line);
                rest.clone_into(&mut line);
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
            is_empty = false;
        }
        self.line(&line);
    }

    fn sentence(&mut self, first: &str, rest: &str, sentence: &Sentence) {
        self.wrapped(first, rest, &sentence.text());
    }

    fn incident(&mut self, incident: &IncidentReport) {
        self.line("");
        self.line(&"=".repeat(WIDTH));
        self.sentence("", "", &incident.heading);
        self.sentence("", "", &incident.place);
        self.sentence("", "", &incident.risk);
        self.line("");
        let summary: Vec<String> = incident.summary.iter().map(Sentence::text).collect();
        self.wrapped("", "", &summary.join(" "));
        for section in &incident.sections {
            self.line("");
            self.line(&section.title.to_uppercase());
            for block in &section.blocks {
                self.block(block);
            }
        }
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Paragraph { sentences } => {
                let all: Vec<String> = sentences.iter().map(Sentence::text).collect();
                self.wrapped("  ", "  ", &all.join(" "));
            }
            Block::List { items } => items.iter().for_each(|item| self.sentence("  - ", "    ", item)),
            Block::Rows { rows } => {
                for row in rows {
                    self.sentence(&format!("  {:<22} ", row.label), &" ".repeat(25), &row.value);
                }
            }
            Block::Timeline { moments } => {
                let mut before: Option<u64> = None;
                for moment in moments {
                    if let Some(before) = before {
                        self.line(&format!("      |  {}", time_words::span(moment.ns - before)));
                    }
                    before = Some(moment.ns);
                    self.sentence(
                        &format!("  {}  ", time_words::moment(moment.ns)),
                        &" ".repeat(31),
                        &moment.what,
                    );
                }
            }
            Block::Tree { nodes } => {
                for (depth, node) in nodes.iter().enumerate() {
                    self.node(depth, node);
                }
            }
            Block::Risk { risk } => risk.terms.iter().for_each(|term| self.term(term)),
            Block::References { references } => {
                for reference in references {
                    let url = reference.url.as_ref().map_or(String::new(), |url| format!(": {url}"));
                    self.wrapped("  - ", "    ", &format!("{}{url}", reference.what.text()));
                }
            }
            Block::Steps { steps } => steps.iter().for_each(|step| self.step(step)),
            Block::Code { text, .. } => {
                self.line("");
                text.lines().for_each(|line| self.line(&format!("    {line}")));
            }
        }
    }

    fn node(&mut self, depth: usize, node: &Node) {
        let branch = if depth == 0 { String::new() } else { format!("{}`- ", "   ".repeat(depth - 1)) };
        let mark = if node.subject { "* " } else { "" };
        self.sentence(&format!("  {branch}{mark}"), &" ".repeat(4 + 3 * depth), &node.what);
    }

    fn term(&mut self, term: &Term) {
        let points = match term.answer {
            Answer::Yes => format!("{:+}", term.points),
            Answer::No => "0".to_owned(),
            Answer::Unknown => format!("? ({:+})", term.points),
        };
        self.sentence(&format!("  {points:>8}  "), &" ".repeat(12), &term.reason);
    }

    fn step(&mut self, step: &Step) {
        self.line("");
        self.sentence("  # ", "  # ", &step.purpose);
        step.command.lines().for_each(|line| self.line(&format!("  {line}")));
    }
}

//! Incidents as reports that people read: facts to sentences, sentences to Markdown, HTML, plain text or JSON. Nothing is
//! stated that no field says; what is not known is said to be unknown.

mod container;
mod document;
mod event;
mod executions;
mod file;
mod html;
mod json;
mod knowledge;
mod markdown;
mod next;
mod process;
mod references;
mod style;
mod summary;
mod svg;
mod text;
mod timeline;

use crate::incident::{Commands, Engine, Facts, Incident, Risk, Sentence};

pub use document::{Block, Document, IncidentReport, Moment, Node, Reference, Row, Section};

/// Layout of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For documents and issue trackers.
    Markdown,
    /// One file for a browser or a printer.
    Html,
    /// For programs.
    Json,
    /// For a terminal.
    Text,
}

/// What goes into one incident's report beside its alerts.
#[derive(Clone, Debug, Default)]
pub struct Additions {
    /// The engine, where the user knows it and the alert does not say.
    pub engine: Option<Engine>,
    /// What a look at the host told, each with its time.
    pub live: Vec<Block>,
    /// Moments that the alerts do not know.
    pub moments: Vec<Moment>,
    /// How to tune, if it is expected.
    pub tuning: Vec<Block>,
}

/// The report of one incident; `None` when it has no alert.
#[must_use]
pub fn incident(incident: &Incident, additions: Additions) -> Option<IncidentReport> {
    let main = incident.main()?;
    let facts = Facts::of(main);
    let risk = Risk::of(&facts);
    let commands = Commands::of(&facts, additions.engine);
    let mut sections = vec![
        event::section(&facts),
        timeline::section(&facts, additions.moments),
        process::section(&facts),
        container::section(&facts),
        file::section(&facts),
    ];
    sections.extend(executions::section(incident));
    sections.extend([
        knowledge::section(&facts),
        Section::new("risk", "Risk", vec![Block::Risk { risk: risk.clone() }]),
    ]);
    sections.extend(references::section(&facts));
    if !additions.live.is_empty() {
        sections.push(Section::new("live", "Seen on this host now", additions.live));
    }
    sections.extend(next::sections(commands));
    if !additions.tuning.is_empty() {
        sections.push(Section::new("tune", "If it is expected", additions.tuning));
    }
    sections.push(event::as_read(&facts));
    Some(IncidentReport {
        heading: summary::heading(&facts),
        place: summary::place(&facts),
        risk: risk_word(&risk),
        score: risk.score,
        level: risk.level,
        summary: summary::sentences(&facts, incident),
        sections,
    })
}

fn risk_word(risk: &Risk) -> Sentence {
    let known = format!("Risk {}: {} of 100", risk.level.name(), risk.score);
    let open = if risk.at_most > risk.score {
        format!("; up to {} if what is unknown were all true", risk.at_most)
    } else {
        String::new()
    };
    Sentence::new(&format!("{known}{open}."))
}

/// The document as bytes of a file.
#[must_use]
pub fn render(document: &Document, format: Format) -> String {
    match format {
        Format::Markdown => markdown::render(document),
        Format::Html => html::render(document),
        Format::Json => json::render(document),
        Format::Text => text::render(document),
    }
}

#[cfg(test)]
mod tests;

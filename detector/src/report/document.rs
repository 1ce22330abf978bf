//! A report before it has a layout.

use serde::Serialize;

use crate::incident::{Level, Risk, Sentence, Step};

/// Reports of one or more incidents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Document {
    /// Version of this layout, for programs.
    pub version: u32,
    /// When the report was made, UTC.
    pub made: String,
    /// What was read, and what of it was left out.
    pub notes: Vec<Sentence>,
    /// One for each container.
    pub incidents: Vec<IncidentReport>,
}

/// The report of one incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IncidentReport {
    /// What happened, in a few words.
    pub heading: Sentence,
    /// Where and when.
    pub place: Sentence,
    /// The risk, in words.
    pub risk: Sentence,
    /// Its score, 0 to 100.
    pub score: i32,
    /// Its level.
    pub level: Level,
    /// What happened, in sentences.
    pub summary: Vec<Sentence>,
    /// Everything else.
    pub sections: Vec<Section>,
}

/// A section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Section {
    /// Stable word.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// Its content.
    pub blocks: Vec<Block>,
}

impl Section {
    /// A section with its content.
    #[must_use]
    pub const fn new(id: &'static str, title: &'static str, blocks: Vec<Block>) -> Self {
        Self { id, title, blocks }
    }
}

/// A piece of a section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Block {
    /// Sentences that belong together.
    Paragraph {
        /// In order.
        sentences: Vec<Sentence>,
    },
    /// Sentences that stand for themselves.
    List {
        /// In order.
        items: Vec<Sentence>,
    },
    /// Names with values.
    Rows {
        /// In order.
        rows: Vec<Row>,
    },
    /// Points in time, earliest first.
    Timeline {
        /// In order.
        moments: Vec<Moment>,
    },
    /// Processes, the oldest first, each the parent of the next.
    Tree {
        /// In order.
        nodes: Vec<Node>,
    },
    /// The score with its terms.
    Risk {
        /// The score.
        risk: Risk,
    },
    /// Where to read more.
    References {
        /// In order.
        references: Vec<Reference>,
    },
    /// Commands.
    Steps {
        /// In order.
        steps: Vec<Step>,
    },
    /// Text for a file.
    Code {
        /// Its language.
        language: &'static str,
        /// The text.
        text: String,
        /// Whether it is long and only for reference.
        folded: bool,
    },
}

/// A name with a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The name.
    pub label: &'static str,
    /// The value.
    pub value: Sentence,
}

/// A point in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// Nanoseconds since the epoch.
    pub ns: u64,
    /// A few words of ours.
    pub label: &'static str,
    /// What happened.
    pub what: Sentence,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// What is known of it.
    pub what: Sentence,
    /// Whether it is the one that the alert is about.
    pub subject: bool,
}

/// A place to read more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reference {
    /// What it is.
    pub what: Sentence,
    /// Its address, made of the tag.
    pub url: Option<String>,
}

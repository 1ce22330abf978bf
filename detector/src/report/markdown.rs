//! Markdown (CommonMark): every value stands in a code span or a code block, where nothing is interpreted.

use std::fmt::Write as _;

use super::document::{Block, Document, IncidentReport};
use crate::incident::{Answer, Part, Sentence, time_words};

pub(super) fn render(document: &Document) -> String {
    let mut out = format!("# Incident report\n\nMade {}.\n", document.made);
    for note in &document.notes {
        line(&mut out, &format!("\n{}", inline(note)));
    }
    for incident in &document.incidents {
        one(&mut out, incident);
    }
    out
}

fn one(out: &mut String, incident: &IncidentReport) {
    line(out, &format!("\n## {}\n", inline(&incident.heading)));
    line(out, &format!("{}\n", inline(&incident.place)));
    line(out, &format!("**{}**\n", inline(&incident.risk)));
    let summary: Vec<String> = incident.summary.iter().map(inline).collect();
    line(out, &summary.join(" "));
    for section in &incident.sections {
        line(out, &format!("\n### {}", section.title));
        section.blocks.iter().for_each(|part| block(out, part));
    }
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn block(out: &mut String, block: &Block) {
    out.push('\n');
    match block {
        Block::Paragraph { sentences } => {
            let all: Vec<String> = sentences.iter().map(inline).collect();
            line(out, &all.join(" "));
        }
        Block::List { items } => items.iter().for_each(|item| line(out, &format!("- {}", inline(item)))),
        Block::Rows { rows } => {
            for row in rows {
                line(out, &format!("- **{}:** {}", row.label, inline(&row.value)));
            }
        }
        Block::Timeline { moments } => {
            let mut before: Option<u64> = None;
            for moment in moments {
                let gap = before.map_or(String::new(), |before| {
                    format!(" (after {})", time_words::span(moment.ns - before))
                });
                before = Some(moment.ns);
                line(out, &format!("- {}{gap}: {}", time_words::moment(moment.ns), inline(&moment.what)));
            }
        }
        Block::Tree { nodes } => {
            for (depth, node) in nodes.iter().enumerate() {
                let (from, to) = if node.subject { ("**", "**") } else { ("", "") };
                line(out, &format!("{}- {from}{}{to}", "  ".repeat(depth), inline(&node.what)));
            }
        }
        Block::Risk { risk } => {
            for term in &risk.terms {
                let points = match term.answer {
                    Answer::Yes => format!("{:+}", term.points),
                    Answer::No => "0".to_owned(),
                    Answer::Unknown => format!("? ({:+})", term.points),
                };
                line(out, &format!("- `{points}` {}", inline(&term.reason)));
            }
        }
        Block::References { references } => {
            for reference in references {
                let url = reference.url.as_ref().map_or(String::new(), |url| format!(": <{url}>"));
                line(out, &format!("- {}{url}", inline(&reference.what)));
            }
        }
        Block::Steps { steps } => {
            for step in steps {
                line(out, &format!("{}\n", inline(&step.purpose)));
                fenced(out, "sh", &step.command);
                out.push('\n');
            }
        }
        Block::Code { language, text, .. } => fenced(out, language, text),
    }
}

fn fenced(out: &mut String, language: &str, text: &str) {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    // Writing to a String cannot fail.
    let _ = write!(out, "{fence}{language}\n{}\n{fence}\n", text.trim_end());
}

fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or(0)
}

fn inline(sentence: &Sentence) -> String {
    let mut text = String::new();
    for part in &sentence.parts {
        match part {
            Part::Words(words) => text.push_str(words),
            Part::Unknown(words) => {
                let (start, rest) = words.split_at(words.len() - words.trim_start().len());
                let _ = write!(text, "{start}*{}*", rest.trim_end());
            }
            Part::Value(value) => {
                let fence = "`".repeat(longest_run(value) + 1);
                let pad = if value.starts_with(['`', ' ']) || value.ends_with(['`', ' ']) { " " } else { "" };
                // An empty code span is none.
                let shown = if value.is_empty() { "\"\"" } else { value };
                let _ = write!(text, "{fence}{pad}{shown}{pad}{fence}");
            }
        }
    }
    text
}

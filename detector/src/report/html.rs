//! One HTML file that needs nothing else: no script, no font, no request. Every text goes through `escape`.

use std::fmt::Write as _;

use super::{
    document::{Block, Document, IncidentReport, Moment, Node, Section},
    style, svg,
};
use crate::incident::{Answer, Part, Risk, Sentence, Step, time_words};

pub(super) fn render(document: &Document) -> String {
    let mut page = Page(String::with_capacity(1 << 16));
    let title =
        document.incidents.first().map_or_else(|| "Incident report".to_owned(), |one| one.heading.text());
    page.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.raw("<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n");
    page.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
    page.raw("<title>");
    page.text(&title.chars().take(120).collect::<String>());
    page.raw("</title>\n<style>\n");
    page.raw(style::SHEET);
    page.raw("</style>\n</head>\n<body>\n<header class=\"page\">\n<p><span class=\"name\">Incident report</span> <span class=\"made\">made ");
    page.text(&document.made);
    page.raw("</span></p>\n");
    for note in &document.notes {
        page.raw("<p class=\"note\">");
        page.sentence(note);
        page.raw("</p>\n");
    }
    page.raw("</header>\n<main>\n");
    for (index, incident) in document.incidents.iter().enumerate() {
        page.incident(index + 1, incident);
    }
    page.raw("</main>\n</body>\n</html>\n");
    page.0
}

pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

struct Page(String);

impl Page {
    fn raw(&mut self, markup: &str) {
        self.0.push_str(markup);
    }

    fn text(&mut self, text: &str) {
        self.0.push_str(&escape(text));
    }

    fn sentence(&mut self, sentence: &Sentence) {
        for part in &sentence.parts {
            match part {
                Part::Words(words) => self.text(words),
                Part::Value(value) => {
                    self.raw("<code>");
                    self.text(value);
                    self.raw("</code>");
                }
                Part::Unknown(words) => {
                    self.raw("<em class=\"unknown\">");
                    self.text(words);
                    self.raw("</em>");
                }
            }
        }
    }

    fn incident(&mut self, number: usize, incident: &IncidentReport) {
        let level = incident.level.name();
        self.raw(&format!("<article class=\"{level}\">\n<header class=\"head\">\n<h1>"));
        self.sentence(&incident.heading);
        self.raw("</h1>\n<p class=\"place\">");
        self.sentence(&incident.place);
        self.raw("</p>\n</header>\n<div class=\"summary\">\n");
        for (index, sentence) in incident.summary.iter().enumerate() {
            self.raw(if index == 0 { "<p class=\"lead\">" } else { "" });
            self.sentence(sentence);
            self.raw(if index == 0 { "</p>\n<p>" } else { " " });
        }
        self.raw("</p>\n<p class=\"score\">");
        self.sentence(&incident.risk);
        self.raw("</p>\n</div>\n");
        self.raw(&format!("<nav aria-label=\"Sections of incident {number}\">\n<ul>\n"));
        for section in &incident.sections {
            self.raw(&format!(
                "<li><a href=\"#i{number}-{}\">{}</a></li>\n",
                section.id,
                escape(section.title)
            ));
        }
        self.raw("</ul>\n</nav>\n<div class=\"sections\">\n");
        incident.sections.iter().for_each(|section| self.section(number, section));
        self.raw("</div>\n</article>\n");
    }

    fn section(&mut self, number: usize, section: &Section) {
        let title = escape(section.title);
        self.raw(&format!("<section id=\"i{number}-{}\">\n<h2>{title}</h2>\n", section.id));
        section.blocks.iter().for_each(|block| self.block(section.title, block));
        self.raw("</section>\n");
    }

    fn block(&mut self, title: &str, block: &Block) {
        match block {
            Block::Paragraph { sentences } => {
                self.raw("<p>");
                for sentence in sentences {
                    self.sentence(sentence);
                    self.raw(" ");
                }
                self.raw("</p>\n");
            }
            Block::List { items } => {
                self.raw("<ul class=\"list\">\n");
                for item in items {
                    self.raw("<li>");
                    self.sentence(item);
                    self.raw("</li>\n");
                }
                self.raw("</ul>\n");
            }
            Block::Rows { rows } => {
                self.raw("<dl>\n");
                for row in rows {
                    self.raw(&format!("<div><dt>{}</dt><dd><span class=\"told\">", escape(row.label)));
                    self.sentence(&row.value);
                    self.raw("</span>");
                    let from = shown_sources(&row.value);
                    if !from.is_empty() {
                        self.raw("<small class=\"from\">");
                        self.text(&from.join(", "));
                        self.raw("</small>");
                    }
                    self.raw("</dd></div>\n");
                }
                self.raw("</dl>\n");
            }
            Block::Timeline { moments } => self.timeline(moments),
            Block::Tree { nodes } => {
                self.raw("<div class=\"tree\">\n");
                self.tree(nodes);
                self.raw("</div>\n");
            }
            Block::Risk { risk } => self.risk(risk),
            Block::References { references } => {
                self.raw("<ul class=\"list\">\n");
                for reference in references {
                    self.raw("<li>");
                    match &reference.url {
                        Some(url) => {
                            self.raw(&format!("<a href=\"{}\">", escape(url)));
                            self.sentence(&reference.what);
                            self.raw("</a>");
                        }
                        None => self.sentence(&reference.what),
                    }
                    self.raw("</li>\n");
                }
                self.raw("</ul>\n");
            }
            Block::Steps { steps } => self.steps(steps),
            Block::Code { text, folded, .. } => {
                if *folded {
                    self.raw(&format!(
                        "<details>\n<summary>Show {}</summary>\n",
                        escape(&title.to_lowercase())
                    ));
                }
                // A file keeps its lines; what does not fit is reached by scrolling, also with the keyboard.
                self.raw(if *folded { "<pre><code>" } else { "<pre class=\"file\" tabindex=\"0\"><code>" });
                self.text(text.trim_end());
                self.raw("</code></pre>\n");
                if *folded {
                    self.raw("</details>\n");
                }
            }
        }
    }

    fn timeline(&mut self, moments: &[Moment]) {
        if moments.len() > 1 {
            self.raw("<figure class=\"timeline\">\n");
            self.raw(&svg::timeline(moments));
            self.raw("</figure>\n");
        }
        self.raw("<ol class=\"moments\">\n");
        let mut before: Option<u64> = None;
        for moment in moments {
            self.raw("<li><time datetime=\"");
            self.text(&time_words::machine(moment.ns));
            self.raw("\">");
            self.text(&time_words::moment(moment.ns));
            self.raw("</time> <span class=\"told\">");
            self.sentence(&moment.what);
            if let Some(before) = before {
                self.raw(" <span class=\"gap\">");
                self.text(&format!("{} later", time_words::span(moment.ns - before)));
                self.raw("</span>");
            }
            before = Some(moment.ns);
            self.raw("</span></li>\n");
        }
        self.raw("</ol>\n");
    }

    /// Each process inside the list of the one above it.
    fn tree(&mut self, nodes: &[Node]) {
        let Some((first, rest)) = nodes.split_first() else { return };
        self.raw(if first.subject { "<ul>\n<li class=\"subject\">" } else { "<ul>\n<li>" });
        self.raw("<span>");
        self.sentence(&first.what);
        self.raw("</span>");
        if !rest.is_empty() {
            self.raw("\n");
            self.tree(rest);
        }
        self.raw("</li>\n</ul>\n");
    }

    fn risk(&mut self, risk: &Risk) {
        self.raw("<figure class=\"gauge\">\n");
        self.raw(&svg::gauge(risk));
        self.raw("</figure>\n<table>\n<thead><tr><th scope=\"col\">Points</th><th scope=\"col\">Because</th></tr></thead>\n<tbody>\n");
        for term in &risk.terms {
            let (class, points) = match term.answer {
                Answer::Yes if term.points < 0 => ("less", format!("\u{2212}{}", -term.points)),
                Answer::Yes => ("more", format!("+{}", term.points)),
                Answer::No => ("none", "0".to_owned()),
                Answer::Unknown if term.points < 0 => ("open", format!("? (\u{2212}{})", -term.points)),
                Answer::Unknown => ("open", format!("? (+{})", term.points)),
            };
            self.raw(&format!("<tr class=\"{class}\"><td>{points}</td><td>"));
            self.sentence(&term.reason);
            self.raw("</td></tr>\n");
        }
        self.raw("</tbody>\n</table>\n");
    }

    fn steps(&mut self, steps: &[Step]) {
        self.raw("<ol class=\"steps\">\n");
        for step in steps {
            self.raw("<li><p>");
            self.sentence(&step.purpose);
            self.raw("</p>\n<pre><code>");
            self.text(&step.command);
            self.raw("</code></pre></li>\n");
        }
        self.raw("</ol>\n");
    }
}

/// The fields to show beside a value: none beside what is not known, and which kind of file it is about not beside all
/// that is told of it.
fn shown_sources(value: &Sentence) -> Vec<&str> {
    if value.parts.iter().all(|part| matches!(part, Part::Unknown(_))) {
        return Vec::new();
    }
    let all = value.from.iter().map(String::as_str);
    let telling: Vec<&str> = all.clone().filter(|name| *name != "drop.kind").collect();
    if telling.is_empty() { all.collect() } else { telling }
}

/// Writes markup made of our own words and numbers.
pub(super) fn push(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(arguments);
}

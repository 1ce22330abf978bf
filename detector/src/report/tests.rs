//! Nothing is stated that no field says, and nothing that stands in a field acts.

use proptest::{prop_assert, proptest};
use serde_json::{Map, Value, json};

use super::{Additions, Block, Document, Format, IncidentReport, incident, render};
use crate::incident::{AlertReader, Grouping, Incident, Sentence};

const FORMATS: [Format; 4] = [Format::Markdown, Format::Html, Format::Json, Format::Text];

/// An alert that has every field that reports look at; each text value occurs nowhere else.
fn everything() -> Value {
    serde_json::from_str(include_str!("everything.json")).unwrap()
}

/// The same for each way in which a file gets to run: what is told of a script is not there for others.
fn everything_of(kind: &str) -> Value {
    let mut alert = everything();
    let fields = alert["output_fields"].as_object_mut().unwrap();
    fields["drop.kind"] = json!(kind);
    if ["exec", "exec_map"].contains(&kind) {
        fields.retain(|name, _| !name.starts_with("drop.script."));
    }
    alert
}

const KINDS: [&str; 4] = ["exec", "script", "interpreter_arg", "exec_map"];

fn report(alert: &Value) -> IncidentReport {
    let incidents = read(&alert.to_string());
    incident(&incidents[0], Additions::default()).unwrap()
}

fn read(text: &str) -> Vec<Incident> {
    let mut reader = AlertReader::new("in", text.as_bytes());
    let mut grouping = Grouping::default();
    while let Some(alert) = reader.next_alert().unwrap() {
        grouping.add(alert);
    }
    grouping.finish()
}

fn document(incident: IncidentReport) -> Document {
    Document {
        version: 1,
        made: "2024-10-06 00:00:00 UTC".to_owned(),
        notes: Vec::new(),
        incidents: vec![incident],
    }
}

/// All sentences, each with where it stands.
fn sentences(report: &IncidentReport) -> Vec<(String, &Sentence)> {
    let mut all: Vec<(String, &Sentence)> =
        vec![("heading".to_owned(), &report.heading), ("place".to_owned(), &report.place)];
    all.extend(report.summary.iter().map(|one| ("summary".to_owned(), one)));
    for section in &report.sections {
        for block in &section.blocks {
            let mut add = |key: &str, one| all.push((format!("{} {key}", section.id), one));
            match block {
                Block::Paragraph { sentences } | Block::List { items: sentences } => {
                    for one in sentences {
                        add("", one);
                    }
                }
                Block::Rows { rows } => rows.iter().for_each(|row| add(row.label, &row.value)),
                Block::Timeline { moments } => {
                    for moment in moments {
                        add(moment.label, &moment.what);
                    }
                }
                Block::Tree { nodes } => nodes.iter().for_each(|node| add("", &node.what)),
                Block::Risk { risk } => risk.terms.iter().for_each(|term| add(term.key, &term.reason)),
                Block::References { references } => references.iter().for_each(|one| add("", &one.what)),
                Block::Steps { steps } => {
                    for step in steps {
                        add("", &step.purpose);
                    }
                }
                Block::Code { .. } => {}
            }
        }
    }
    all
}

fn fields(alert: &Value) -> Vec<String> {
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let mut all = names(&alert["output_fields"]);
    all.extend(names(alert).into_iter().filter(|name| name != "output_fields" && name != "source"));
    all
}

fn slot<'a>(alert: &'a mut Value, field: &str) -> &'a mut Map<String, Value> {
    let inner = alert["output_fields"].as_object().unwrap().contains_key(field);
    let place = if inner { &mut alert["output_fields"] } else { alert };
    place.as_object_mut().unwrap()
}

#[test]
fn a_field_that_is_gone_is_stated_by_no_sentence_and_in_no_format() {
    for kind in KINDS {
        each_field_gone(&everything_of(kind));
    }
}

fn each_field_gone(whole: &Value) {
    for field in fields(whole) {
        let mut alert = whole.clone();
        let gone = match slot(&mut alert, &field).remove(&field) {
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
            None => unreachable!("{field} was listed"),
        };
        // A report needs a rule's name to know an alert by.
        if field == "rule" {
            continue;
        }
        let report = report(&alert);
        for (place, sentence) in sentences(&report) {
            assert!(
                !sentence.from.contains(&field),
                "{field} is gone, and {place} says: {}",
                sentence.text()
            );
        }
        // Values that are unique as texts; the others are held by the sentence's sources above.
        let telling =
            gone.contains("mark") || gone.len() >= 6 && gone.bytes().all(|byte| byte.is_ascii_hexdigit());
        // The short id is the beginning of the long one.
        let repeated = ["container.id", "evt.time"].contains(&field.as_str());
        if telling && !repeated {
            let document = document(report);
            for format in FORMATS {
                let text = render(&document, format);
                assert!(!text.contains(&gone), "{field} is gone, and {format:?} shows {gone}");
            }
        }
    }
}

#[test]
fn a_sentence_depends_on_the_fields_that_it_names_and_on_no_other() {
    for kind in KINDS {
        each_field_changed(&everything_of(kind));
    }
}

fn each_field_changed(whole: &Value) {
    let before = report(whole);
    for field in fields(whole).into_iter().filter(|field| field != "tags") {
        let mut alert = whole.clone();
        let place = slot(&mut alert, &field);
        let changed = match &place[&field] {
            Value::Bool(truth) => json!(!truth),
            Value::Number(number) if number.is_f64() => json!(number.as_f64().unwrap() / 2.0),
            Value::Number(number) => json!(number.as_u64().unwrap() + 60_000_000_000),
            Value::String(text) if field == "time" => json!(text.replace("12:03", "13:07")),
            Value::String(text) => json!(format!("{text}x")),
            other => other.clone(),
        };
        place.insert(field.clone(), changed);
        let after = report(&alert);
        // A sentence that does not name the field stays, or gives way to one that does.
        for (one, other, what) in [(&before, &after, "went away"), (&after, &before, "appeared")] {
            let others = sentences(other);
            for (place, sentence) in sentences(one) {
                let stays = others.iter().any(|(there, found)| *there == place && *found == sentence);
                let gives_way =
                    others.iter().any(|(there, found)| *there == place && found.from.contains(&field));
                assert!(
                    sentence.from.contains(&field) || stays || gives_way,
                    "{field} changed, and a sentence that does not name it {what} ({place}): {}",
                    sentence.text()
                );
            }
        }
    }
}

#[test]
fn the_summary_reads_like_a_sentence() {
    let of_script = report(&everything());
    assert_eq!(
        of_script.summary[0].text(),
        "\"/scriptmark\" was run as user \"usermark\" in container \"ctrmark\", whose \
         image is \"repomark\" with tag \"tagmark\", of pod \"podmark\" in namespace \"nsmark\" on host \"hostmark\"."
    );
    assert_eq!(
        of_script.summary[2].text(),
        "It was written by \"bycommmark\" with the command line \"bycmdmark -o\", which ran in: \"wheremark\", which had \
         opened it 7 ms before."
    );
    // What was only an argument, or looked up by its name, the kernel did not have in hand: it knows who wrote the interpreter.
    for (kind, source) in [("interpreter_arg", "path"), ("script", "path")] {
        let mut by_name = everything_of(kind);
        by_name["output_fields"]["drop.script.source"] = json!(source);
        assert_eq!(
            report(&by_name).summary[2].text(),
            "Who wrote the file is unknown: the alert does not tell."
        );
    }
    let mut alert = everything_of("exec");
    alert["output_fields"]["drop.by.where"] = json!("same_container");
    let summary: Vec<String> = report(&alert).summary.iter().map(Sentence::text).collect();
    assert!(
        summary[0].starts_with("3 ms after its last change, \"/tmp/exepathmark\" was executed as user"),
        "{summary:?}"
    );
    assert_eq!(
        summary[2],
        "It was written by \"bycommmark\" with the command line \"bycmdmark -o\" inside the same container, which had \
         opened it 7 ms before."
    );
    assert!(summary[3].contains("\"viamark\""), "{summary:?}");
    alert["output_fields"]["drop.by.where"] = json!("other_container");
    assert_eq!(
        report(&alert).summary[2].text(),
        "It was written by \"bycommmark\" with the command line \"bycmdmark -o\" in another container \
         (\"bycontainermark\"), which had opened it 7 ms before."
    );
}

/// The interpreter is the image's, and a program that maps a file did not change: what is told of them was stated as
/// if it were told of the script or of the mapped file.
#[test]
fn what_is_told_of_the_interpreter_is_not_stated_of_the_script() {
    for (kind, own) in
        [("script", "drop.script."), ("interpreter_arg", "drop.script."), ("exec_map", "drop.path")]
    {
        let mut alert = everything_of(kind);
        let fields = alert["output_fields"].as_object_mut().unwrap();
        fields["drop.origin"] = json!("image");
        fields.retain(|name, _| !name.starts_with(own) && name != "drop.path");
        let report = report(&alert);
        let lead = report.summary[0].text();
        assert!(lead.contains("file whose path is unknown was"), "{kind}: {lead}");
        let file = report.sections.iter().find(|section| section.id == "file").unwrap();
        let Block::Rows { rows } = &file.blocks[0] else { panic!("{file:?}") };
        assert!(
            rows.iter().all(|row| row.label != "Last change" && row.label != "Inode"),
            "{kind}: {rows:?}"
        );
        let timeline = report.sections.iter().find(|section| section.id == "timeline").unwrap();
        let Block::Timeline { moments } = &timeline.blocks[0] else { panic!("{timeline:?}") };
        assert!(moments.iter().all(|moment| moment.label != "file changed"), "{kind}: {moments:?}");
        if own == "drop.script." {
            assert_eq!(report.summary[1].text(), "Where the file comes from is unknown.", "{kind}");
        }
    }
}

#[test]
fn an_empty_alert_is_a_report_of_what_is_not_known() {
    let report = report(&json!({"rule": "R", "output_fields": {}}));
    assert_eq!(
        report.summary[0].text(),
        "A file whose path is unknown was executed by a user that is not known in a container that is not named."
    );
    let html = render(&document(report), Format::Html);
    assert!(html.contains("No point in time is known"), "{html}");
}

#[test]
fn every_section_of_the_issue_is_there() {
    let report = report(&everything());
    let ids: Vec<&str> = report.sections.iter().map(|section| section.id).collect();
    assert_eq!(
        ids,
        [
            "event",
            "timeline",
            "process",
            "container",
            "file",
            "knowledge",
            "risk",
            "references",
            "check",
            "keep",
            "contain",
            "alert"
        ]
    );
}

/// Every text of the alert becomes `value`; the kind only without another one.
fn filled(value: &str, kind: Option<&str>) -> Value {
    let mut alert = everything_of(kind.unwrap_or("script"));
    let fill = |map: &mut Map<String, Value>| {
        for (key, slot) in map.iter_mut() {
            if slot.is_string() && key != "time" && (key != "drop.kind" || kind.is_none()) {
                *slot = json!(value);
            }
        }
    };
    fill(alert["output_fields"].as_object_mut().unwrap());
    fill(alert.as_object_mut().unwrap());
    alert["tags"] = json!([value, format!("PCI_DSS_{value}"), format!("T1{value}")]);
    alert["output_fields"][format!("drop.elf.{value}")] = json!(value);
    alert
}

/// Tags of the page itself.
const TAGS: [&str; 48] = [
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "header",
    "p",
    "span",
    "main",
    "article",
    "h1",
    "h2",
    "code",
    "em",
    "div",
    "nav",
    "ul",
    "ol",
    "li",
    "a",
    "section",
    "dl",
    "dt",
    "dd",
    "small",
    "figure",
    "svg",
    "line",
    "circle",
    "text",
    "rect",
    "time",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "pre",
    "details",
    "summary",
    "!DOCTYPE",
    "/html",
    "/head",
    "strong",
    "figcaption",
    "bdi",
];

fn is_inert(value: &str) -> Result<(), String> {
    [None, Some("script"), Some("exec_map")].into_iter().try_for_each(|kind| is_inert_as(value, kind))
}

fn is_inert_as(value: &str, kind: Option<&str>) -> Result<(), String> {
    let document = document(report(&filled(value, kind)));
    let fail =
        |what: &str, text: &str| Err(format!("{what}: {}", text.chars().take(200).collect::<String>()));
    let html = render(&document, Format::Html);
    for piece in html.split('<').skip(1) {
        let tag: String = piece
            .trim_start_matches('/')
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '!')
            .collect();
        if !TAGS.contains(&tag.as_str()) {
            return fail("a tag of its own", piece);
        }
        let inside = piece.split('>').next().unwrap_or_default();
        if inside
            .split('"')
            .step_by(2)
            .any(|outside| outside.contains(" on") || outside.contains("javascript:"))
        {
            return fail("an attribute of its own", piece);
        }
    }
    for format in FORMATS {
        let text = render(&document, format);
        if let Some(hidden) = text.chars().find(|c| *c != '\n' && crate::incident::inert::is_hidden(*c)) {
            return fail(&format!("{format:?} lets {hidden:?} through"), value);
        }
    }
    let json = render(&document, Format::Json);
    if serde_json::from_str::<Value>(&json).is_err() {
        return fail("no JSON", &json);
    }
    let markdown = render(&document, Format::Markdown);
    let bare = outside_of_code(&markdown);
    if ["<script", "](", "![", "<img", "&#"].iter().any(|mark| bare.contains(mark)) {
        return fail("Markdown outside of code", &bare);
    }
    Ok(())
}

/// Markdown with its code spans and blocks taken out, as `CommonMark` finds them.
fn outside_of_code(markdown: &str) -> String {
    let mut bare = String::new();
    let mut fence: Option<usize> = None;
    for line in markdown.lines() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        match fence {
            Some(length) if ticks >= length && line.trim_start_matches('`').is_empty() => fence = None,
            Some(_) => {}
            None if ticks >= 3 && !line[ticks..].contains('`') => fence = Some(ticks),
            None => {
                let mut rest = line;
                while let Some(start) = rest.find('`') {
                    bare.push_str(&rest[..start]);
                    let run = rest[start..].len() - rest[start..].trim_start_matches('`').len();
                    let behind = &rest[start + run..];
                    let mut at = 0;
                    let end = loop {
                        let Some(next) = behind[at..].find('`') else { break None };
                        let length =
                            behind[at + next..].len() - behind[at + next..].trim_start_matches('`').len();
                        if length == run {
                            break Some(at + next + length);
                        }
                        at += next + length;
                    };
                    rest = end.map_or("", |end| &behind[end..]);
                }
                bare.push_str(rest);
                bare.push('\n');
            }
        }
    }
    bare
}

#[test]
fn known_attacks_are_inert() {
    for value in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "</style><svg onload=alert(1)>",
        "`</code><b>x",
        "```\n# heading\n[x](javascript:alert(1))",
        "``` ![x](http://h/x)",
        "\u{1b}]0;title\u{7}\u{1b}[2J",
        "\u{202e}gpj.exe\u{2066}",
        "a\r\nb\0c",
        "$(reboot) `reboot` ; reboot",
        "--> <!-- ",
        "& &amp; &lt;",
        "",
        " ",
    ] {
        is_inert(value).unwrap_or_else(|why| panic!("{value:?}: {why}"));
    }
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(32))]
    #[test]
    fn any_value_is_inert(value in "[<>\"'`&;$()!\\[\\]\\\\|*_#a-c\u{1b}\u{202e}\u{9b}\n\r\t\u{0} -]{0,24}") {
        let found = is_inert(&value);
        prop_assert!(found.is_ok(), "{value:?}: {found:?}");
    }
}

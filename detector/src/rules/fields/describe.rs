//! The catalogue for people: what `--list` prints.

use std::fmt::Write as _;

use super::{Entry, FAMILIES, Family, Subject, Takes};

/// Layout of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListFormat {
    /// Columns for a terminal.
    Text,
    /// Tables for a document.
    Markdown,
    /// One object for programs.
    Json,
}

/// All fields in that layout, ended by a newline; `names_only` leaves out what they mean.
#[must_use]
pub fn describe(format: ListFormat, names_only: bool) -> String {
    if names_only && format != ListFormat::Json {
        return FAMILIES.iter().flat_map(Family::entries).fold(String::new(), |mut list, entry| {
            list.push_str(entry.name);
            list.push('\n');
            list
        });
    }
    match format {
        ListFormat::Text => text(),
        ListFormat::Markdown => markdown(),
        ListFormat::Json => json(names_only),
    }
}

/// The name with what it takes: `proc.aname[N]`.
fn written(entry: &Entry) -> String {
    let argument = match entry.takes {
        Takes::Nothing => "",
        Takes::OptionalIndex => "[N]",
        Takes::OptionalName | Takes::Name => "[NAME]",
        Takes::OptionalIndexOrName | Takes::NameOrIndex => "[N or NAME]",
    };
    format!("{}{argument}", entry.name)
}

/// What is to be known besides the description.
fn remarks(entry: &Entry) -> Vec<String> {
    let optional =
        matches!(entry.takes, Takes::OptionalIndex | Takes::OptionalName | Takes::OptionalIndexOrName);
    let mut remarks = Vec::new();
    if optional {
        remarks.push("the brackets may be left out".to_owned());
    }
    if entry.any_ancestor {
        remarks.push("in a condition without brackets any ancestor may match".to_owned());
    }
    if !entry.operand && entry.subject == Subject::Exec {
        remarks.push("only on the left side and not inside a transformer".to_owned());
    }
    if !entry.aliases.is_empty() {
        remarks.push(format!("also called {}", entry.aliases.join(", ")));
    }
    if entry.deprecated {
        remarks.push("deprecated".to_owned());
    }
    remarks
}

fn text() -> String {
    let mut list = String::new();
    for family in FAMILIES {
        // Writing to a String cannot fail.
        let _ = write!(list, "{}: {}\n\n", family.name, family.description);
        for entry in family.entries() {
            let _ =
                write!(list, "  {:<44} ({}) {}", written(entry), entry.value_type.name(), entry.description);
            for remark in remarks(entry) {
                let _ = write!(list, "; {remark}");
            }
            list.push('\n');
        }
        list.push('\n');
    }
    list.pop();
    list
}

fn markdown() -> String {
    let mut list = String::new();
    for family in FAMILIES {
        let _ = write!(list, "## {}\n\n{}\n\n", family.name, family.description);
        list.push_str("| field | type | meaning |\n|---|---|---|\n");
        for entry in family.entries() {
            let mut meaning = vec![entry.description.to_owned()];
            meaning.extend(remarks(entry));
            // A bar would end the cell.
            let meaning = meaning.join("; ").replace('|', "\\|");
            let _ = writeln!(list, "| `{}` | {} | {meaning} |", written(entry), entry.value_type.name());
        }
        list.push('\n');
    }
    list.pop();
    list
}

fn json(names_only: bool) -> String {
    let fields = |family: &Family| -> Vec<serde_json::Value> {
        family.entries().map(|entry| if names_only { entry.name.into() } else { field(entry) }).collect()
    };
    let classes: Vec<serde_json::Value> = FAMILIES
        .iter()
        .map(|family| {
            serde_json::json!({
                "name": family.name,
                "description": family.description,
                "event_sources": ["syscall"],
                "fields": fields(family),
            })
        })
        .collect();
    let mut list = serde_json::json!({ "field_classes": classes }).to_string();
    list.push('\n');
    list
}

fn field(entry: &Entry) -> serde_json::Value {
    serde_json::json!({
        "name": entry.name,
        "written": written(entry),
        "type": entry.value_type.name(),
        "description": entry.description,
        "aliases": entry.aliases,
        "any_ancestor": entry.any_ancestor,
        "operand": entry.operand,
        "deprecated": entry.deprecated,
        "other_events_only": entry.subject == Subject::OtherEvents,
    })
}

#[cfg(test)]
mod tests {
    use super::{ListFormat, describe};
    use crate::rules::fields::catalogue;

    #[test]
    fn every_layout_has_every_field() {
        for format in [ListFormat::Text, ListFormat::Markdown, ListFormat::Json] {
            for names_only in [false, true] {
                let list = describe(format, names_only);
                assert!(list.ends_with('\n') && !list.ends_with("\n\n"), "{format:?}");
                for entry in catalogue() {
                    assert!(list.contains(entry.name), "{format:?} {}", entry.name);
                }
            }
        }
    }

    #[test]
    fn names_are_one_a_line() {
        let list = describe(ListFormat::Text, true);
        assert_eq!(list.lines().count(), catalogue().count());
        assert!(list.lines().any(|line| line == "proc.aname"));
    }

    #[test]
    fn a_line_tells_type_meaning_and_what_is_special() {
        let list = describe(ListFormat::Text, false);
        let line = list.lines().find(|line| line.trim_start().starts_with("proc.aname[N]")).unwrap();
        assert!(line.contains("(text) comm of an ancestor"), "{line}");
        assert!(line.ends_with("; only on the left side and not inside a transformer"), "{line}");
    }

    #[test]
    fn json_is_json() {
        let list: serde_json::Value = serde_json::from_str(&describe(ListFormat::Json, false)).unwrap();
        let fields = list["field_classes"][1]["fields"].as_array().unwrap();
        let pid = fields.iter().find(|field| field["name"] == "proc.pid").unwrap();
        assert_eq!(pid["type"], "signed number");
        assert_eq!(pid["operand"], true);
    }
}

//! The events for people: what `--list-events` prints. There are those only that are looked at.

use std::fmt::Write as _;

use serde_json::json;

use super::{ListFormat, parameters::parameter_names};

/// Falco's words for the types of the parameters, in their order.
const TYPES: [&str; 31] = [
    "ERRNO", "CHARBUF", "BYTEBUF", "PID", "PID", "PID", "CHARBUF", "UINT64", "UINT64", "UINT64", "UINT32",
    "UINT32", "UINT32", "CHARBUF", "BYTEBUF", "BYTEBUF", "UINT32", "PID", "UID", "FLAGS32", "UINT64",
    "UINT64", "UINT64", "UINT64", "ABSTIME", "ABSTIME", "UID", "FSPATH", "PID", "GID", "FSPATH",
];
const EVENTS: [&str; 2] = ["execve", "execveat"];
const CATEGORY: &str = "Syscall events";

/// All events in that layout, ended by a newline. `schema_version`: what the list is valid for.
#[must_use]
pub fn describe_events(format: ListFormat, schema_version: &str) -> String {
    let parameters = || TYPES.iter().zip(parameter_names());
    if format == ListFormat::Json {
        let parameters: Vec<_> =
            parameters().map(|(kind, name)| json!({ "name": name, "type": kind })).collect();
        let event =
            |name: &&str| json!({ "available": true, "dir": "<", "name": name, "params": parameters });
        let events: Vec<_> = EVENTS.iter().map(event).collect();
        return format!("{:#}\n", json!({ CATEGORY: events, "schema_version": schema_version }));
    }
    let parameters: Vec<String> = parameters().map(|(kind, name)| format!("{kind} **{name}**")).collect();
    let parameters = parameters.join(", ");
    let mut list =
        format!("The events below are valid for Falco *Schema Version*: {schema_version}\n## {CATEGORY}\n\n");
    if format == ListFormat::Markdown {
        list.push_str("Default | Dir | Name | Params \n:-------|:----|:-----|:-----\n");
    }
    for event in EVENTS {
        // Writing to a String cannot fail.
        let _ = match format {
            ListFormat::Markdown => writeln!(list, "Yes | `<` | `{event}` | {parameters}"),
            _ => writeln!(list, "< {event}({parameters})"),
        };
    }
    list.push('\n');
    list
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{TYPES, describe_events};
    use crate::rules::fields::{ListFormat, parameters::parameter_names};

    #[test]
    fn each_parameter_has_a_type() {
        assert_eq!(parameter_names().count(), TYPES.len());
        let known: Vec<_> = TYPES.iter().zip(parameter_names()).collect();
        for expected in [(&"ERRNO", "res"), (&"FLAGS32", "flags"), (&"FSPATH", "filename"), (&"UID", "uid")] {
            assert!(known.contains(&expected), "{expected:?} in {known:?}");
        }
    }

    #[test]
    fn the_layouts_are_falcos() {
        let text = describe_events(ListFormat::Text, "none");
        assert!(
            text.contains(
                "\n## Syscall events\n\n< execve(ERRNO **res**, CHARBUF **exe**, BYTEBUF **args**, "
            )
        );
        assert!(text.ends_with("FSPATH **filename**)\n\n"), "{text}");
        let markdown = describe_events(ListFormat::Markdown, "none");
        assert!(markdown.contains("Yes | `<` | `execveat` | ERRNO **res**, "), "{markdown}");
        let json: Value = serde_json::from_str(&describe_events(ListFormat::Json, "none")).unwrap();
        assert_eq!(json["Syscall events"][0]["params"][1]["name"], "exe");
    }
}

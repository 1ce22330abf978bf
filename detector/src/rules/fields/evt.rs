//! `evt.*`: the event itself.

use std::borrow::Cow;

use super::{Argument, Entry, Takes};
use crate::event::{ExecEvent, Value, time};

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry {
        name: "evt.time",
        takes: Takes::Nothing,
        description: "time of the event, local, with nanoseconds",
        extract: |event, _| {
            Some(Value::Time { ns: event.time_ns, text: Cow::Owned(time::local(event.time_ns)) })
        },
    },
    Entry {
        name: "evt.time.iso8601",
        takes: Takes::Nothing,
        description: "time of the event, UTC, ISO 8601 with nanoseconds",
        extract: |event, _| {
            Some(Value::Time { ns: event.time_ns, text: Cow::Owned(time::iso8601(event.time_ns)) })
        },
    },
    Entry {
        name: "evt.type",
        takes: Takes::Nothing,
        description: "name of the system call; execve for every successful execve and execveat",
        extract: |_, _| Some(Value::text("execve")),
    },
    Entry {
        name: "evt.arg",
        takes: Takes::Name,
        description: "a parameter of the event by its name",
        extract: parameter,
    },
];

fn parameter<'e>(event: &'e ExecEvent, argument: &Argument) -> Option<Value<'e>> {
    let Argument::Name(name) = argument else {
        return None;
    };
    match name.as_str() {
        "flags" => Some(Value::owned(event.file.flags.names())),
        _ => None,
    }
}

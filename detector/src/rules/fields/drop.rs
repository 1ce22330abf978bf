//! `drop.*`: what this agent knows beyond Falco.

use super::{Entry, Takes};
use crate::event::Value;

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry {
        name: "drop.origin",
        takes: Takes::Nothing,
        description: "where the executed file comes from: image, new, modified, metadata_only, memfd, tmpfs, \
                      not_overlay, unknown",
        extract: |event, _| Some(Value::text(event.file.origin.name())),
    },
    Entry {
        name: "drop.kind",
        takes: Takes::Nothing,
        description: "how the file got to run: exec, script",
        extract: |event, _| Some(Value::text(event.kind.name())),
    },
    Entry {
        name: "drop.truncated",
        takes: Takes::Nothing,
        description: "parts of the record that were cut or could not be read, joined by commas",
        extract: |event, _| {
            let parts = &event.completeness;
            let missing: Vec<&str> = parts.truncated.iter().chain(&parts.failed).copied().collect();
            (!missing.is_empty()).then(|| Value::owned(missing.join(",")))
        },
    },
];

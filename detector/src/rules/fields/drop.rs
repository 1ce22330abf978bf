//! `drop.*`: what this agent knows beyond Falco.

use super::Entry;
use crate::event::{ExecEvent, Value};

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry::text(
        "drop.origin",
        "where the executed file comes from: image, new, modified, metadata_only, memfd, tmpfs, not_overlay, unknown",
        |event, _| Some(Value::text(event.file.origin.name())),
    ),
    Entry::text("drop.kind", "how the file got to run: exec, script", |event, _| {
        Some(Value::text(event.kind.name()))
    }),
    Entry::signed(
        "drop.age_ms",
        "milliseconds from the last change of the executed file to its exec; below 0 when a clock was set back",
        |event, _| Some(Value::Signed(age_ms(event)?)),
    ),
    Entry::text(
        "drop.truncated",
        "parts of the record that were cut or could not be read, joined by commas",
        {
            |event, _| {
                let parts = &event.completeness;
                let mut missing: Vec<&str> = parts.truncated.iter().chain(&parts.failed).copied().collect();
                missing.dedup();
                (!missing.is_empty()).then(|| Value::owned(missing.join(",")))
            }
        },
    ),
    Entry::text(
        "drop.metadata",
        "whether all is known about the container: complete, or partial, why, and of which items",
        |event, _| Some(Value::owned(event.container.metadata.state.to_string())),
    ),
];

fn age_ms(event: &ExecEvent) -> Option<i64> {
    let (now, changed) = (i64::try_from(event.time_ns).ok()?, i64::try_from(event.file.ctime_ns?).ok()?);
    Some((now - changed) / 1_000_000)
}

#[cfg(test)]
mod tests {
    use crate::{
        event::example,
        rules::fields::example::{assert_null, assert_values, null_in, value},
    };

    #[test]
    fn values_of_an_exec() {
        assert_values(&[
            ("drop.origin", "new"),
            ("drop.kind", "exec"),
            ("drop.age_ms", "3"),
            ("drop.metadata", "partial:pending"),
        ]);
        assert_null(&["drop.truncated"]);
    }

    #[test]
    fn what_was_cut_is_named() {
        let mut event = example::exec();
        event.completeness.truncated = vec!["argv", "ancestor_exe", "ancestor_exe"];
        event.completeness.failed = vec!["cwd"];
        assert_eq!(value(&event, "drop.truncated").as_deref(), Some("argv,ancestor_exe,cwd"));
    }

    #[test]
    fn a_file_from_the_future_has_an_age_below_zero() {
        let mut event = example::exec();
        event.file.ctime_ns = Some(event.time_ns + 2_000_000);
        assert_eq!(value(&event, "drop.age_ms").as_deref(), Some("-2"));
        event.file.ctime_ns = None;
        assert!(null_in(&event, "drop.age_ms"));
    }
}

//! `drop.*`: what this agent knows beyond Falco.

use super::Entry;
use crate::event::{ExecEvent, Origin, Value};

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry::text(
        "drop.origin",
        "where the file comes from: image, new, modified, metadata_only, memfd, tmpfs, volume, foreign_overlay, not_overlay, unknown",
        |event, _| Some(Value::text(event.subject().origin.name())),
    ),
    Entry::text(
        "drop.kind",
        "how the file got to run: exec, script, interpreter_arg, exec_map",
        |event, _| Some(Value::text(event.kind().name())),
    ),
    Entry::text(
        "drop.confidence",
        "how sure the origin is: high, low on a root without layers (by times alone), none where it is unknown",
        |event, _| {
            Some(Value::text(match event.subject().origin {
                Origin::Unknown => "none",
                Origin::NotOverlay => "low",
                _ => "high",
            }))
        },
    ),
    Entry::bool(
        "drop.newer_than_container",
        "whether the file was changed after the start of the container; all there is to tell on a root without layers",
        |event, _| Some(Value::Bool(event.subject().ctime_ns? > started(event)?)),
    ),
    Entry::signed(
        "drop.age_ms",
        "milliseconds from the last change of the executed file to its exec; below 0 when a clock was set back",
        |event, _| Some(Value::Signed(age_ms(event)?)),
    ),
    Entry::signed(
        "drop.inner_uid",
        "effective uid as the process's own user namespace counts (user.uid is the kernel's); no value where it is not mapped",
        |event, _| Some(Value::Signed(inner(event)?.0.into())),
    ),
    Entry::signed(
        "drop.inner_gid",
        "effective gid as the process's own user namespace counts (group.gid is the kernel's); no value where it is not mapped",
        |event, _| Some(Value::Signed(inner(event)?.1.into())),
    ),
    Entry::signed(
        "drop.pid",
        "as proc.pid; every alert has it, so that what is to be done can be said",
        |event, _| Some(Value::Signed(event.process.pid.into())),
    ),
    Entry::text("drop.runtime", "as container.type; every alert has it, for the same reason", |event, _| {
        event.container.id.runtime_name().map(Value::text)
    }),
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

/// Effective uid and gid as the process counts; in the initial user namespace the kernel's own.
fn inner(event: &ExecEvent) -> Option<(u32, u32)> {
    let credentials = &event.credentials;
    credentials.inner.or((credentials.user_ns_level == 0).then_some((credentials.euid, credentials.egid)))
}

/// Start of the first process of the pid namespace, or of the container where that is the later one.
fn started(event: &ExecEvent) -> Option<u64> {
    let by_runtime = event.container.facts().and_then(|facts| facts.started_ns);
    event.process.pidns_start_ns.max(by_runtime)
}

fn age_ms(event: &ExecEvent) -> Option<i64> {
    let (now, changed) = (i64::try_from(event.time_ns).ok()?, i64::try_from(event.subject().ctime_ns?).ok()?);
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
            ("drop.confidence", "high"),
            ("drop.newer_than_container", "true"),
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
    fn in_a_user_namespace_ids_are_shown_as_it_counts() {
        let mut event = example::exec();
        (event.credentials.euid, event.credentials.egid) = (101_000, 100_033);
        (event.credentials.user_ns_level, event.credentials.inner) = (1, Some((1000, 33)));
        assert_eq!(value(&event, "user.uid").as_deref(), Some("101000"));
        assert_eq!(value(&event, "drop.inner_uid").as_deref(), Some("1000"));
        assert_eq!(value(&event, "drop.inner_gid").as_deref(), Some("33"));
        event.credentials.inner = None;
        assert!(null_in(&event, "drop.inner_uid"), "not mapped");
        event.credentials.user_ns_level = 0;
        assert_eq!(value(&event, "drop.inner_uid").as_deref(), Some("101000"));
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

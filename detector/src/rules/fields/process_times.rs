//! `proc.*` about times of processes: nanoseconds, and always of the clone, not of the exec.

use super::Entry;
use crate::event::{Ancestor, ExecEvent, Value};

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry::unsigned("proc.pid.ts", "when the process was cloned, nanoseconds since the epoch", |event, _| {
        nonzero(event.process.start_ns)
    }),
    Entry::unsigned("proc.ppid.ts", "when the parent was cloned, nanoseconds since the epoch", |event, _| {
        nonzero(parent(event)?.start_ns)
    }),
    Entry::unsigned("proc.duration", "nanoseconds since the process was cloned", |event, _| {
        since(event, event.process.start_ns)
    }),
    Entry::unsigned("proc.ppid.duration", "nanoseconds since the parent was cloned", |event, _| {
        since(event, parent(event)?.start_ns)
    }),
    Entry::unsigned(
        "proc.pidns_init_start_ts",
        "start of the pid namespace's first process, nanoseconds since the epoch; of the host's its boot",
        |event, _| nonzero(event.process.pidns_start_ns?),
    ),
];

fn parent(event: &ExecEvent) -> Option<&Ancestor> {
    event.ancestors.first()
}

fn nonzero(ns: u64) -> Option<Value<'static>> {
    (ns != 0).then_some(Value::Unsigned(ns))
}

/// From then to the event. One clock measures both, so that this cannot be negative; damaged records can say so.
fn since(event: &ExecEvent, ns: u64) -> Option<Value<'static>> {
    (ns != 0).then(|| Value::Unsigned(event.time_ns.saturating_sub(ns)))
}

#[cfg(test)]
mod tests {
    use crate::{
        event::example,
        rules::fields::example::{assert_values, null_in},
    };

    #[test]
    fn values_of_an_exec() {
        assert_values(&[
            ("proc.pid.ts", &(example::TIME_NS - 215_580).to_string()),
            ("proc.ppid.ts", &(example::TIME_NS - 658_377_807).to_string()),
            ("proc.duration", "215580"),
            ("proc.ppid.duration", "658377807"),
            ("proc.pidns_init_start_ts", &(example::TIME_NS - 752_631_383).to_string()),
        ]);
    }

    #[test]
    fn unknown_times_have_no_value() {
        let mut event = example::exec();
        event.process.start_ns = 0;
        event.process.pidns_start_ns = None;
        event.ancestors.clear();
        for name in
            ["proc.pid.ts", "proc.ppid.ts", "proc.duration", "proc.ppid.duration", "proc.pidns_init_start_ts"]
        {
            assert!(null_in(&event, name), "{name}");
        }
    }
}

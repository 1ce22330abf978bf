//! `evt.*` and `syscall.type` but times and parameters: what kind of event it is.

use super::{Entry, ValueType};
use crate::event::Value;

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry::unsigned("evt.num", "running number of the event, from 1", |event, _| {
        Some(Value::Unsigned(event.number))
    }),
    Entry::text(
        "evt.type",
        "name of the system call; execve for every successful execve and execveat",
        |_, _| Some(Value::text("execve")),
    ),
    Entry::text("syscall.type", "the same as evt.type", |_, _| Some(Value::text("execve"))),
    Entry::text("evt.category", "kind of system call; process for an exec", |_, _| {
        Some(Value::text("process"))
    }),
    Entry::text("evt.source", "where the event comes from; always syscall", |_, _| {
        Some(Value::text("syscall"))
    }),
    Entry::text("evt.dir", "direction of the event; always <, the return of the call", |_, _| {
        Some(Value::text("<"))
    })
    .deprecated(),
    Entry::signed("evt.cpu", "number of the CPU that it happened on", |event, _| {
        Some(Value::Signed(event.cpu.into()))
    }),
    Entry::text("evt.hostname", "name of the host, as in the hostname of alerts", |event, _| {
        Some(Value::text(&event.host.hostname))
    }),
    Entry::text(
        "evt.res",
        "outcome of the call; always SUCCESS, as failed execs are not reported",
        |_, _| Some(Value::text("SUCCESS")),
    ),
    Entry::signed("evt.rawres", "return value of the call; always 0", |_, _| Some(Value::Signed(0))),
    Entry::bool("evt.failed", "whether the call failed; always false", |_, _| Some(Value::Bool(false))),
    Entry::unsigned("evt.count", "1 for every event, to sum up", |_, _| Some(Value::Unsigned(1))),
    Entry::unsigned("evt.count.exit", "1 for every event that is the return of a call", |_, _| {
        Some(Value::Unsigned(1))
    }),
    Entry::bool("evt.is_async", "whether the event was made by a plugin; always false", |_, _| {
        Some(Value::Bool(false))
    }),
    Entry::never("evt.asynctype", ValueType::Text, "type of an event that was made by a plugin"),
    Entry::never("evt.pluginname", ValueType::Text, "name of the plugin that made the event"),
    Entry::never("evt.plugininfo", ValueType::Text, "what the plugin that made the event says about it"),
    Entry::bool("evt.is_syslog", "whether the event writes to the system log; false for an exec", |_, _| {
        Some(Value::Bool(false))
    }),
    Entry::bool("evt.is_wait", "whether the call waits for something; false for an exec", |_, _| {
        Some(Value::Bool(false))
    }),
];

#[cfg(test)]
mod tests {
    use crate::rules::fields::example::{assert_null, assert_values};

    #[test]
    fn values_of_an_exec() {
        assert_values(&[
            ("evt.num", "7"),
            ("evt.type", "execve"),
            ("syscall.type", "execve"),
            ("evt.category", "process"),
            ("evt.source", "syscall"),
            ("evt.dir", "<"),
            ("evt.cpu", "3"),
            ("evt.hostname", "node-1"),
            ("evt.res", "SUCCESS"),
            ("evt.rawres", "0"),
            ("evt.failed", "false"),
            ("evt.count", "1"),
            ("evt.count.exit", "1"),
            ("evt.is_async", "false"),
            ("evt.is_syslog", "false"),
            ("evt.is_wait", "false"),
        ]);
        assert_null(&["evt.asynctype", "evt.pluginname", "evt.plugininfo"]);
    }
}

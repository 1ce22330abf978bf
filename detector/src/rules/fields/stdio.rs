//! `proc.stdin.*` and its siblings: a shell that reads a socket tells another story than one on a terminal.

use super::Entry;
use crate::event::{ExecEvent, StdioFile, Value};

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry::text("proc.stdin.type", "what kind of thing descriptor 0 is open on", |event, _| {
        kind(file(event, 0)?)
    }),
    Entry::text("proc.stdin.name", "path or name of what descriptor 0 is open on", |event, _| {
        name(file(event, 0)?)
    }),
    Entry::text("proc.stdout.type", "what kind of thing descriptor 1 is open on", |event, _| {
        kind(file(event, 1)?)
    }),
    Entry::text("proc.stdout.name", "path or name of what descriptor 1 is open on", |event, _| {
        name(file(event, 1)?)
    }),
    Entry::text("proc.stderr.type", "what kind of thing descriptor 2 is open on", |event, _| {
        kind(file(event, 2)?)
    }),
    Entry::text("proc.stderr.name", "path or name of what descriptor 2 is open on", |event, _| {
        name(file(event, 2)?)
    }),
];

fn file(event: &ExecEvent, number: usize) -> Option<&StdioFile> {
    event.stdio.as_ref()?.get(number)
}

fn kind(file: &StdioFile) -> Option<Value<'static>> {
    file.kind.name().map(Value::text)
}

fn name(file: &StdioFile) -> Option<Value<'_>> {
    file.name.as_ref().map(Value::text)
}

#[cfg(test)]
mod tests {
    use crate::{
        event::example,
        rules::fields::example::{assert_null, assert_values, null_in},
    };

    #[test]
    fn values_of_an_exec() {
        assert_values(&[
            ("proc.stdin.type", "file"),
            ("proc.stdin.name", "/dev/pts/0"),
            ("proc.stdout.type", "ipv4"),
        ]);
        assert_null(&["proc.stdout.name", "proc.stderr.type", "proc.stderr.name"]);
    }

    #[test]
    fn unknown_descriptors_have_no_value() {
        let mut event = example::exec();
        event.stdio = None;
        assert!(null_in(&event, "proc.stdin.type") && null_in(&event, "proc.stdin.name"));
    }
}

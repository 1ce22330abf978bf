//! `proc.*` about the command line. Falco's forms: joined by one space, neither quoted nor escaped.

use super::{Argument, Entry, Takes, ancestors::Relative};
use crate::event::{ExecEvent, Value};

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry::text("proc.exe", "argv[0]: what the caller says that it runs", |event, _| {
        Some(Value::text(event.process.arguments.exe()))
    }),
    Entry::text("proc.args", "arguments behind argv[0], or one of them: [0] is the first of these", {
        |event, argument| match argument {
            Argument::Index(index) => Some(Value::text(nth(event, *index))),
            _ => Some(Value::owned(event.process.arguments.joined())),
        }
    })
    .takes(Takes::OptionalIndex),
    Entry::text("proc.cmdline", "comm and arguments", |event, _| {
        Some(Value::owned(Relative::Own(event).command_line()?))
    }),
    Entry::text("proc.exeline", "argv[0], a space, and the arguments", |event, _| {
        let mut line = event.process.arguments.exe().to_vec();
        line.push(b' ');
        line.extend_from_slice(&event.process.arguments.joined());
        Some(Value::owned(line))
    }),
    Entry::unsigned(
        "proc.cmdnargs",
        "number of arguments behind argv[0], also of those that were cut off",
        |event, _| {
            let arguments = &event.process.arguments;
            let captured = arguments.iter().count().saturating_sub(1);
            let given = u64::from(arguments.given).saturating_sub(1);
            Some(Value::Unsigned(given.max(u64::try_from(captured).unwrap_or(u64::MAX))))
        },
    ),
    Entry::unsigned(
        "proc.cmdlenargs",
        "bytes of the arguments behind argv[0], without what lies between them",
        {
            |event, _| {
                let bytes: usize = event.process.arguments.iter().skip(1).map(<[u8]>::len).sum();
                Some(Value::Unsigned(u64::try_from(bytes).unwrap_or(u64::MAX)))
            }
        },
    ),
];

fn nth(event: &ExecEvent, index: usize) -> &[u8] {
    event.process.arguments.iter().skip(1).nth(index).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::{
        event::{Arguments, ExecEvent, example},
        rules::fields::example::{assert_values, value},
    };

    #[test]
    fn values_of_an_exec() {
        assert_values(&[
            ("proc.exe", "/tmp/dropped"),
            ("proc.args", "echo a b  \"c\""),
            ("proc.args[0]", "echo"),
            ("proc.args[1]", "a b"),
            ("proc.args[2]", ""),
            ("proc.args[9]", ""),
            ("proc.args[18446744073709551615]", ""),
            ("proc.cmdline", "dropped echo a b  \"c\""),
            ("proc.exeline", "/tmp/dropped echo a b  \"c\""),
            ("proc.cmdnargs", "4"),
            ("proc.cmdlenargs", "10"),
        ]);
    }

    fn with(area: &[u8], given: u32) -> ExecEvent {
        let mut event = example::exec();
        event.process.arguments = Arguments { area: area.to_vec(), given, truncated: false };
        event
    }

    fn values(event: &ExecEvent) -> Vec<String> {
        let names =
            ["proc.exe", "proc.args", "proc.cmdline", "proc.exeline", "proc.cmdnargs", "proc.cmdlenargs"];
        names.iter().map(|name| value(event, name).unwrap()).collect()
    }

    #[test]
    fn without_arguments_only_the_exeline_ends_with_a_space() {
        assert_eq!(values(&with(b"./x\0", 1)), ["./x", "", "dropped", "./x ", "0", "0"]);
    }

    #[test]
    fn without_argv_all_is_empty_but_comm() {
        assert_eq!(values(&with(b"", 0)), ["", "", "dropped", " ", "0", "0"]);
    }

    #[test]
    fn an_empty_argument_is_one() {
        assert_eq!(values(&with(b"x\0\0", 2)), ["x", "", "dropped ", "x ", "1", "0"]);
    }

    #[test]
    fn arguments_that_were_cut_off_are_counted() {
        let mut event = with(b"x\0aaaa", 3);
        event.process.arguments.truncated = true;
        assert_eq!(value(&event, "proc.cmdnargs").as_deref(), Some("2"));
        assert_eq!(value(&event, "proc.args").as_deref(), Some("aaaa"));
    }

    #[test]
    fn an_empty_comm_leaves_no_space() {
        let mut event = with(b"x\0a\0", 2);
        event.process.comm.clear();
        assert_eq!(value(&event, "proc.cmdline").as_deref(), Some("a"));
    }
}

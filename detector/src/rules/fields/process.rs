//! `proc.*`: the process, its executed file, and its ancestors.

use super::{Argument, Entry, Takes};
use crate::event::{ExeFlags, ExecEvent, Value};

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry {
        name: "proc.name",
        takes: Takes::Nothing,
        description: "comm of the process, at most 15 bytes",
        extract: |event, _| Some(Value::text(&event.process.comm)),
    },
    Entry {
        name: "proc.pname",
        takes: Takes::Nothing,
        description: "comm of the parent process",
        extract: |event, _| Some(Value::text(&event.ancestors.first()?.comm)),
    },
    Entry {
        name: "proc.aname",
        takes: Takes::OptionalIndex,
        description: "comm of an ancestor: [1] is the parent, [0] the process itself",
        extract: ancestor_name,
    },
    Entry {
        name: "proc.exe",
        takes: Takes::Nothing,
        description: "argv[0]",
        extract: |event, _| Some(Value::text(event.process.arguments.exe())),
    },
    Entry {
        name: "proc.exepath",
        takes: Takes::Nothing,
        description: "path of the executed file as the process sees it, links resolved",
        extract: |event, _| Some(Value::text(&event.file.path.as_ref()?.bytes)),
    },
    Entry {
        name: "proc.cmdline",
        takes: Takes::Nothing,
        description: "comm and arguments, joined by spaces",
        extract: |event, _| Some(Value::owned(command_line(event))),
    },
    Entry {
        name: "proc.cwd",
        takes: Takes::Nothing,
        description: "working directory, with a slash at its end",
        extract: |event, _| {
            let mut path = event.process.cwd.as_ref()?.bytes.clone();
            if path.last() != Some(&b'/') {
                path.push(b'/');
            }
            Some(Value::owned(path))
        },
    },
    Entry {
        name: "proc.tty",
        takes: Takes::Nothing,
        description: "controlling terminal as a device number, 0 without one",
        extract: |event, _| Some(Value::Unsigned(event.process.tty?.into())),
    },
    Entry {
        name: "proc.pid",
        takes: Takes::Nothing,
        description: "process id in the host's pid namespace",
        extract: |event, _| Some(Value::Signed(event.process.pid.into())),
    },
    Entry {
        name: "proc.sname",
        takes: Takes::Nothing,
        description: "comm of the session leader, or of the oldest known process of the session",
        extract: |event, _| Some(Value::text(session_name(event))),
    },
    Entry {
        name: "proc.exe_ino.ctime",
        takes: Takes::Nothing,
        description: "change time of the executed file, nanoseconds since the epoch",
        extract: |event, _| event.file.ctime_ns.map(Value::Unsigned),
    },
    Entry {
        name: "proc.exe_ino.mtime",
        takes: Takes::Nothing,
        description: "modification time of the executed file, nanoseconds since the epoch",
        extract: |event, _| event.file.mtime_ns.map(Value::Unsigned),
    },
    Entry {
        name: "proc.exe_ino.ctime_duration_proc_start",
        takes: Takes::Nothing,
        description: "from the change of the executed file to the clone of the process; wraps when it changed later",
        extract: |event, _| {
            let duration = event.process.start_ns.wrapping_sub(event.file.ctime_ns?);
            (duration != 0).then_some(Value::Unsigned(duration))
        },
    },
    Entry {
        name: "proc.is_exe_upper_layer",
        takes: Takes::Nothing,
        description: "whether the executed file lives in the overlay's upper layer",
        extract: |event, _| Some(Value::Bool(event.file.flags.has(ExeFlags::UPPER_LAYER))),
    },
];

fn ancestor_name<'e>(event: &'e ExecEvent, argument: &Argument) -> Option<Value<'e>> {
    match argument {
        Argument::Index(0) => Some(Value::text(&event.process.comm)),
        Argument::Index(index) => Some(Value::text(&event.ancestors.get(index - 1)?.comm)),
        _ => {
            let names: Vec<&[u8]> = event.ancestors.iter().map(|ancestor| ancestor.comm.as_slice()).collect();
            Some(Value::owned(names.join(&b' ')))
        }
    }
}

fn command_line(event: &ExecEvent) -> Vec<u8> {
    let mut line = event.process.comm.clone();
    if event.process.arguments.iter().nth(1).is_some() {
        line.push(b' ');
        line.extend_from_slice(&event.process.arguments.joined());
    }
    line
}

fn session_name(event: &ExecEvent) -> &[u8] {
    let sid = event.process.sid;
    if sid == event.process.pid {
        return &event.process.comm;
    }
    if let Some(leader) = event.ancestors.iter().find(|ancestor| ancestor.pid == sid) {
        return &leader.comm;
    }
    let oldest = event.ancestors.iter().take_while(|ancestor| ancestor.sid == sid).last();
    oldest.map_or(&[], |ancestor| &ancestor.comm)
}

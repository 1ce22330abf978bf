//! `proc.exe*` and `proc.is_exe_*`: the file that was executed (of a script its interpreter).

use super::Entry;
use crate::event::{ExeFlags, ExecEvent, Origin, Value};

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry::text(
        "proc.exepath",
        "path of the executed file as the process sees it, links resolved",
        |event, _| Some(Value::text(&event.file.path.as_ref()?.bytes)),
    ),
    Entry::unsigned(
        "proc.exe_ino",
        "inode number of the executed file as the process sees it",
        |event, _| nonzero(event.file.ino),
    ),
    Entry::unsigned("proc.exe_ino.ctime", "change time of the executed file, nanoseconds since the epoch", {
        |event, _| nonzero(event.file.ctime_ns?)
    }),
    Entry::unsigned(
        "proc.exe_ino.mtime",
        "modification time of the executed file, nanoseconds since the epoch",
        |event, _| nonzero(event.file.mtime_ns?),
    ),
    Entry::unsigned(
        "proc.exe_ino.ctime_duration_proc_start",
        "nanoseconds from the change of the executed file to the clone of the process; wraps when it changed later",
        |event, _| {
            let start = (event.process.start_ns != 0).then_some(event.process.start_ns)?;
            nonzero(start.wrapping_sub(event.file.ctime_ns?))
        },
    ),
    Entry::unsigned(
        "proc.exe_ino.ctime_duration_pidns_start",
        "nanoseconds from the start of the pid namespace to the change of the executed file; none if it is older",
        |event, _| nonzero(event.file.ctime_ns?.checked_sub(event.process.pidns_start_ns?)?),
    ),
    Entry::bool(
        "proc.is_exe_writable",
        "whether the process may write the executed file or change its mode",
        |event, _| Some(flag(event, ExeFlags::WRITABLE)),
    ),
    Entry::bool("proc.is_exe_upper_layer", "whether the executed file lives in an overlay's upper layer", {
        // What could not be told counts as written: a rule that asks for the upper layer must not stay silent.
        |event, _| {
            let written = event.file.flags.has(ExeFlags::UPPER_LAYER);
            Some(Value::Bool(written || event.file.origin == Origin::Unknown))
        }
    }),
    Entry::bool("proc.is_exe_lower_layer", "whether the executed file lives in an overlay's lower layer", {
        |event, _| Some(flag(event, ExeFlags::LOWER_LAYER))
    }),
    Entry::bool(
        "proc.is_exe_from_memfd",
        "whether the executed file is an anonymous memory file",
        |event, _| Some(flag(event, ExeFlags::FROM_MEMFD)),
    ),
];

fn nonzero(number: u64) -> Option<Value<'static>> {
    (number != 0).then_some(Value::Unsigned(number))
}

fn flag(event: &ExecEvent, bit: u32) -> Value<'static> {
    Value::Bool(event.file.flags.has(bit))
}

#[cfg(test)]
mod tests {
    use crate::{
        event::{ExeFlags, Origin, example},
        rules::fields::example::{assert_values, null_in, value},
    };

    #[test]
    fn values_of_an_exec() {
        assert_values(&[
            ("proc.exepath", "/tmp/dropped"),
            ("proc.exe_ino", "1262045"),
            ("proc.exe_ino.ctime", &example::CTIME_NS.to_string()),
            ("proc.exe_ino.mtime", &example::MTIME_NS.to_string()),
            ("proc.exe_ino.ctime_duration_proc_start", "2959488"),
            ("proc.exe_ino.ctime_duration_pidns_start", "749456315"),
            ("proc.is_exe_writable", "true"),
            ("proc.is_exe_upper_layer", "true"),
            ("proc.is_exe_lower_layer", "false"),
            ("proc.is_exe_from_memfd", "false"),
        ]);
    }

    #[test]
    fn a_layer_that_could_not_be_told_is_not_taken_for_the_image() {
        let mut event = example::exec();
        event.file.flags = ExeFlags(0);
        event.file.origin = Origin::Unknown;
        assert_eq!(value(&event, "proc.is_exe_upper_layer").as_deref(), Some("true"));
        event.file.origin = Origin::Image;
        assert_eq!(value(&event, "proc.is_exe_upper_layer").as_deref(), Some("false"));
    }

    #[test]
    fn each_flag_has_its_field() {
        let mut event = example::exec();
        for (bits, name) in [
            (0x1, "proc.is_exe_writable"),
            (0x2, "proc.is_exe_upper_layer"),
            (0x4, "proc.is_exe_from_memfd"),
            (0x8, "proc.is_exe_lower_layer"),
        ] {
            event.file.flags = ExeFlags(bits);
            assert_eq!(value(&event, name).as_deref(), Some("true"), "{name}");
            event.file.flags = ExeFlags(!bits);
            assert_eq!(value(&event, name).as_deref(), Some("false"), "{name}");
        }
    }

    #[test]
    fn a_file_that_changed_after_the_clone_wraps_as_in_falco() {
        let mut event = example::exec();
        event.file.ctime_ns = Some(event.process.start_ns + 1);
        let wrapped = value(&event, "proc.exe_ino.ctime_duration_proc_start");
        assert_eq!(wrapped.as_deref(), Some("18446744073709551615"));
        event.file.ctime_ns = Some(event.process.start_ns);
        assert!(null_in(&event, "proc.exe_ino.ctime_duration_proc_start"));
    }

    #[test]
    fn a_file_older_than_the_pid_namespace_has_no_duration() {
        let mut event = example::exec();
        event.file.ctime_ns = event.process.pidns_start_ns.map(|start| start - 1);
        assert!(null_in(&event, "proc.exe_ino.ctime_duration_pidns_start"));
        event.file.ctime_ns = event.process.pidns_start_ns;
        assert!(null_in(&event, "proc.exe_ino.ctime_duration_pidns_start"));
    }

    #[test]
    fn what_could_not_be_read_has_no_value() {
        let mut event = example::exec();
        event.file.path = None;
        event.file.ino = 0;
        event.file.ctime_ns = None;
        event.file.mtime_ns = None;
        for name in [
            "proc.exepath",
            "proc.exe_ino",
            "proc.exe_ino.ctime",
            "proc.exe_ino.mtime",
            "proc.exe_ino.ctime_duration_proc_start",
            "proc.exe_ino.ctime_duration_pidns_start",
        ] {
            assert!(null_in(&event, name), "{name}");
        }
        event = example::exec();
        event.process.start_ns = 0;
        assert!(null_in(&event, "proc.exe_ino.ctime_duration_proc_start"));
    }
}

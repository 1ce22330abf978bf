//! `evt.arg`, `evt.rawarg`, `evt.args`: the parameters of the execve event, in Falco's order and rendering.

use std::borrow::Cow;

use super::{Argument, Entry, Takes, ValueType, ancestors::parent, groups, thread, user};
use crate::event::{ExecEvent, Value, time};

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry::text(ARG, "a parameter of the event by name or position, as people read it", |event, argument| {
        let parameter = used(argument)?;
        Some(match (parameter.resolve)(event) {
            Some(text) => Value::Text(text),
            None => Value::Text(shown(event, parameter)?),
        })
    })
    .takes(Takes::NameOrIndex),
    Entry::text(
        RAW_ARG,
        "a parameter of the event by name or position, as a typed value",
        |event, argument| (used(argument)?.raw)(event),
    )
    .takes(Takes::NameOrIndex)
    .no_operand(),
    Entry::text(
        "evt.args",
        "all parameters of the event as name=value, with what a value stands for in brackets",
        |event, _| Some(Value::owned(all(event))),
    )
    .alias(&["evt.info"]),
];

const ARG: &str = "evt.arg";
const RAW_ARG: &str = "evt.rawarg";
const NO_VALUE: &[u8] = b"<NA>";

/// A parameter of the execve event.
pub(super) struct Parameter {
    name: &'static str,
    raw_type: ValueType,
    /// Its typed value.
    raw: for<'e> fn(&'e ExecEvent) -> Option<Value<'e>>,
    /// What the value stands for, if it stands for something.
    resolve: for<'e> fn(&'e ExecEvent) -> Option<Cow<'e, [u8]>>,
}

type Raw = for<'e> fn(&'e ExecEvent) -> Option<Value<'e>>;
type Resolve = for<'e> fn(&'e ExecEvent) -> Option<Cow<'e, [u8]>>;

const fn plain(name: &'static str, raw_type: ValueType, raw: Raw) -> Parameter {
    Parameter { name, raw_type, raw, resolve: |_| None }
}

const fn resolved(name: &'static str, raw_type: ValueType, raw: Raw, resolve: Resolve) -> Parameter {
    Parameter { name, raw_type, raw, resolve }
}

/// The process by its number.
const fn own(name: &'static str) -> Parameter {
    resolved(
        name,
        ValueType::Signed,
        |event| Some(Value::Signed(event.process.pid.into())),
        |event| Some(Cow::Borrowed(&event.process.comm)),
    )
}

/// Their names, in that order.
pub(super) fn parameter_names() -> impl Iterator<Item = &'static str> {
    PARAMETERS.iter().map(|parameter| parameter.name)
}

/// In the order of their positions.
static PARAMETERS: [Parameter; 31] = [
    plain("res", ValueType::Signed, |_| Some(Value::Signed(0))),
    plain("exe", ValueType::Text, |event| Some(Value::text(event.process.arguments.exe()))),
    resolved(
        "args",
        ValueType::Text,
        |event| Some(Value::text(behind_first(&event.process.arguments.area))),
        |event| Some(dotted(behind_first(&event.process.arguments.area))),
    ),
    own("tid"),
    own("pid"),
    resolved(
        "ptid",
        ValueType::Signed,
        |event| Some(Value::Signed(event.ancestors.first()?.tid.into())),
        |event| Some(Cow::Borrowed(parent(event)?.comm())),
    ),
    plain("cwd", ValueType::Text, |_| Some(Value::text(NO_VALUE))),
    plain("fdlimit", ValueType::Signed, |event| {
        Some(Value::Signed(i64::try_from(event.usage.fd_limit).unwrap_or(-1)))
    }),
    plain("pgft_maj", ValueType::Unsigned, |event| Some(Value::Unsigned(event.usage.major_faults))),
    plain("pgft_min", ValueType::Unsigned, |event| Some(Value::Unsigned(event.usage.minor_faults))),
    plain("vm_size", ValueType::Unsigned, |event| Some(Value::Unsigned(event.usage.vm_size_kb))),
    plain("vm_rss", ValueType::Unsigned, |event| event.usage.rss_kb.map(Value::Unsigned)),
    plain("vm_swap", ValueType::Unsigned, |event| event.usage.swap_kb.map(Value::Unsigned)),
    plain("comm", ValueType::Text, |event| Some(Value::text(&event.process.comm))),
    resolved(
        "cgroups",
        ValueType::Text,
        |event| Some(Value::owned(thread::cgroups(event, 0)?)),
        |event| Some(Cow::Owned(thread::cgroups(event, b'.')?)),
    ),
    resolved(
        "env",
        ValueType::Text,
        |event| Some(Value::text(&event.process.env.as_ref()?.area)),
        |event| Some(dotted(&event.process.env.as_ref()?.area)),
    ),
    plain("tty", ValueType::Unsigned, |event| Some(Value::Unsigned(event.process.tty?.into()))),
    resolved(
        "vpgid",
        ValueType::Signed,
        |event| Some(Value::Signed(event.process.vpgid?.into())),
        |event| Some(Cow::Borrowed(groups::process_group_leader(event)?.comm())),
    ),
    resolved("loginuid", ValueType::Signed, user::login_uid, |event| {
        Some(if event.process.loginuid? == u32::MAX {
            Cow::Borrowed(b"<NONE>")
        } else {
            Cow::Borrowed(user::login_name(event))
        })
    }),
    resolved(
        "flags",
        ValueType::Unsigned,
        |event| Some(Value::Hex(event.file.flags.0.into())),
        |event| {
            let names = event.file.flags.names();
            (names != "0").then(|| Cow::Owned(names.into_bytes()))
        },
    ),
    plain("cap_inheritable", ValueType::Unsigned, |event| {
        Some(Value::Hex(event.credentials.cap_inheritable))
    }),
    plain("cap_permitted", ValueType::Unsigned, |event| event.credentials.cap_permitted.map(Value::Hex)),
    plain("cap_effective", ValueType::Unsigned, |event| event.credentials.cap_effective.map(Value::Hex)),
    plain("exe_ino", ValueType::Unsigned, |event| Some(Value::Unsigned(event.file.ino))),
    resolved(
        "exe_ino_ctime",
        ValueType::Unsigned,
        |event| event.file.ctime_ns.map(Value::Unsigned),
        |event| Some(Cow::Owned(time::date_time(event.file.ctime_ns?).into_bytes())),
    ),
    resolved(
        "exe_ino_mtime",
        ValueType::Unsigned,
        |event| event.file.mtime_ns.map(Value::Unsigned),
        |event| Some(Cow::Owned(time::date_time(event.file.mtime_ns?).into_bytes())),
    ),
    resolved(
        "uid",
        ValueType::Unsigned,
        |event| Some(Value::Unsigned(event.credentials.euid.into())),
        |event| Some(Cow::Borrowed(user::user_name(event))),
    ),
    plain("trusted_exepath", ValueType::Text, |event| Some(Value::text(&event.file.path.as_ref()?.bytes))),
    resolved(
        "pgid",
        ValueType::Signed,
        |event| Some(Value::Signed(event.process.pgid.into())),
        |event| Some(Cow::Borrowed(groups::process_group_leader(event)?.comm())),
    ),
    resolved(
        "gid",
        ValueType::Unsigned,
        |event| Some(Value::Unsigned(event.credentials.egid.into())),
        |event| Some(Cow::Borrowed(user::group_name(event))),
    ),
    plain("filename", ValueType::Text, |event| Some(Value::text(event.process.filename.as_ref()?))),
];

/// The parameter of that name.
pub(super) fn find(name: &str) -> Option<&'static Parameter> {
    PARAMETERS.iter().find(|parameter| parameter.name == name)
}

/// Names of all parameters.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    PARAMETERS.iter().map(|parameter| parameter.name)
}

/// Whether the argument of this field names a parameter.
pub(super) fn is_parameter_field(name: &str) -> bool {
    name == ARG || name == RAW_ARG
}

/// Kind of value of a use of `evt.rawarg`.
pub(super) fn raw_type(field: &str, argument: &Argument) -> Option<ValueType> {
    if field == RAW_ARG { used(argument).map(|parameter| parameter.raw_type) } else { None }
}

/// Whether this argument means the parameter that holds the environment.
pub(super) fn is_environment(argument: &Argument) -> bool {
    used(argument).is_some_and(|parameter| parameter.name == "env")
}

fn used(argument: &Argument) -> Option<&'static Parameter> {
    match argument {
        Argument::None => None,
        Argument::Index(index) => PARAMETERS.get(*index),
        Argument::Name(name) => find(name),
    }
}

/// The value as text, not what it stands for.
fn shown<'e>(event: &'e ExecEvent, parameter: &Parameter) -> Option<Cow<'e, [u8]>> {
    Some(match (parameter.raw)(event)? {
        Value::Text(text) => text,
        other => Cow::Owned(other.to_text().into_owned()),
    })
}

fn all(event: &ExecEvent) -> Vec<u8> {
    let mut line = Vec::with_capacity(1024);
    for parameter in &PARAMETERS {
        if !line.is_empty() {
            line.push(b' ');
        }
        line.extend_from_slice(parameter.name.as_bytes());
        line.push(b'=');
        let stands_for = (parameter.resolve)(event);
        // What is bytes or a time as a value has only the form for people.
        let value = match (parameter.raw_type, &stands_for, parameter.name) {
            (ValueType::Text, Some(_), _) | (_, Some(_), "exe_ino_ctime" | "exe_ino_mtime") => None,
            _ => shown(event, parameter),
        };
        match (value, stands_for) {
            (Some(value), Some(text)) => {
                line.extend_from_slice(&value);
                line.push(b'(');
                line.extend_from_slice(&text);
                line.push(b')');
            }
            (Some(text), None) | (None, Some(text)) => line.extend_from_slice(&text),
            (None, None) => line.extend_from_slice(NO_VALUE),
        }
    }
    line
}

/// The argument area behind argv\[0\] and its NUL.
fn behind_first(area: &[u8]) -> &[u8] {
    area.iter().position(|byte| *byte == 0).map_or(&[], |nul| &area[nul + 1..])
}

/// Bytes that are not printable ASCII become dots.
fn dotted(bytes: &[u8]) -> Cow<'_, [u8]> {
    let printable = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if bytes.iter().all(|byte| printable(*byte)) {
        return Cow::Borrowed(bytes);
    }
    Cow::Owned(bytes.iter().map(|byte| if printable(*byte) { *byte } else { b'.' }).collect())
}

#[cfg(test)]
mod tests {
    use super::{PARAMETERS, names};
    use crate::{
        event::{ExeFlags, Value, example, time},
        rules::fields::{
            ValueType,
            example::{assert_values, null, value},
            lookup,
        },
    };

    #[test]
    fn every_parameter_as_people_read_it() {
        assert_values(&[
            ("evt.arg.res", "0"),
            ("evt.arg.exe", "/tmp/dropped"),
            ("evt.arg.args", "echo.a b..\"c\"."),
            ("evt.arg.tid", "dropped"),
            ("evt.arg.pid", "dropped"),
            ("evt.arg.ptid", "sh"),
            ("evt.arg.cwd", "<NA>"),
            ("evt.arg.fdlimit", "1024"),
            ("evt.arg.pgft_maj", "1"),
            ("evt.arg.pgft_min", "25"),
            ("evt.arg.vm_size", "4096"),
            ("evt.arg.vm_rss", "512"),
            ("evt.arg.vm_swap", "8"),
            ("evt.arg.comm", "dropped"),
            (
                "evt.arg.cgroups",
                "cpuset=/docker/x.cpu=/docker/x.cpuacct=/docker/x.blkio=/docker/x.memory=/docker/x.",
            ),
            ("evt.arg.env", "HOME=/root.EMPTY=.PADDED= x ."),
            ("evt.arg.tty", "34816"),
            ("evt.arg.vpgid", "sh"),
            ("evt.arg.loginuid", "alice"),
            ("evt.arg.flags", "EXE_WRITABLE|EXE_UPPER_LAYER"),
            ("evt.arg.cap_inheritable", "0"),
            ("evt.arg.cap_permitted", "A80425FB"),
            ("evt.arg.cap_effective", "A80425FB"),
            ("evt.arg.exe_ino", "1262045"),
            ("evt.arg.exe_ino_ctime", &time::date_time(example::CTIME_NS)),
            ("evt.arg.exe_ino_mtime", &time::date_time(example::MTIME_NS)),
            ("evt.arg.uid", "root"),
            ("evt.arg.trusted_exepath", "/tmp/dropped"),
            ("evt.arg.pgid", "sh"),
            ("evt.arg.gid", "root"),
            ("evt.arg.filename", "./dropped"),
        ]);
    }

    #[test]
    fn positions_are_falcos() {
        assert_values(&[
            ("evt.arg[0]", "0"),
            ("evt.arg[19]", "EXE_WRITABLE|EXE_UPPER_LAYER"),
            ("evt.arg[30]", "./dropped"),
        ]);
        assert!(null("evt.arg[31]"));
        assert_eq!(names().nth(23), Some("exe_ino"));
    }

    #[test]
    fn raw_values_are_typed() {
        let event = example::exec();
        let raw = |name: &str| lookup(name).field().unwrap().extract(&event).unwrap().into_owned();
        assert_eq!(raw("evt.rawarg.flags"), Value::Hex(3));
        assert_eq!(raw("evt.rawarg.cap_effective"), Value::Hex(0xa804_25fb));
        assert_eq!(raw("evt.rawarg.pid"), Value::Signed(30_312));
        assert_eq!(raw("evt.rawarg.uid"), Value::Unsigned(0));
        assert_eq!(raw("evt.rawarg.args"), Value::owned("echo\0a b\0\0\"c\"\0"));
        assert_eq!(raw("evt.rawarg.exe_ino_ctime"), Value::Unsigned(example::CTIME_NS));
        assert_eq!(lookup("evt.rawarg.pid").field().unwrap().value_type(), ValueType::Signed);
        assert_eq!(lookup("evt.arg.pid").field().unwrap().value_type(), ValueType::Text);
    }

    #[test]
    fn raw_types_tell_the_truth() {
        let event = example::exec();
        for parameter in &PARAMETERS {
            let fits = match (parameter.raw)(&event) {
                Some(Value::Text(_)) => parameter.raw_type == ValueType::Text,
                Some(Value::Signed(_)) => parameter.raw_type == ValueType::Signed,
                Some(Value::Unsigned(_) | Value::Hex(_)) => parameter.raw_type == ValueType::Unsigned,
                _ => false,
            };
            assert!(fits, "{}", parameter.name);
        }
    }

    #[test]
    fn no_flag_is_zero_and_no_login_is_none() {
        let mut event = example::exec();
        event.file.flags = ExeFlags(0);
        event.process.loginuid = Some(u32::MAX);
        assert_eq!(value(&event, "evt.arg.flags").as_deref(), Some("0"));
        assert_eq!(value(&event, "evt.arg.loginuid").as_deref(), Some("<NONE>"));
        let all = value(&event, "evt.args").unwrap();
        assert!(all.contains(" loginuid=-1(<NONE>) flags=0 cap_inheritable=0 "), "{all}");
    }

    #[test]
    fn all_parameters_in_one_line() {
        let event = example::exec();
        let all = value(&event, "evt.args").unwrap();
        assert!(all.starts_with("res=0 exe=/tmp/dropped args=echo.a b..\"c\". tid=30312(dropped) "), "{all}");
        assert!(all.contains(" flags=3(EXE_WRITABLE|EXE_UPPER_LAYER) "), "{all}");
        assert!(all.ends_with(" pgid=30276(sh) gid=0(root) filename=./dropped"), "{all}");
        assert_eq!(value(&event, "evt.info"), Some(all));
    }

    #[test]
    fn without_arguments_there_is_nothing_behind_the_first() {
        let mut event = example::exec();
        event.process.arguments.area = Vec::new();
        assert_eq!(value(&event, "evt.arg.args").as_deref(), Some(""));
        assert_eq!(value(&event, "evt.arg.exe").as_deref(), Some(""));
        event.process.arguments.area = b"x\0".to_vec();
        assert_eq!(value(&event, "evt.arg.args").as_deref(), Some(""));
    }
}

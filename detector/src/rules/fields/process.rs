//! `proc.*` about the process itself: its ids and names, and where it stands.

use super::{Entry, Takes, ValueType, ancestors::above};
use crate::event::{ExecEvent, Value};

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry::signed("proc.pid", "process id, as the host counts", |event, _| {
        Some(Value::Signed(event.process.pid.into()))
    }),
    Entry::signed("proc.vpid", "process id in the process's own pid namespace", |event, _| {
        id(event.process.vpid)
    }),
    Entry::signed("proc.pvpid", "process id of the parent in the parent's own pid namespace", |event, _| {
        event.ancestors.first()?;
        id(event.process.pvpid)
    }),
    Entry::text("proc.name", "comm of the process, at most 15 bytes", |event, _| {
        Some(Value::text(&event.process.comm))
    }),
    Entry::text("proc.cwd", "working directory, with a slash at its end", |event, _| {
        let path = &event.process.cwd.as_ref()?.bytes;
        if path.last() == Some(&b'/') {
            return Some(Value::text(path));
        }
        let mut path = path.clone();
        path.push(b'/');
        Some(Value::owned(path))
    }),
    Entry::unsigned("proc.tty", "controlling terminal as a device number, 0 without one", |event, _| {
        Some(Value::Unsigned(event.process.tty?.into()))
    }),
    Entry::signed(
        "proc.loginshellid",
        "process id of the oldest of the process and its ancestors that is a shell",
        |event, _| login_shell(event),
    ),
    Entry::text("proc.env", "environment, or the value of one of its variables; empty when it is not set", {
        |event, argument| {
            let env = event.process.env.as_ref()?;
            Some(match argument {
                super::Argument::Name(name) => Value::text(env.variable(name.as_bytes()).unwrap_or_default()),
                _ => Value::owned(env.spaced()),
            })
        }
    })
    .takes(Takes::OptionalName),
    Entry::unsigned("proc.nthreads", "threads of the process; 1 after an exec", |event, _| {
        Some(Value::Unsigned(event.process.nr_threads.into()))
    }),
    Entry::unsigned("proc.nchilds", "threads of the process besides its first", |event, _| {
        Some(Value::Unsigned(event.process.nr_threads.saturating_sub(1).into()))
    }),
    Entry::never("proc.is_container_healthcheck", ValueType::Bool, "never has a value: kept for old rules")
        .deprecated(),
    Entry::never(
        "proc.is_container_liveness_probe",
        ValueType::Bool,
        "never has a value: kept for old rules",
    )
    .deprecated(),
    Entry::never(
        "proc.is_container_readiness_probe",
        ValueType::Bool,
        "never has a value: kept for old rules",
    )
    .deprecated(),
];

fn id(id: Option<u32>) -> Option<Value<'static>> {
    Some(Value::Signed(id?.into()))
}

fn login_shell(event: &ExecEvent) -> Option<Value<'_>> {
    let own = super::ancestors::Relative::Own(event);
    let oldest = std::iter::once(own).chain(above(event)).filter(|one| one.comm().ends_with(b"sh")).last()?;
    Some(Value::Signed(oldest.pid().into()))
}

#[cfg(test)]
mod tests {
    use crate::{
        event::{Path, example},
        rules::fields::example::{assert_null, assert_values, null_in, value},
    };

    #[test]
    fn values_of_an_exec() {
        assert_values(&[
            ("proc.pid", "30312"),
            ("proc.vpid", "9"),
            ("proc.pvpid", "1"),
            ("proc.name", "dropped"),
            ("proc.cwd", "/tmp/"),
            ("proc.tty", "34816"),
            ("proc.loginshellid", "30276"),
            ("proc.env", "HOME=/root EMPTY= PADDED= x "),
            ("proc.env[HOME]", "/root"),
            ("proc.env[EMPTY]", ""),
            ("proc.env[PADDED]", "x"),
            ("proc.env[HOM]", ""),
            ("proc.nthreads", "1"),
            ("proc.nchilds", "0"),
        ]);
        assert_null(&[
            "proc.is_container_healthcheck",
            "proc.is_container_liveness_probe",
            "proc.is_container_readiness_probe",
        ]);
    }

    #[test]
    fn the_root_directory_has_one_slash() {
        let mut event = example::exec();
        event.process.cwd = Some(Path { bytes: b"/".to_vec(), complete: true });
        assert_eq!(value(&event, "proc.cwd").as_deref(), Some("/"));
    }

    #[test]
    fn the_oldest_shell_is_taken_and_the_process_itself_counts() {
        let mut event = example::exec();
        event.process.comm = b"bash".to_vec();
        event.ancestors[0].comm = b"x".to_vec();
        assert_eq!(value(&event, "proc.loginshellid").as_deref(), Some("30312"));
        event.ancestors[2].comm = b"sshd".to_vec();
        assert_eq!(value(&event, "proc.loginshellid").as_deref(), Some("30312"));
        event.ancestors[2].comm = b"zsh".to_vec();
        assert_eq!(value(&event, "proc.loginshellid").as_deref(), Some("1"));
        event.ancestors[2].comm = b"x".to_vec();
        event.process.comm = b"x".to_vec();
        assert!(null_in(&event, "proc.loginshellid"));
    }

    #[test]
    fn what_could_not_be_read_has_no_value() {
        let mut event = example::exec();
        event.process.vpid = None;
        event.process.pvpid = None;
        event.process.tty = None;
        event.process.cwd = None;
        event.process.env = None;
        for name in ["proc.vpid", "proc.pvpid", "proc.tty", "proc.cwd", "proc.env", "proc.env[HOME]"] {
            assert!(null_in(&event, name), "{name}");
        }
    }
}

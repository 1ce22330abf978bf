//! `proc.*` about sessions and process groups, and who leads them.

use super::{
    Entry,
    ancestors::{Relative, above},
};
use crate::event::{ExecEvent, Value};

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry::signed(
        "proc.sid",
        "session id in the process's pid namespace, as setsid returned it",
        |event, _| {
            let process = &event.process;
            // A session from outside the namespace has no number in it; it keeps the one that it was inherited with.
            let inner = process.vsid.filter(|sid| *sid != 0);
            let sid = inner.or_else(|| process.vsid.map(|_| process.sid))?;
            Some(Value::Signed(sid.into()))
        },
    ),
    Entry::text("proc.sname", "comm of the session leader, or of the oldest known process of the session", {
        |event, _| named(session_leader(event), |leader| Some(leader.comm()))
    }),
    Entry::text("proc.sid.exe", "argv[0] of the session leader, found like proc.sname", |event, _| {
        named(session_leader(event), Relative::exe)
    }),
    Entry::text(
        "proc.sid.exepath",
        "path of the file that the session leader runs, found like proc.sname",
        |event, _| named(session_leader(event), Relative::exe_path),
    ),
    Entry::bool("proc.is_sid_leader", "whether the process leads its session", |event, _| {
        Some(Value::Bool(event.process.vsid? == event.process.vpid?))
    }),
    Entry::signed(
        "proc.vpgid",
        "process group in the process's pid namespace; 0 when its leader lives outside",
        |event, _| Some(Value::Signed(event.process.vpgid?.into())),
    ),
    Entry::text(
        "proc.vpgid.name",
        "comm of the leader of the process group, as far as it is known",
        |event, _| named(process_group_leader(event), |leader| Some(leader.comm())),
    ),
    Entry::text("proc.vpgid.exe", "argv[0] of the leader of the process group", |event, _| {
        named(process_group_leader(event), Relative::exe)
    }),
    Entry::text(
        "proc.vpgid.exepath",
        "path of the file that the leader of the process group runs",
        |event, _| named(process_group_leader(event), Relative::exe_path),
    ),
    Entry::bool(
        "proc.is_vpgid_leader",
        "whether the process leads its process group, seen in its pid namespace",
        |event, _| Some(Value::Bool(event.process.vpgid? == event.process.vpid?)),
    ),
    Entry::signed("proc.pgid", "process group, as the host counts", |event, _| {
        Some(Value::Signed(event.process.pgid.into()))
    }),
    Entry::text(
        "proc.pgid.name",
        "comm of the leader of the process group, as far as it is known",
        |event, _| named(process_group_leader(event), |leader| Some(leader.comm())),
    ),
    Entry::text("proc.pgid.exe", "argv[0] of the leader of the process group", |event, _| {
        named(process_group_leader(event), Relative::exe)
    }),
    Entry::text(
        "proc.pgid.exepath",
        "path of the file that the leader of the process group runs",
        |event, _| named(process_group_leader(event), Relative::exe_path),
    ),
    Entry::bool("proc.is_pgid_leader", "whether the process leads its process group, as the host counts", {
        |event, _| Some(Value::Bool(event.process.pgid == event.process.pid))
    }),
];

fn session_leader(event: &ExecEvent) -> Option<Relative<'_>> {
    leader(event, session)
}

/// The leader of the process group, or the oldest known process of it.
pub(super) fn process_group_leader(event: &ExecEvent) -> Option<Relative<'_>> {
    leader(event, process_group)
}

fn session(of: Relative<'_>) -> u32 {
    of.sid()
}

fn process_group(of: Relative<'_>) -> u32 {
    of.pgid()
}

/// The process whose pid is the group's number; where it is not among the ancestors (it may have ended) the oldest of
/// the unbroken chain of ancestors in the same group. A number of 0 could not be read.
fn leader(event: &ExecEvent, group_of: fn(Relative<'_>) -> u32) -> Option<Relative<'_>> {
    let own = Relative::Own(event);
    let group = group_of(own);
    if group == 0 {
        return None;
    }
    let leads = |one: &Relative<'_>| one.pid() == group;
    if leads(&own) {
        return Some(own);
    }
    above(event).find(leads).or_else(|| above(event).take_while(|one| group_of(*one) == group).last())
}

/// The attribute of a leader: the empty text without a leader, no value when the leader's attribute is unknown.
fn named<'e>(
    leader: Option<Relative<'e>>,
    attribute: fn(Relative<'e>) -> Option<&'e [u8]>,
) -> Option<Value<'e>> {
    match leader {
        Some(leader) => attribute(leader).map(Value::text),
        None => Some(Value::text("")),
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        event::example,
        rules::fields::example::{assert_values, null_in, value},
    };

    #[test]
    fn values_of_an_exec() {
        assert_values(&[
            ("proc.sid", "1"),
            ("proc.sname", "sh"),
            ("proc.sid.exe", "/bin/sh"),
            ("proc.sid.exepath", "/bin/busybox"),
            ("proc.is_sid_leader", "false"),
            ("proc.vpgid", "1"),
            ("proc.vpgid.name", "sh"),
            ("proc.vpgid.exe", "/bin/sh"),
            ("proc.vpgid.exepath", "/bin/busybox"),
            ("proc.is_vpgid_leader", "false"),
            ("proc.pgid", "30276"),
            ("proc.pgid.name", "sh"),
            ("proc.pgid.exe", "/bin/sh"),
            ("proc.pgid.exepath", "/bin/busybox"),
            ("proc.is_pgid_leader", "false"),
        ]);
    }

    #[test]
    fn a_leader_leads_itself() {
        let mut event = example::exec();
        event.process.sid = event.process.pid;
        event.process.vsid = event.process.vpid;
        event.process.pgid = event.process.pid;
        event.process.vpgid = event.process.vpid;
        for (name, expected) in [
            ("proc.sname", "dropped"),
            ("proc.sid", "9"),
            ("proc.sid.exe", "/tmp/dropped"),
            ("proc.sid.exepath", "/tmp/dropped"),
            ("proc.is_sid_leader", "true"),
            ("proc.is_vpgid_leader", "true"),
            ("proc.is_pgid_leader", "true"),
            ("proc.pgid.name", "dropped"),
        ] {
            assert_eq!(value(&event, name).as_deref(), Some(expected), "{name}");
        }
    }

    #[test]
    fn a_leader_that_ended_is_replaced_by_the_oldest_of_an_unbroken_chain() {
        let mut event = example::exec();
        event.process.sid = 555;
        event.ancestors[0].sid = 555;
        event.ancestors[1].sid = 555;
        assert_eq!(value(&event, "proc.sname").as_deref(), Some("containerd-shim"));
        event.ancestors[0].sid = 1;
        assert_eq!(value(&event, "proc.sname").as_deref(), Some(""));
    }

    #[test]
    fn without_a_leader_names_are_empty_and_not_missing() {
        let mut event = example::exec();
        event.ancestors.clear();
        for name in ["proc.sname", "proc.sid.exe", "proc.vpgid.name", "proc.pgid.exepath"] {
            assert_eq!(value(&event, name).as_deref(), Some(""), "{name}");
        }
        event.process.sid = 0;
        assert_eq!(value(&event, "proc.sname").as_deref(), Some(""));
    }

    #[test]
    fn a_leader_whose_arguments_are_unknown_has_no_exe() {
        let mut event = example::exec();
        event.ancestors[0].details = None;
        assert!(null_in(&event, "proc.sid.exe"));
        assert_eq!(value(&event, "proc.sname").as_deref(), Some("sh"));
    }

    #[test]
    fn a_session_from_outside_the_pid_namespace_keeps_its_number() {
        let mut event = example::exec();
        event.process.vsid = Some(0);
        assert_eq!(value(&event, "proc.sid").as_deref(), Some("30276"));
        event.process.vsid = None;
        event.process.vpgid = None;
        for name in ["proc.sid", "proc.is_sid_leader", "proc.vpgid", "proc.is_vpgid_leader"] {
            assert!(null_in(&event, name), "{name}");
        }
    }
}

//! `thread.*`: after an exec the thread is the process.

use super::{Argument, Entry, Takes, ValueType, capabilities};
use crate::event::{ExecEvent, Value};

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry::signed("thread.tid", "thread id, as the host counts; after an exec the process id", |event, _| {
        Some(Value::Signed(event.process.pid.into()))
    }),
    Entry::signed("thread.vtid", "thread id in the process's own pid namespace", |event, _| {
        Some(Value::Signed(event.process.vpid?.into()))
    }),
    Entry::bool(
        "thread.ismain",
        "whether the thread is the first of its process; after an exec always true",
        |_, _| Some(Value::Bool(true)),
    ),
    Entry::text("thread.nametid", "comm and thread id, written together", |event, _| {
        let mut name = event.process.comm.clone();
        name.extend_from_slice(event.process.pid.to_string().as_bytes());
        Some(Value::owned(name))
    }),
    Entry::text("thread.cap_permitted", "permitted capabilities, joined by spaces", |event, _| {
        event.credentials.cap_permitted.map(named)
    }),
    Entry::text("thread.cap_inheritable", "inheritable capabilities, joined by spaces", |event, _| {
        // The three sets are read together.
        event.credentials.cap_effective?;
        Some(named(event.credentials.cap_inheritable))
    }),
    Entry::text("thread.cap_effective", "effective capabilities, joined by spaces", |event, _| {
        event.credentials.cap_effective.map(named)
    }),
    Entry::text(
        "thread.cgroups",
        "cgroups of the thread as controller=path, joined by spaces",
        |event, _| {
            let mut joined = cgroups(event, b' ')?;
            joined.pop();
            Some(Value::owned(joined))
        },
    ),
    Entry::text("thread.cgroup", "path of the thread's cgroup of one controller", |event, argument| {
        let Argument::Name(name) = argument else {
            return None;
        };
        let name = if name == "io" { "blkio" } else { name.as_str() };
        SHOWN.contains(&name).then(|| path(event, name)).flatten().map(Value::text)
    })
    .takes(Takes::Name),
    Entry::unsigned("thread.vmsize", "virtual memory, kilobytes", |event, _| {
        Some(Value::Unsigned(event.usage.vm_size_kb))
    }),
    Entry::unsigned("thread.vmsize.b", "virtual memory, bytes", |event, _| {
        Some(Value::Unsigned(event.usage.vm_size_kb.saturating_mul(1024)))
    }),
    Entry::unsigned("thread.vmrss", "resident memory, kilobytes", |event, _| {
        event.usage.rss_kb.map(Value::Unsigned)
    }),
    Entry::unsigned("thread.vmrss.b", "resident memory, bytes", |event, _| {
        Some(Value::Unsigned(event.usage.rss_kb?.saturating_mul(1024)))
    }),
    Entry::unsigned("thread.pfmajor", "major page faults", |event, _| {
        Some(Value::Unsigned(event.usage.major_faults))
    }),
    Entry::unsigned("thread.pfminor", "minor page faults", |event, _| {
        Some(Value::Unsigned(event.usage.minor_faults))
    }),
    scheduler("thread.exectime", ValueType::Unsigned),
    scheduler("thread.totexectime", ValueType::Unsigned),
    scheduler("thread.cpu", ValueType::Double),
    scheduler("thread.cpu.user", ValueType::Double),
    scheduler("thread.cpu.system", ValueType::Double),
];

/// The controllers that Falco shows, in its order.
const SHOWN: [&str; 5] = ["cpuset", "cpu", "cpuacct", "blkio", "memory"];

const fn scheduler(name: &'static str, value_type: ValueType) -> Entry {
    Entry::never(name, value_type, "needs events of the scheduler, which this agent does not look at")
}

fn named(bits: u64) -> Value<'static> {
    Value::owned(capabilities::names(bits))
}

fn path<'e>(event: &'e ExecEvent, controller: &str) -> Option<&'e [u8]> {
    let cgroup = event.cgroups.0.iter().find(|cgroup| cgroup.controller == controller)?;
    Some(&cgroup.path)
}

/// `controller=path` each, ended by `end`; `None` when no path is known.
pub(super) fn cgroups(event: &ExecEvent, end: u8) -> Option<Vec<u8>> {
    let mut all = Vec::with_capacity(512);
    for controller in SHOWN {
        if let Some(path) = path(event, controller) {
            all.extend_from_slice(controller.as_bytes());
            all.push(b'=');
            all.extend_from_slice(path);
            all.push(end);
        }
    }
    (!all.is_empty()).then_some(all)
}

#[cfg(test)]
mod tests {
    use crate::{
        event::example,
        rules::fields::example::{assert_null, assert_values, null_in, value},
    };

    const CAPS: &str = "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID CAP_SETPCAP \
                        CAP_NET_BIND_SERVICE CAP_NET_RAW CAP_SYS_CHROOT CAP_MKNOD CAP_AUDIT_WRITE CAP_SETFCAP";

    #[test]
    fn values_of_an_exec() {
        assert_values(&[
            ("thread.tid", "30312"),
            ("thread.vtid", "9"),
            ("thread.ismain", "true"),
            ("thread.nametid", "dropped30312"),
            ("thread.cap_permitted", CAPS),
            ("thread.cap_effective", CAPS),
            ("thread.cap_inheritable", ""),
            (
                "thread.cgroups",
                "cpuset=/docker/x cpu=/docker/x cpuacct=/docker/x blkio=/docker/x memory=/docker/x",
            ),
            ("thread.cgroup.memory", "/docker/x"),
            ("thread.cgroup[blkio]", "/docker/x"),
            ("thread.cgroup.io", "/docker/x"),
            ("thread.vmsize", "4096"),
            ("thread.vmsize.b", "4194304"),
            ("thread.vmrss", "512"),
            ("thread.vmrss.b", "524288"),
            ("thread.pfmajor", "1"),
            ("thread.pfminor", "25"),
        ]);
        assert_null(&[
            "thread.cgroup.pids",
            "thread.exectime",
            "thread.totexectime",
            "thread.cpu",
            "thread.cpu.user",
            "thread.cpu.system",
        ]);
    }

    #[test]
    fn what_could_not_be_read_has_no_value() {
        let mut event = example::exec();
        event.cgroups.0.clear();
        event.credentials.cap_effective = None;
        event.credentials.cap_permitted = None;
        event.process.vpid = None;
        for name in [
            "thread.cgroups",
            "thread.cgroup.cpu",
            "thread.cap_effective",
            "thread.cap_permitted",
            "thread.cap_inheritable",
            "thread.vtid",
        ] {
            assert!(null_in(&event, name), "{name}");
        }
    }

    #[test]
    fn a_missing_controller_is_left_out() {
        let mut event = example::exec();
        event.cgroups.0.retain(|cgroup| cgroup.controller == "cpu" || cgroup.controller == "memory");
        assert_eq!(value(&event, "thread.cgroups").as_deref(), Some("cpu=/docker/x memory=/docker/x"));
    }
}

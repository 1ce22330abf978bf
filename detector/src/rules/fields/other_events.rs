//! Fields and parameters of other events. Rules that are about nothing else are skipped and not refused, and rules
//! about an exec may show them: they have no value then.

use super::{Entry, Takes, ValueType};
use crate::event::Value;

/// `evt.*` and `fs.*`.
pub(super) static FIELDS: &[Entry] = &[
    text("evt.buffer").takes(Takes::Nothing),
    unsigned("evt.buflen"),
    unsigned("evt.buflen.in"),
    unsigned("evt.buflen.out"),
    unsigned("evt.buflen.file"),
    unsigned("evt.buflen.file.in"),
    unsigned("evt.buflen.file.out"),
    unsigned("evt.buflen.net"),
    unsigned("evt.buflen.net.in"),
    unsigned("evt.buflen.net.out"),
    text("evt.abspath"),
    text("evt.abspath.src"),
    text("evt.abspath.dst"),
    text("evt.io_dir"),
    no("evt.is_io"),
    no("evt.is_io_read"),
    no("evt.is_io_write"),
    no("evt.is_open_read"),
    no("evt.is_open_write"),
    no("evt.is_open_exec"),
    no("evt.is_open_create"),
    unsigned("evt.count.error"),
    unsigned("evt.count.error.file"),
    unsigned("evt.count.error.net"),
    unsigned("evt.count.error.memory"),
    unsigned("evt.count.error.other"),
    unsigned("evt.count.procinfo"),
    unsigned("evt.count.threadinfo"),
    text("evt.around").takes(Takes::NameOrIndex),
    text("fs.path.name"),
    text("fs.path.nameraw"),
    text("fs.path.source"),
    text("fs.path.sourceraw"),
    text("fs.path.target"),
    text("fs.path.targetraw"),
];

/// `fd.*`.
pub(super) static FD_FIELDS: &[Entry] = &[
    Entry::never("fd.num", ValueType::Signed, DESCRIPTION).of_other_events(),
    text("fd.type"),
    text("fd.typechar"),
    text("fd.name"),
    text("fd.nameraw"),
    text("fd.directory"),
    text("fd.filename"),
    address("fd.ip"),
    address("fd.cip"),
    address("fd.sip"),
    address("fd.lip"),
    address("fd.rip"),
    text("fd.cip.name"),
    text("fd.sip.name"),
    text("fd.lip.name"),
    text("fd.rip.name"),
    address("fd.net"),
    address("fd.cnet"),
    address("fd.snet"),
    address("fd.lnet"),
    address("fd.rnet"),
    unsigned("fd.port").no_operand(),
    unsigned("fd.cport"),
    unsigned("fd.sport"),
    unsigned("fd.lport"),
    unsigned("fd.rport"),
    text("fd.proto"),
    text("fd.cproto"),
    text("fd.sproto"),
    text("fd.lproto"),
    text("fd.rproto"),
    text("fd.l4proto"),
    text("fd.sockfamily"),
    boolean("fd.is_server"),
    text("fd.uid"),
    text("fd.containername"),
    text("fd.containerdirectory"),
    boolean("fd.connected"),
    boolean("fd.name_changed"),
    unsigned("fd.dev"),
    unsigned("fd.dev.major"),
    unsigned("fd.dev.minor"),
    unsigned("fd.ino"),
    boolean("fd.is_upper_layer"),
    boolean("fd.is_lower_layer"),
    Entry::never("fd.types", ValueType::List, DESCRIPTION).takes(Takes::OptionalIndex).of_other_events(),
];

/// Names that `evt.arg` has in other events.
pub(super) const PARAMETERS: &[&str] = &[
    "ID",
    "addr",
    "address",
    "advice",
    "arg2_int",
    "arg2_str",
    "backlog",
    "brk_res",
    "cap_amb",
    "category",
    "clone_flags",
    "clockid",
    "cmd",
    "count",
    "cpu",
    "cur",
    "data",
    "dest",
    "dev",
    "dfd",
    "dir",
    "dirfd",
    "domain",
    "egid",
    "entries",
    "euid",
    "event_data",
    "event_fd",
    "exit_signal",
    "fd",
    "fd1",
    "fd2",
    "fd_in",
    "fd_out",
    "fdin",
    "fdout",
    "features",
    "file_flags",
    "flag",
    "from_submit",
    "how",
    "id",
    "in_fd",
    "info",
    "initval",
    "inode",
    "interval",
    "in",
    "io_uring_flags",
    "key",
    "level",
    "len",
    "length",
    "linkdirfd",
    "linkpath",
    "lastpid",
    "max",
    "maxevents",
    "mode",
    "mount_flags",
    "msgsnd",
    "mtu",
    "name",
    "namelen",
    "nativeID",
    "newcur",
    "newdir",
    "newdirfd",
    "newfd",
    "newmax",
    "newpath",
    "nsems",
    "nstype",
    "nr_args",
    "off_in",
    "off_out",
    "offset",
    "oldcur",
    "olddir",
    "olddirfd",
    "oldfd",
    "oldmax",
    "oldpath",
    "op",
    "opcode",
    "operation",
    "optlen",
    "optname",
    "option",
    "optval",
    "out",
    "out_fd",
    "pathname",
    "path",
    "perm",
    "pgoffset",
    "pidfd",
    "plugin_id",
    "port",
    "pos",
    "proto",
    "prot",
    "ptr",
    "queuelen",
    "queuemax",
    "queuepct",
    "quota_fmt",
    "quota_fmt_out",
    "quotafilepath",
    "ratio",
    "reaper_tid",
    "request",
    "res_in",
    "res_or_fd",
    "resource",
    "ret",
    "rgid",
    "rip",
    "ruid",
    "scope",
    "sem_flg_0",
    "semid",
    "sgid",
    "shmid",
    "sig",
    "sig_mask",
    "signal",
    "size",
    "source",
    "special",
    "sq_entries",
    "sq_thread_cpu",
    "sq_thread_idle",
    "suid",
    "tags",
    "target",
    "target_fd",
    "target_res",
    "timeout",
    "tuple",
    "type",
    "usrname",
    "val",
    "value",
    "virtual_cpu",
    "what",
    "whence",
    "who",
    "ino",
];

const DESCRIPTION: &str = "about other events than an exec; never has a value here";

const fn text(name: &'static str) -> Entry {
    Entry::never(name, ValueType::Text, DESCRIPTION).of_other_events()
}

/// Text that cannot be an operand: Falco matches several addresses by it.
const fn address(name: &'static str) -> Entry {
    text(name).no_operand()
}

const fn unsigned(name: &'static str) -> Entry {
    Entry::never(name, ValueType::Unsigned, DESCRIPTION).of_other_events()
}

const fn boolean(name: &'static str) -> Entry {
    Entry::never(name, ValueType::Bool, DESCRIPTION).of_other_events()
}

/// What an exec is known not to be.
const fn no(name: &'static str) -> Entry {
    Entry::bool(name, "about other events than an exec; always false here", |_, _| Some(Value::Bool(false)))
        .of_other_events()
}

#[cfg(test)]
mod tests {
    use super::{FD_FIELDS, FIELDS, PARAMETERS};
    use crate::{
        event::example,
        rules::fields::{
            Lookup, ValueType,
            example::{assert_values, null_in},
            lookup, parameters,
        },
    };

    #[test]
    fn none_has_a_value_but_those_that_say_no() {
        let event = example::exec();
        for entry in FIELDS.iter().chain(FD_FIELDS) {
            let says_no = entry.value_type == ValueType::Bool && entry.name.starts_with("evt.");
            let written = if entry.name == "evt.around" { "evt.around[1]" } else { entry.name };
            assert!(matches!(lookup(written), Lookup::OtherEvent(_)), "{written}");
            assert_eq!(null_in(&event, written), !says_no, "{written}");
        }
        assert_values(&[("evt.is_open_write", "false")]);
    }

    #[test]
    fn no_parameter_of_execve_is_called_one_of_other_events() {
        for name in PARAMETERS {
            assert!(parameters::find(name).is_none(), "{name}");
            assert!(null_in(&example::exec(), &format!("evt.arg.{name}")), "{name}");
        }
    }
}

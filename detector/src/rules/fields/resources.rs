//! `proc.*` about memory and descriptors at the exec.

use super::{Entry, ValueType};
use crate::event::{ExecEvent, Value};

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry::unsigned("proc.vmsize", "virtual memory, kilobytes", |event, _| {
        Some(Value::Unsigned(event.usage.vm_size_kb))
    }),
    Entry::unsigned("proc.vmrss", "resident memory, kilobytes", |event, _| {
        event.usage.rss_kb.map(Value::Unsigned)
    }),
    Entry::unsigned("proc.vmswap", "swapped memory, kilobytes", |event, _| {
        event.usage.swap_kb.map(Value::Unsigned)
    }),
    Entry::unsigned("proc.fdopencount", "open descriptors", |event, _| {
        event.usage.fd_open.map(Value::Unsigned)
    }),
    Entry::signed("proc.fdlimit", "soft limit of open descriptors, -1 without one", |event, _| {
        Some(Value::Signed(limit(event)))
    }),
    Entry::new("proc.fdusage", ValueType::Double, "open descriptors in percent of the limit", |event, _| {
        let open = event.usage.fd_open?;
        Some(Value::Double(match u32::try_from(limit(event)) {
            Ok(limit) if limit > 0 => {
                f64::from(u32::try_from(open).unwrap_or(u32::MAX)) * 100.0 / f64::from(limit)
            }
            _ => 0.0,
        }))
    }),
];

fn limit(event: &ExecEvent) -> i64 {
    i64::try_from(event.usage.fd_limit).unwrap_or(-1)
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
            ("proc.vmsize", "4096"),
            ("proc.vmrss", "512"),
            ("proc.vmswap", "8"),
            ("proc.fdopencount", "3"),
            ("proc.fdlimit", "1024"),
            ("proc.fdusage", "0.3"),
        ]);
    }

    #[test]
    fn no_limit_is_minus_one_and_nothing_is_used_of_it() {
        let mut event = example::exec();
        event.usage.fd_limit = u64::MAX;
        assert_eq!(value(&event, "proc.fdlimit").as_deref(), Some("-1"));
        assert_eq!(value(&event, "proc.fdusage").as_deref(), Some("0.0"));
        event.usage.fd_limit = 0;
        assert_eq!(value(&event, "proc.fdusage").as_deref(), Some("0.0"));
    }

    #[test]
    fn what_could_not_be_read_has_no_value() {
        let mut event = example::exec();
        event.usage.rss_kb = None;
        event.usage.swap_kb = None;
        event.usage.fd_open = None;
        for name in ["proc.vmrss", "proc.vmswap", "proc.fdopencount", "proc.fdusage"] {
            assert!(null_in(&event, name), "{name}");
        }
    }
}

//! One file per attach point.

pub(crate) mod sched_process_exec;

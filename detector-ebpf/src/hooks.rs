//! One file per attach point.

pub(crate) mod sched_process_exec;
pub(crate) mod security_bprm_check;
pub(crate) mod security_file_open;
pub(crate) mod security_mmap_file;

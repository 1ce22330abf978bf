//! Memory and descriptor figures at the moment of the exec.

use detector_common::record::exec::{ExecRecord, Usage};

use crate::{
    kernel_read::{Address, follow, read},
    settings::offset,
};

/// Fills `record.usage`; what cannot be read is 0, as it is of no use to a verdict.
#[inline(always)]
pub(crate) fn capture(record: &mut ExecRecord, task: Address) {
    let total_vm = follow(task, offset!(task_mm)).and_then(|mm| read(mm, offset!(mm_total_vm)));
    let fd_limit =
        follow(task, offset!(task_signal)).and_then(|signal| read(signal, offset!(signal_rlimit_nofile)));
    record.usage = Usage {
        major_faults: read(task, offset!(task_maj_flt)).unwrap_or(0),
        minor_faults: read(task, offset!(task_min_flt)).unwrap_or(0),
        total_vm_pages: total_vm.unwrap_or(0),
        fd_limit: fd_limit.unwrap_or(0),
        argv_bytes: 0,
        env_bytes: 0,
    };
}

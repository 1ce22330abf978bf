//! Memory and descriptor figures at the moment of the exec.

use detector_common::record::exec::ExecRecord;

use crate::{
    kernel_read::{Address, copy, follow},
    settings::offset,
};

/// Fills `record.usage`; what cannot be read is 0, as it is of no use to a verdict.
#[inline(always)]
pub(crate) fn capture(record: &mut ExecRecord, task: Address) {
    let usage = &mut record.usage;
    usage.total_vm_pages = 0;
    usage.fd_limit = 0;
    usage.major_faults = 0;
    usage.minor_faults = 0;
    copy(&mut usage.major_faults, task, offset!(task_maj_flt));
    copy(&mut usage.minor_faults, task, offset!(task_min_flt));
    if let Ok(mm) = follow(task, offset!(task_mm)) {
        copy(&mut usage.total_vm_pages, mm, offset!(mm_total_vm));
    }
    if let Ok(signal) = follow(task, offset!(task_signal)) {
        copy(&mut usage.fd_limit, signal, offset!(signal_rlimit_nofile));
    }
}

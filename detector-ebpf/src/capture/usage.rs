//! Memory and descriptor figures at the moment of the exec.

use core::mem::size_of;

use detector_common::{
    limits::FD_WORDS,
    record::exec::{ExecRecord, known},
};

use crate::{
    kernel_read::{Address, Fault, copy, follow, read},
    settings::offset,
};

/// Fills `record.usage`; what cannot be read is 0, as it is of no use to a verdict.
#[inline(always)]
pub(crate) fn capture(record: &mut ExecRecord, task: Address) {
    let usage = &mut record.usage;
    usage.total_vm_pages = 0;
    usage.rss_file_pages = 0;
    usage.rss_anon_pages = 0;
    usage.rss_shmem_pages = 0;
    usage.swap_pages = 0;
    usage.fd_limit = 0;
    usage.fd_open = 0;
    usage.major_faults = 0;
    usage.minor_faults = 0;
    copy(&mut usage.major_faults, task, offset!(task_maj_flt));
    copy(&mut usage.minor_faults, task, offset!(task_min_flt));
    if let Ok(mm) = follow(task, offset!(task_mm)) {
        copy(&mut usage.total_vm_pages, mm, offset!(mm_total_vm));
        copy(&mut usage.rss_anon_pages, mm, offset!(mm_rss_anon));
        copy(&mut usage.rss_shmem_pages, mm, offset!(mm_rss_shmem));
        copy(&mut usage.swap_pages, mm, offset!(mm_rss_swap));
        if copy(&mut usage.rss_file_pages, mm, offset!(mm_rss_file)) {
            record.known |= known::RSS;
        }
    }
    if let Ok(signal) = follow(task, offset!(task_signal)) {
        copy(&mut record.usage.fd_limit, signal, offset!(signal_rlimit_nofile));
    }
    if open_descriptors(record, task).unwrap_or(false) {
        record.known |= known::FD_OPEN;
    }
}

/// Counts the bits of the table of open descriptors; false = the table is too large to count.
#[inline(always)]
fn open_descriptors(record: &mut ExecRecord, task: Address) -> Result<bool, Fault> {
    let fdt = follow(follow(task, offset!(task_files))?, offset!(files_fdt))?;
    let bits = follow(fdt, offset!(fdtable_open_fds))?;
    let words = read::<u32>(fdt, offset!(fdtable_max_fds))? / u64::BITS;
    let mut index = 0;
    while index < FD_WORDS as u32 {
        if index >= words {
            return Ok(true);
        }
        record.usage.fd_open += read::<u64>(bits, index * size_of::<u64>() as u32)?.count_ones() as u64;
        index += 1;
    }
    Ok(words == FD_WORDS as u32)
}

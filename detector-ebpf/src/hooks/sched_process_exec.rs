//! Raw tracepoint `sched_process_exec(task, old_pid, bprm)`: runs once for every successful exec, when credentials
//! and memory are final. Only here is everything about the new program true and still there.

use aya_ebpf::{helpers::bpf_ktime_get_boot_ns, macros::raw_tracepoint, programs::RawTracePointContext};
use aya_log_ebpf::debug;
use detector_common::{
    ABI_VERSION,
    counters::Counter,
    record::{RecordHeader, RecordKind},
    settings::predicate,
};

use crate::{
    capture::{self, executable::Executable, task},
    emit::emit,
    filter,
    kernel_read::{Address, Fault, follow},
    maps::{count, scratch},
    settings::offset,
};

#[raw_tracepoint(tracepoint = "sched_process_exec")]
fn sched_process_exec(ctx: RawTracePointContext) -> i32 {
    if try_exec(&ctx).is_err() {
        count(Counter::Unreadable);
    }
    0
}

#[inline(always)]
fn try_exec(ctx: &RawTracePointContext) -> Result<(), Fault> {
    let task: Address = ctx.arg(0);
    let bprm: Address = ctx.arg(2);

    let file = follow(bprm, offset!(bprm_file))?;
    let exe = Executable::judge(file)?;
    let mut facts = exe.predicates();
    if !filter::possible(facts, predicate::OF_FILE) {
        return Ok(());
    }
    facts |= task::predicates(task);
    if !filter::possible(facts, u32::MAX) {
        return Ok(());
    }
    debug!(ctx, "exec of a wanted file, predicates {}", facts);

    let Some(scratch) = scratch() else {
        count(Counter::NoScratch);
        return Ok(());
    };
    let old_tid: i32 = ctx.arg(1);
    scratch.record.header = RecordHeader {
        abi: ABI_VERSION,
        kind: RecordKind::Exec as u16,
        size: 0,
        // SAFETY: a helper without arguments.
        boot_ns: unsafe { bpf_ktime_get_boot_ns() },
    };
    scratch.work.exe = exe;
    capture::exec(scratch, task, old_tid as u32, bprm);
    emit(scratch);
    Ok(())
}

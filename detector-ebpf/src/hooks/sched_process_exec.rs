//! Raw tracepoint `sched_process_exec(task, old_pid, bprm)`: runs once for every successful exec, when credentials
//! and memory are final. Only here is everything about the new program true and still there.

use aya_ebpf::{helpers::bpf_ktime_get_boot_ns, macros::raw_tracepoint, programs::RawTracePointContext};
use aya_log_ebpf::debug;
use detector_common::{
    ABI_VERSION,
    counters::Counter,
    record::{RecordHeader, RecordKind, exec::known},
};

use crate::{
    capture::{self, executable::Executable},
    emit::emit,
    filter,
    kernel_read::{Address, Fault, follow},
    maps::{count, scratch},
    mark,
    preemption::undisturbed,
    settings::{offset, second_attached},
};

/// Which of the two copies of the program runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copy {
    /// Sees every exec but those that the kernel keeps from it.
    First,
    /// Attached only where the kernel does that; sees to the execs that the first has not marked.
    Second,
}

#[raw_tracepoint(tracepoint = "sched_process_exec")]
fn detector_exec(ctx: RawTracePointContext) -> i32 {
    hook(&ctx, Copy::First)
}

#[raw_tracepoint(tracepoint = "sched_process_exec")]
fn detector_exec2(ctx: RawTracePointContext) -> i32 {
    hook(&ctx, Copy::Second)
}

#[inline(always)]
fn hook(ctx: &RawTracePointContext, copy: Copy) -> i32 {
    undisturbed(|| {
        if try_exec(ctx, copy).is_err() {
            count(Counter::Unreadable);
        }
    });
    0
}

#[inline(always)]
fn try_exec(ctx: &RawTracePointContext, copy: Copy) -> Result<(), Fault> {
    let task: Address = ctx.arg(0);
    let bprm: Address = ctx.arg(2);

    let file = follow(bprm, offset!(bprm_file))?;
    let exe = Executable::judge(file)?;
    let facts = exe.predicates();
    if !filter::wants(facts, task) {
        return Ok(());
    }
    match copy {
        Copy::First if second_attached() => mark::leave(task),
        Copy::First => {}
        Copy::Second if mark::is_there(task) => return Ok(()),
        Copy::Second => count(Counter::SecondLook),
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
    scratch.record.known = match copy {
        Copy::First => 0,
        Copy::Second => known::SECOND_LOOK,
    };
    capture::exec(scratch, task, old_tid as u32, bprm);
    emit(scratch);
    Ok(())
}

//! Raw tracepoint `sched_process_exec(task, old_pid, bprm)`: runs once for every successful exec, when credentials
//! and memory are final. Only here is everything about the new program true and still there.
//!
//! The programs are of the typed kind: the verifier knows what the arguments point to, so the few reads that judge a file
//! are plain loads. Nearly every exec costs no more than that.

use aya_ebpf::{
    EbpfContext,
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use aya_log_ebpf::debug;
use detector_common::{
    counters::Counter,
    record::{RecordKind, exec::known},
};

use crate::{
    capture::{self, executable::Executable},
    emit::{self, emit},
    filter,
    kernel_read::{Address, follow, typed},
    maps::{Slot, count, scratch},
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

#[btf_tracepoint(function = "sched_process_exec")]
fn detector_exec(ctx: BtfTracePointContext) -> i32 {
    undisturbed(|| typed_exec(&ctx, Copy::First));
    0
}

#[btf_tracepoint(function = "sched_process_exec")]
fn detector_exec2(ctx: BtfTracePointContext) -> i32 {
    undisturbed(|| typed_exec(&ctx, Copy::Second));
    0
}

/// For kernels that do not describe the tracepoint's arguments.
#[raw_tracepoint(tracepoint = "sched_process_exec")]
fn detector_exec_raw(ctx: RawTracePointContext) -> i32 {
    let bprm: Address = ctx.arg(2);
    match follow(bprm, offset!(bprm_file)).and_then(Executable::judge) {
        Ok(exe) => judged::<_, false>(&ctx, ctx.arg(0), ctx.arg(1), bprm, exe, Copy::First),
        Err(_) => count(Counter::Unreadable),
    }
    0
}

#[inline(always)]
fn typed_exec(ctx: &BtfTracePointContext, copy: Copy) {
    let bprm: Address = ctx.arg(2);
    match Executable::judge_typed(typed(bprm, offset!(bprm_file))) {
        Ok(exe) => judged::<_, true>(ctx, ctx.arg(0), ctx.arg(1), bprm, exe, copy),
        Err(_) => count(Counter::Unreadable),
    }
}

/// The rest of the way, which few execs go.
#[inline(always)]
fn judged<C: EbpfContext, const TYPED: bool>(
    ctx: &C,
    task: Address,
    old_tid: i32,
    bprm: Address,
    exe: Executable,
    copy: Copy,
) {
    let facts = exe.predicates();
    if !filter::wants::<TYPED>(&exe, facts, task, bprm) {
        return;
    }
    match copy {
        Copy::First if second_attached() => mark::leave(task),
        Copy::First => {}
        Copy::Second if mark::is_there(task) => return,
        Copy::Second => count(Counter::SecondLook),
    }
    debug!(ctx, "exec of a wanted file, predicates {}", facts);

    let Some(scratch) = scratch(Slot::Exec as u64) else {
        count(Counter::NoScratch);
        return;
    };
    scratch.record.header = emit::header(RecordKind::Exec);
    scratch.work.slot = Slot::Exec as u64;
    scratch.work.exe = exe;
    scratch.record.known = match copy {
        Copy::First => 0,
        Copy::Second => known::SECOND_LOOK,
    };
    // Through memory: from here on they are mere numbers to the verifier, whatever program this is.
    let (task, bprm) =
        (plain_number(&mut scratch.work.current, task), plain_number(&mut scratch.work.top, bprm));
    capture::exec(scratch, task, old_tid as u32, bprm);
    emit(scratch);
}

/// Takes the type away that the verifier knows of a pointer.
#[inline(always)]
fn plain_number(place: &mut Address, pointer: Address) -> Address {
    let place: *mut Address = place;
    // SAFETY: the place is valid; volatile, or the compiler would keep the pointer in its register.
    unsafe {
        core::ptr::write_volatile(place, pointer);
        core::ptr::read_volatile(place)
    }
}

//! `security_mmap_file`: every file that is mapped, also by the dynamic loader and by `execve` itself. Only what is mapped
//! executable is looked at, and of that only what some rule wants: a library or a program that the image does not have.
//! Attached only where a rule asks for it.

use aya_ebpf::{
    EbpfContext,
    helpers::bpf_get_current_task,
    macros::{fentry, lsm},
    programs::{FEntryContext, LsmContext},
};
use aya_log_ebpf::debug;
use detector_common::{
    counters::Counter,
    record::{RecordKind, exec::known},
};

use crate::{
    capture::{self, executable::Executable},
    emit, filter,
    kernel_read::{Address, copy, pointer, read},
    maps::{self, MappedName, Slot, count},
    preemption::undisturbed,
    settings::offset,
};

/// `PROT_EXEC`
const EXECUTABLE: u64 = 4;

/// `security_mmap_file(file, prot, flags)`
#[fentry(function = "security_mmap_file")]
fn detector_map(ctx: FEntryContext) -> i32 {
    let file: Address = ctx.arg(0);
    mapping(&ctx, file, ctx.arg(1));
    0
}

/// `mmap_file(file, reqprot, prot, flags)`
#[lsm(hook = "mmap_file")]
fn detector_map_lsm(ctx: LsmContext) -> i32 {
    let file: Address = ctx.arg(0);
    mapping(&ctx, file, ctx.arg(2));
    0
}

#[inline(always)]
fn mapping<C: EbpfContext>(ctx: &C, file: Address, protection: u64) {
    // Without a file it is memory.
    if protection & EXECUTABLE == 0 || file.is_null() {
        return;
    }
    let Ok(mapped) = Executable::judge_typed(file) else {
        count(Counter::Unreadable);
        return;
    };
    // SAFETY: a helper without arguments.
    let task = unsafe { bpf_get_current_task() } as Address;
    if filter::wants_mapping(&mapped, task) {
        undisturbed(|| wanted(ctx, task, mapped));
    }
}

/// The rest of the way, which few mappings go.
#[inline(always)]
fn wanted<C: EbpfContext>(ctx: &C, task: Address, mapped: Executable) {
    let Some(scratch) = maps::scratch(Slot::Beside as u64) else {
        count(Counter::NoScratch);
        return;
    };
    // A task that was interrupted here, on a kernel that knows no `undisturbed`.
    if scratch.work.busy != 0 {
        count(Counter::NoScratch);
        return;
    }
    scratch.work.busy = 1;
    scratch.work.slot = Slot::Beside as u64;
    // Through memory, so that all ways look the same to the verifier.
    scratch.work.mapped = mapped;
    let exe_file = pointer(pointer(task, offset!(task_mm)), offset!(mm_exe_file));
    if let Ok(exe) = Executable::judge(exe_file) {
        // What is executed is mapped as well, and has its own record.
        if exe.inode != scratch.work.mapped.inode {
            scratch.work.exe = exe;
            if is_new(task, scratch.work.mapped) {
                debug!(ctx, "a wanted file is mapped executable");
                scratch.record.header = emit::header(RecordKind::ExecMap);
                scratch.record.known = known::NOTHING;
                capture::mapping(scratch, task);
                emit::emit(scratch);
            }
        }
    } else {
        count(Counter::Unreadable);
    }
    scratch.work.busy = 0;
}

/// Whether this process has not mapped this file before; could-not-tell counts as yes.
#[inline(always)]
fn is_new(task: Address, mapped: Executable) -> bool {
    let mut name = MappedName::NONE;
    copy(&mut name.start, task, offset!(task_start_boottime));
    copy(&mut name.ino, mapped.inode, offset!(inode_ino));
    copy(&mut name.dev, mapped.sb, offset!(sb_dev));
    copy(&mut name.process, task, offset!(task_tgid));
    let exec_id: u32 = read(task, offset!(task_self_exec_id)).unwrap_or(0);
    name.exec = exec_id;
    maps::first_mapping(&name)
}

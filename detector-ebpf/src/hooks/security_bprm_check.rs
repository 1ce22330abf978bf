//! `security_bprm_check`: runs for each file of a chain of interpreters, the script first. At `sched_process_exec` only the
//! interpreter is left, so what the script's inode says is put aside here and found there by the exec's `linux_binprm`.
//! Attached only where a rule asks for scripts.
//!
//! An exec that fails leaves what was put aside, and the next one may have its `linux_binprm` at the same address. So each
//! exec begins with replacing that, or with taking it away: else a handler of binfmt_misc, which stands in for its file as an
//! interpreter does for a script, would pass for the script before it.

use aya_ebpf::{
    helpers::bpf_get_current_task,
    macros::{fentry, lsm},
    programs::{FEntryContext, LsmContext},
};
use detector_common::{counters::Counter, kernel_offsets::ABSENT};

use crate::{
    capture::{executable::Executable, subject},
    kernel_read::{Address, typed},
    maps::{self, Slot, count},
    preemption::undisturbed,
    settings::offset,
};

/// `#!`
const SHEBANG: u16 = u16::from_le_bytes(*b"#!");

#[fentry(function = "security_bprm_check")]
fn detector_script(ctx: FEntryContext) -> i32 {
    script(ctx.arg(0));
    0
}

#[lsm(hook = "bprm_check_security")]
fn detector_script_lsm(ctx: LsmContext) -> i32 {
    script(ctx.arg(0));
    0
}

#[inline(always)]
fn script(bprm: Address) {
    let (filename, interp, start) = (offset!(bprm_filename), offset!(bprm_interp), offset!(bprm_buf));
    if filename == ABSENT || interp == ABSENT || start == ABSENT {
        return;
    }
    // The interpreter's turn, which may be a script as well: the first one is what was executed.
    if typed::<u64>(bprm, filename) != typed::<u64>(bprm, interp) {
        return;
    }
    if typed::<u16>(bprm, start) != SHEBANG {
        maps::forget_script(&(bprm as u64));
        return;
    }
    let Ok(file) = Executable::judge_typed(typed(bprm, offset!(bprm_file))) else {
        maps::forget_script(&(bprm as u64));
        count(Counter::Unreadable);
        return;
    };
    // SAFETY: a helper without arguments.
    let task = unsafe { bpf_get_current_task() } as Address;
    undisturbed(|| remember(bprm as u64, task, file));
}

#[inline(always)]
fn remember(bprm: u64, task: Address, file: Executable) {
    // Without an entry the script is looked up by its name.
    let Some(scratch) = maps::scratch(Slot::Beside as u64) else {
        maps::forget_script(&bprm);
        return;
    };
    if scratch.work.busy != 0 {
        maps::forget_script(&bprm);
        return;
    }
    scratch.work.busy = 1;
    scratch.work.key = bprm;
    scratch.work.mapped = file;
    subject::judge(scratch, task);
    maps::remember_script(&scratch.work.key, &scratch.work.subject);
    scratch.work.busy = 0;
}

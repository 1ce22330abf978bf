//! What the first copy of the program leaves for the second: "this exec is done". Both run for the same exec one after
//! the other, but not surely on the same CPU, so the marks belong to nobody: a slot by the process id, filled with the
//! name of the exec. A mark that another exec overwrites meanwhile costs a record that comes twice, never one that is
//! missing; user space drops the second.

use detector_common::limits::MARKS;

use crate::{
    kernel_read::{Address, Fault, read},
    maps,
    settings::offset,
};

/// The name of an exec: no two execs share it.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct ExecName {
    /// Start of the task.
    start: u64,
    /// How often it has executed, and its id.
    exec: u64,
}

impl ExecName {
    /// Of the exec that this task is just doing.
    #[inline(always)]
    fn of(task: Address) -> Result<(Self, u32), Fault> {
        let pid: u32 = read(task, offset!(task_pid))?;
        let start: u64 = read(task, offset!(task_start_boottime))?;
        let count: u32 = read(task, offset!(task_self_exec_id))?;
        Ok((Self { start, exec: (count as u64) << 32 | pid as u64 }, pid % MARKS))
    }
}

/// Leaves the mark.
#[inline(always)]
pub(crate) fn leave(task: Address) {
    if let Ok((name, slot)) = ExecName::of(task)
        && let Some(mark) = maps::mark(slot)
    {
        // SAFETY: the slot is memory of the map; tasks on other CPUs may write it at the same time, which at worst
        // leaves a name that no exec has.
        unsafe { core::ptr::write_volatile(mark, name) };
    }
}

/// Whether there is a mark. "Cannot tell" is no.
#[inline(always)]
pub(crate) fn is_there(task: Address) -> bool {
    let Ok((name, slot)) = ExecName::of(task) else { return false };
    // SAFETY: as in `leave`.
    maps::mark(slot).is_some_and(|mark| unsafe { core::ptr::read_volatile(mark) } == name)
}

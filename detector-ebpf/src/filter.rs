//! Decides in the kernel whether any loaded rule can want this exec. What the file alone tells comes first, because it
//! rejects nearly every exec; then the task is looked at where that makes a difference, and last what costs most.

use detector_common::settings::predicate;

use crate::{
    capture::{executable::Executable, invocation, mount_root, task},
    kernel_read::Address,
    settings::Wanted,
};

/// Predicates that differ in these bits alone share a word of the filter.
const IN_WORD: u32 = 63;
/// The four answers for one kind of file: a bit for each combination of what the task can add.
const ANY_TASK: u64 = 1 | IN_CONTAINER | WITH_TTY | IN_CONTAINER << predicate::TTY;
const IN_CONTAINER: u64 = 1 << predicate::CONTAINER_LIKE;
const WITH_TTY: u64 = 1 << predicate::TTY;

/// Whether an exec of a file with these predicates is wanted. `TYPED`: the verifier knows what `bprm` points to.
#[inline(always)]
pub(crate) fn wants<const TYPED: bool>(exe: &Executable, file: u32, task: Address, bprm: Address) -> bool {
    let filter = Wanted::execs();
    if !of_task(filter.possible(file & predicate::TMPFS != 0) >> (file & IN_WORD), task) {
        return false;
    }
    let on_demand = filter.on_demand();
    if on_demand == 0 {
        return true;
    }
    let all = file
        | invocation::predicates::<TYPED>(exe, bprm, on_demand)
        | mount_root::predicates(exe, task, on_demand);
    of_task(filter.word(all / (IN_WORD + 1)) >> (all & IN_WORD), task)
}

/// Whether it is wanted that this task maps this file.
#[inline(always)]
pub(crate) fn wants_mapping(mapped: &Executable, task: Address) -> bool {
    let filter = Wanted::mappings();
    let file = mapped.predicates();
    if !of_task(filter.possible(file & predicate::TMPFS != 0) >> (file & IN_WORD), task) {
        return false;
    }
    let on_demand = filter.on_demand();
    if on_demand == 0 {
        return true;
    }
    let all = file | mount_root::predicates(mapped, task, on_demand);
    of_task(filter.word(all / (IN_WORD + 1)) >> (all & IN_WORD), task)
}

/// The answer for this task.
#[inline(always)]
fn of_task(answers: u64, task: Address) -> bool {
    let answers = answers & ANY_TASK;
    if answers == 0 {
        return false;
    }
    if answers == ANY_TASK {
        return true;
    }
    let mut facts = 0;
    if (answers ^ answers >> predicate::CONTAINER_LIKE) & (1 | WITH_TTY) != 0 {
        facts |= task::container_like(task);
    }
    if (answers ^ answers >> predicate::TTY) & (1 | IN_CONTAINER) != 0 {
        facts |= task::with_tty(task);
    }
    answers >> facts & 1 != 0
}

//! Decides in the kernel whether any loaded rule can want this exec. What the file alone tells comes first, because it
//! rejects nearly every exec; the task is looked at only when that makes a difference.

use detector_common::settings::predicate;

use crate::{capture::task, kernel_read::Address, settings::setting};

/// The four answers for one kind of file: a bit for each combination of what the task can add.
const ANY_TASK: u64 = 1 | IN_CONTAINER | WITH_TTY | IN_CONTAINER << predicate::TTY;
const IN_CONTAINER: u64 = 1 << predicate::CONTAINER_LIKE;
const WITH_TTY: u64 = 1 << predicate::TTY;

/// Whether an exec of a file with these predicates is wanted.
#[inline(always)]
pub(crate) fn wants(file: u32, task: Address) -> bool {
    let answers = setting!(wanted) >> file & ANY_TASK;
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

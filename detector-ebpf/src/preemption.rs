//! Keeps other tasks off this CPU while a program runs. On kernels that can preempt programs on tracepoints an exec
//! that comes in between is kept from the program that it interrupted; see ARCHITECTURE.md.

use detector_common::kernel_functions::{PREEMPT_DISABLE, PREEMPT_ENABLE};

/// Runs `work` undisturbed. User space replaces both calls before load: by the kernel's functions where programs can be
/// preempted, by nothing elsewhere.
#[inline(always)]
pub(crate) fn undisturbed<R>(work: impl FnOnce() -> R) -> R {
    call::<PREEMPT_DISABLE>();
    let result = work();
    call::<PREEMPT_ENABLE>();
    result
}

#[inline(always)]
fn call<const NUMBER: u32>() {
    // SAFETY: a constant address is the number of a helper for this target, and becomes one call instruction, which user
    // space replaces; the function takes nothing and returns nothing.
    let function: extern "C" fn() = unsafe { core::mem::transmute(NUMBER as usize) };
    function();
}

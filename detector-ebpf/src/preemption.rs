//! Keeps other tasks off this CPU while a program runs. On kernels that can preempt programs on tracepoints an exec
//! that comes in between is kept from the program that it interrupted; see ARCHITECTURE.md.

use core::mem::{MaybeUninit, transmute};

use detector_common::kernel_functions::{IRQ_RESTORE, IRQ_SAVE, PREEMPT_DISABLE, PREEMPT_ENABLE};

/// Runs `work` undisturbed. User space replaces the calls before load: by the kernel's functions where programs can be
/// preempted, by nothing elsewhere.
///
/// Whoever had to wait meanwhile (the agent, which our own record has just woken, or the next in turn after a tick) would
/// come in the moment that preemption is allowed again, which is before the program has ended. While interrupts are off
/// nobody does: so preemption is allowed within two instructions without them, and the waiting task gets the CPU at the
/// next occasion, which comes behind the program.
#[inline(always)]
pub(crate) fn undisturbed<R>(work: impl FnOnce() -> R) -> R {
    call::<PREEMPT_DISABLE>();
    let result = work();
    let mut interrupts = MaybeUninit::uninit();
    call_with::<IRQ_SAVE>(&mut interrupts);
    call::<PREEMPT_ENABLE>();
    call_with::<IRQ_RESTORE>(&mut interrupts);
    result
}

#[inline(always)]
fn call<const NUMBER: u32>() {
    // SAFETY: a constant address is the number of a helper for this target, and becomes one call instruction, which user
    // space replaces; the function takes nothing and returns nothing.
    let function: extern "C" fn() = unsafe { transmute(NUMBER as usize) };
    function();
}

/// The same for functions that keep something in eight bytes of the stack, which nobody else looks at.
#[inline(always)]
fn call_with<const NUMBER: u32>(place: &mut MaybeUninit<u64>) {
    // SAFETY: as in `call`; the function takes the address of such a place.
    let function: extern "C" fn(*mut u64) = unsafe { transmute(NUMBER as usize) };
    function(place.as_mut_ptr());
}

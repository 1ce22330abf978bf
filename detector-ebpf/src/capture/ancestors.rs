//! The chain of ancestors, race-free: in user space the parent may be gone and its pid may be somebody else's.

use core::mem::size_of;

use detector_common::{
    limits::{ANCESTORS, TAIL_BYTES},
    record::exec::{Ancestor, SectionKind, section_status},
};

use crate::{
    capture::task::{innermost_id, outermost_id},
    kernel_read::{Address, Fault, clear, copy, follow, read},
    maps::{Scratch, Work, scratch},
    settings::offset,
    tail,
};

const _: () = assert!(ANCESTORS * size_of::<Ancestor>() <= TAIL_BYTES);

/// What [`climb_to_ancestor`] answers.
const CAPTURED: u64 = 0;
const ABOVE_THE_FIRST: u64 = 1;
const UNREADABLE: u64 = 2;

/// Writes the ancestors to the start of the tail, parent first, up to the first process of the host.
#[inline(always)]
pub(crate) fn capture(scratch: &mut Scratch, task: Address) {
    tail::open(scratch, SectionKind::Ancestors);
    scratch.work.current = task;
    for leader in &mut scratch.work.leaders {
        clear(leader);
    }
    let mut index = 0;
    while index < ANCESTORS as u64 {
        match climb_to_ancestor(scratch.work.slot, index) {
            CAPTURED => tail::advance(scratch, size_of::<Ancestor>() as u32),
            ABOVE_THE_FIRST => {
                tail::close(scratch, SectionKind::Ancestors, section_status::COMPLETE);
                return;
            }
            _ => {
                tail::fail(scratch, SectionKind::Ancestors, Fault::Read);
                return;
            }
        }
        index += 1;
    }
    // Full is not cut: only a further process above makes it so.
    let status = match is_first(scratch.work.current) {
        Ok(true) => section_status::COMPLETE,
        Ok(false) | Err(_) => section_status::TRUNCATED,
    };
    tail::close(scratch, SectionKind::Ancestors, status);
}

/// Whether nothing is above this process but the idle task.
#[inline(always)]
fn is_first(task: Address) -> Result<bool, Fault> {
    let leader = follow(follow(task, offset!(task_real_parent))?, offset!(task_group_leader))?;
    Ok(read::<u32>(leader, offset!(task_tgid))? == 0)
}

/// Fills the slot of that number with the process above `work.current`, which that process then is. A function of its
/// own, so that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn climb_to_ancestor(slot: u64, index: u64) -> u64 {
    let Some(scratch) = scratch(slot) else { return UNREADABLE };
    let index = index as usize;
    if index >= ANCESTORS {
        return UNREADABLE;
    }
    let slots: *mut Ancestor = scratch.tail.as_mut_ptr().cast();
    // SAFETY: index is below ANCESTORS, and ANCESTORS entries fit into the tail (asserted above), which lies behind a
    // record of a multiple of 8 bytes, so that they are aligned. All bit patterns are valid.
    let slot = unsafe { &mut *slots.add(index) };
    match ancestor(slot, &mut scratch.work, index) {
        Ok(true) => CAPTURED,
        Ok(false) => ABOVE_THE_FIRST,
        Err(_) => UNREADABLE,
    }
}

/// False above the first process.
#[inline(always)]
fn ancestor(slot: &mut Ancestor, work: &mut Work, index: usize) -> Result<bool, Fault> {
    let parent = follow(work.current, offset!(task_real_parent))?;
    let leader = follow(parent, offset!(task_group_leader))?;
    let from = offset!(task_mm);
    work.task.fill(leader, from)?;
    let facts = &work.task;
    slot.pid = 0;
    facts.copy(&mut slot.pid, from, offset!(task_tgid));
    if slot.pid == 0 {
        return Ok(false);
    }
    slot.tid = slot.pid;
    if parent != leader {
        copy(&mut slot.tid, parent, offset!(task_pid));
    }
    facts.copy(&mut slot.start_boot_ns, from, offset!(task_start_boottime));
    facts.copy(&mut slot.comm, from, offset!(task_comm));
    slot.vpid = 0;
    slot.sid = 0;
    slot.pgid = 0;
    slot.euid = u32::MAX;
    let cred = facts.address(from, offset!(task_cred));
    if !cred.is_null() {
        copy(&mut slot.euid, cred, offset!(cred_euid));
    }
    let pid = facts.address(from, offset!(task_thread_pid));
    if !pid.is_null() {
        innermost_id(&mut slot.vpid, pid);
    }
    let signal = facts.address(from, offset!(task_signal));
    if !signal.is_null() {
        outermost_id(&mut slot.sid, signal, offset!(signal_session));
        outermost_id(&mut slot.pgid, signal, offset!(signal_pgrp));
    }
    if let Some(kept) = work.leaders.get_mut(index) {
        kept.mm = facts.address(from, offset!(task_mm));
        kept.fs = facts.address(from, offset!(task_fs));
    }
    work.current = leader;
    Ok(true)
}

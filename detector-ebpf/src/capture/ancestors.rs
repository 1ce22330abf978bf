//! The chain of ancestors, race-free: in user space the parent may be gone and its pid may be somebody else's.

use core::mem::size_of;

use detector_common::{
    limits::{ANCESTOR_EXES, ANCESTORS, TAIL_BYTES},
    record::exec::{Ancestor, SectionKind, section_status},
};

use crate::{
    capture::task::{Ids, outermost_id},
    kernel_read::{Address, Fault, copy, follow, read},
    maps::Scratch,
    settings::offset,
    tail,
};

const _: () = assert!(ANCESTORS * size_of::<Ancestor>() <= TAIL_BYTES);

/// Writes the ancestors to the start of the tail, parent first, up to the first process of the host.
#[inline(always)]
pub(crate) fn capture(scratch: &mut Scratch, task: Address) {
    tail::open(scratch, SectionKind::Ancestors);
    scratch.work.current = task;
    scratch.work.leaders = [core::ptr::null(); ANCESTOR_EXES];
    let slots: *mut Ancestor = scratch.tail.as_mut_ptr().cast();
    let mut index = 0;
    while index < ANCESTORS {
        // SAFETY: index is below ANCESTORS, and ANCESTORS entries fit into the tail (asserted above), which lies
        // behind a record of a multiple of 8 bytes, so that they are aligned. All bit patterns are valid.
        let slot = unsafe { &mut *slots.add(index) };
        match ancestor(slot, scratch.work.current) {
            Ok(leader) if leader.is_null() => {
                tail::close(scratch, SectionKind::Ancestors, section_status::COMPLETE);
                return;
            }
            Ok(leader) => {
                scratch.work.current = leader;
                if let Some(kept) = scratch.work.leaders.get_mut(index) {
                    *kept = leader;
                }
                tail::advance(scratch, size_of::<Ancestor>() as u32);
            }
            Err(fault) => {
                tail::fail(scratch, SectionKind::Ancestors, fault);
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

/// Fills the slot with the process above `task`; the answer is its thread group leader, null above the first
/// process.
#[inline(always)]
fn ancestor(slot: &mut Ancestor, task: Address) -> Result<Address, Fault> {
    let parent = follow(task, offset!(task_real_parent))?;
    let leader = follow(parent, offset!(task_group_leader))?;
    if read::<u32>(leader, offset!(task_tgid))? == 0 {
        return Ok(core::ptr::null());
    }
    copy(&mut slot.pid, leader, offset!(task_tgid));
    copy(&mut slot.tid, parent, offset!(task_pid));
    copy(&mut slot.start_boot_ns, leader, offset!(task_start_boottime));
    copy(&mut slot.comm, leader, offset!(task_comm));
    slot.vpid = 0;
    slot.sid = 0;
    slot.pgid = 0;
    slot.euid = u32::MAX;
    if let Ok(cred) = follow(leader, offset!(task_cred)) {
        copy(&mut slot.euid, cred, offset!(cred_euid));
    }
    if let Ok(ids) = Ids::of(leader) {
        copy(&mut slot.vpid, ids.upid, offset!(upid_nr));
    }
    if let Ok(signal) = follow(leader, offset!(task_signal)) {
        outermost_id(&mut slot.sid, signal, offset!(signal_session));
        outermost_id(&mut slot.pgid, signal, offset!(signal_pgrp));
    }
    Ok(leader)
}

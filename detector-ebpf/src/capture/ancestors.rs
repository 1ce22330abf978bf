//! The chain of ancestors, race-free: in user space the parent may be gone and its pid may be somebody else's.

use core::mem::size_of;

use detector_common::{
    limits::{ANCESTORS, TAIL_BYTES},
    record::exec::{Ancestor, section_status},
};

use crate::{
    capture::task::{Ids, session_and_group},
    kernel_read::{Address, Fault, follow, read},
    settings::offset,
};

/// How much of the tail the ancestors took.
pub(crate) struct Captured {
    pub(crate) bytes: u32,
    pub(crate) status: u16,
}

/// Writes the ancestors to the start of the tail, parent first, up to the first process of the host.
#[inline(always)]
pub(crate) fn capture(tail: &mut [u8; TAIL_BYTES], task: Address) -> Captured {
    let slots: *mut Ancestor = tail.as_mut_ptr().cast();
    let mut current = task;
    let mut index = 0;
    let mut status = section_status::TRUNCATED;
    while index < ANCESTORS {
        match ancestor(current) {
            Ok(Some((ancestor, leader))) => {
                // SAFETY: index is below ANCESTORS, and ANCESTORS entries fit into the tail (asserted below); the
                // tail may be unaligned for Ancestor.
                unsafe { slots.add(index).write_unaligned(ancestor) };
                current = leader;
            }
            Ok(None) => {
                status = section_status::COMPLETE;
                break;
            }
            Err(_) => {
                status = section_status::FAILED;
                break;
            }
        }
        index += 1;
    }
    Captured { bytes: (index * size_of::<Ancestor>()) as u32, status }
}

const _: () = assert!(ANCESTORS * size_of::<Ancestor>() <= TAIL_BYTES);

/// The process above `task`, and its thread group leader; `None` above the first process.
#[inline(always)]
fn ancestor(task: Address) -> Result<Option<(Ancestor, Address)>, Fault> {
    let parent = follow(task, offset!(task_real_parent))?;
    let leader = follow(parent, offset!(task_group_leader))?;
    let pid: u32 = read(leader, offset!(task_tgid))?;
    if pid == 0 {
        return Ok(None);
    }
    let (session, group) = session_and_group(leader);
    let euid =
        follow(leader, offset!(task_cred)).and_then(|cred| read(cred, offset!(cred_euid))).unwrap_or(u32::MAX);
    let ancestor = Ancestor {
        start_boot_ns: read(leader, offset!(task_start_boottime))?,
        pid,
        tid: read(parent, offset!(task_pid))?,
        vpid: Ids::of(leader).map_or(0, |ids| ids.innermost),
        sid: session.unwrap_or(0),
        pgid: group.unwrap_or(0),
        euid,
        comm: read(leader, offset!(task_comm))?,
    };
    Ok(Some((ancestor, leader)))
}

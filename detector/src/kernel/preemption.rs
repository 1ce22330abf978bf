//! Whether this kernel can take the CPU from a program on a tracepoint. Up to 6.18 tracepoints run with preemption off;
//! newer kernels only keep the task on its CPU, and then another exec can come in between, which the kernel hides from
//! a program that is already running there.
//!
//! No version is compared: a small program on a tracepoint that we fire ourselves looks at how it is being run.

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
};

use detector_common::kernel_offsets::{ABSENT, KernelOffsets};

use super::{
    bpf_call::{self, ProgramKind, load, lookup_u64, make_map},
    instruction::{
        ADD_IMMEDIATE, ADD_REGISTER, CALL, EXIT, FRAME, FROM_MAP_VALUE, GET_CURRENT_TASK, Instruction,
        LOAD_64, LOAD_HALF_FROM, MOV_IMMEDIATE, MOV_REGISTER, PROBE_READ_KERNEL, STORE_64_REGISTER,
        instruction,
    },
};

const MAP_ARRAY: u32 = 2;
/// Fired by a thread that sets its own name.
const TRACEPOINT: &std::ffi::CStr = c"task_rename";

/// How programs on tracepoints run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TracepointPrograms {
    /// From start to end.
    Undisturbed,
    /// Another task can come in between on the same CPU.
    Preemptible,
    /// Could not be told.
    Unknown,
}

/// Finds out.
pub(super) fn look(offsets: &KernelOffsets) -> TracepointPrograms {
    // The member came with the kind of running that is looked for; where it is missing there is no such kind.
    if offsets.task_migration_disabled == ABSENT {
        return TracepointPrograms::Undisturbed;
    }
    match seen(offsets.task_migration_disabled) {
        Ok(0) | Err(_) => TracepointPrograms::Unknown,
        Ok(1) => TracepointPrograms::Undisturbed,
        Ok(_) => TracepointPrograms::Preemptible,
    }
}

/// `migration_disabled` of the task in the program, and 1; 0 when the program did not run.
fn seen(offset: u32) -> io::Result<u64> {
    let map = make_map(MAP_ARRAY, 4, 8, 1)?;
    let offset = i32::try_from(offset).map_err(io::Error::other)?;
    let program = load(ProgramKind::RawTracepoint, &store_plus_one(&map, offset))?;
    let attached = bpf_call::open_raw_tracepoint(&program, Some(TRACEPOINT))?;
    rename_to_the_same();
    drop(attached);
    lookup_u64(&map, 0)
}

/// Puts the two bytes at `offset` of the current task, and 1, into the first element of an array of `u64`.
fn store_plus_one(map: &OwnedFd, offset: i32) -> Vec<Instruction> {
    vec![
        instruction(CALL, 0, 0, 0, GET_CURRENT_TASK),
        instruction(MOV_REGISTER, 3, 0, 0, 0),
        instruction(MOV_IMMEDIATE, 1, 0, 0, offset),
        instruction(ADD_REGISTER, 3, 1, 0, 0),
        instruction(MOV_REGISTER, 1, FRAME, 0, 0),
        instruction(ADD_IMMEDIATE, 1, 0, 0, -8),
        instruction(MOV_IMMEDIATE, 2, 0, 0, 2),
        instruction(CALL, 0, 0, 0, PROBE_READ_KERNEL),
        instruction(LOAD_HALF_FROM, 1, FRAME, -8, 0),
        instruction(ADD_IMMEDIATE, 1, 0, 0, 1),
        instruction(LOAD_64, 2, FROM_MAP_VALUE, 0, map.as_raw_fd()),
        0,
        instruction(STORE_64_REGISTER, 2, 1, 0, 0),
        instruction(MOV_IMMEDIATE, 0, 0, 0, 0),
        instruction(EXIT, 0, 0, 0, 0),
    ]
}

/// Gives the calling thread the name that it has.
fn rename_to_the_same() {
    let mut name = [0_u8; 16];
    // SAFETY: PR_GET_NAME writes at most 16 bytes, PR_SET_NAME reads at most 16; both live here.
    unsafe {
        if libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) == 0 {
            libc::prctl(libc::PR_SET_NAME, name.as_ptr());
        }
    }
}

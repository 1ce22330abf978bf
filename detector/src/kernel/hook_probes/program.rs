//! The programs of the probes, instruction by instruction: they must load on every kernel, and the object of the
//! agent needs offsets first.

use std::os::fd::{AsRawFd as _, OwnedFd};

use crate::kernel::instruction::{
    ADD_IMMEDIATE, ATOMIC_ADD_64, CALL, EXIT, FRAME, FROM_MAP_DESCRIPTOR, Instruction, JUMP_IF_EQUAL,
    LOAD_64, MAP_LOOKUP_ELEM, MOV_IMMEDIATE, MOV_REGISTER, STORE_WORD, instruction,
};

/// `return 0`
pub(super) fn return_zero() -> Vec<Instruction> {
    vec![instruction(MOV_IMMEDIATE, 0, 0, 0, 0), instruction(EXIT, 0, 0, 0, 0)]
}

/// Adds one to the first element of an array of `u64`, and returns 0, which for an LSM program means: allowed.
pub(super) fn count_into(map: &OwnedFd) -> Vec<Instruction> {
    let mut program = vec![
        instruction(STORE_WORD, FRAME, 0, -4, 0),
        instruction(MOV_REGISTER, 2, FRAME, 0, 0),
        instruction(ADD_IMMEDIATE, 2, 0, 0, -4),
        instruction(LOAD_64, 1, FROM_MAP_DESCRIPTOR, 0, map.as_raw_fd()),
        0,
        instruction(CALL, 0, 0, 0, MAP_LOOKUP_ELEM),
        instruction(JUMP_IF_EQUAL, 0, 0, 2, 0),
        instruction(MOV_IMMEDIATE, 1, 0, 0, 1),
        instruction(ATOMIC_ADD_64, 0, 1, 0, 0),
    ];
    program.extend(return_zero());
    program
}

//! The programs of the probes, instruction by instruction: they must load on every kernel, and the object of the
//! agent needs offsets first.
//!
//! Layout source: `include/uapi/linux/bpf.h`, `struct bpf_insn`.

use std::os::fd::{AsRawFd as _, OwnedFd};

/// One instruction, eight bytes: code, registers, offset, immediate.
pub(super) type Instruction = u64;

const MOV_IMMEDIATE: u8 = 0xb7;
const MOV_REGISTER: u8 = 0xbf;
const ADD_IMMEDIATE: u8 = 0x07;
const LOAD_64: u8 = 0x18;
const STORE_WORD: u8 = 0x62;
const ATOMIC_ADD_64: u8 = 0xdb;
const JUMP_IF_EQUAL: u8 = 0x15;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
/// Marks the immediate of [`LOAD_64`] as the descriptor of a map.
const FROM_MAP_DESCRIPTOR: u8 = 1;
const MAP_LOOKUP_ELEM: i32 = 1;
const FRAME: u8 = 10;

fn instruction(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Instruction {
    let [o0, o1] = offset.to_ne_bytes();
    let [i0, i1, i2, i3] = immediate.to_ne_bytes();
    // Registers share a byte; which half comes first follows the byte order.
    let registers = if cfg!(target_endian = "little") { from << 4 | to } else { to << 4 | from };
    u64::from_ne_bytes([code, registers, o0, o1, i0, i1, i2, i3])
}

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

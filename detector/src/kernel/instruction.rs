//! Instructions of eBPF, for the few programs and calls that are written by hand.
//!
//! Layout source: `include/uapi/linux/bpf.h`, `struct bpf_insn`.

/// One instruction, eight bytes: code, registers, offset, immediate.
pub(super) type Instruction = u64;

pub(super) const MOV_IMMEDIATE: u8 = 0xb7;
pub(super) const MOV_REGISTER: u8 = 0xbf;
pub(super) const ADD_IMMEDIATE: u8 = 0x07;
pub(super) const ADD_REGISTER: u8 = 0x0f;
pub(super) const LOAD_64: u8 = 0x18;
pub(super) const LOAD_HALF_FROM: u8 = 0x69;
pub(super) const STORE_WORD: u8 = 0x62;
pub(super) const STORE_64_REGISTER: u8 = 0x7b;
pub(super) const ATOMIC_ADD_64: u8 = 0xdb;
pub(super) const JUMP_IF_EQUAL: u8 = 0x15;
pub(super) const CALL: u8 = 0x85;
pub(super) const EXIT: u8 = 0x95;
/// Marks the immediate of [`LOAD_64`] as the descriptor of a map.
pub(super) const FROM_MAP_DESCRIPTOR: u8 = 1;
/// Marks the immediate of [`LOAD_64`] as the descriptor of a map, of whose first element the address is meant.
pub(super) const FROM_MAP_VALUE: u8 = 2;
/// Marks the immediate of [`CALL`] as the BTF id of a function of the kernel.
pub(super) const KERNEL_FUNCTION: u8 = 2;
pub(super) const MAP_LOOKUP_ELEM: i32 = 1;
pub(super) const GET_CURRENT_TASK: i32 = 35;
pub(super) const PROBE_READ_KERNEL: i32 = 113;
/// The register that points behind the stack.
pub(super) const FRAME: u8 = 10;

/// Puts one together.
pub(super) fn instruction(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Instruction {
    let [o0, o1] = offset.to_ne_bytes();
    let [i0, i1, i2, i3] = immediate.to_ne_bytes();
    // Registers share a byte; which half comes first follows the byte order.
    let registers = if cfg!(target_endian = "little") { from << 4 | to } else { to << 4 | from };
    u64::from_ne_bytes([code, registers, o0, o1, i0, i1, i2, i3])
}

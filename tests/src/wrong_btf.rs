//! BTF that lies about this kernel: what the agent makes of it is what it would make of a kernel that nobody has seen.
//!
//! Layout source: `include/uapi/linux/btf.h`.

use std::fs;

const HEADER_LENGTH: usize = 4;
const TYPES: usize = 8;
const STRINGS: usize = 16;
const STRUCT: u32 = 4;

/// The kernel's own BTF, in which every struct of this name is so many bytes larger than it is.
#[track_caller]
#[must_use]
pub fn with_larger_struct(name: &str, by: u32) -> Vec<u8> {
    let mut btf = fs::read("/sys/kernel/btf/vmlinux").expect("the kernel's BTF");
    let number = |btf: &[u8], at: usize| u32::from_le_bytes(btf[at..at + 4].try_into().expect("four bytes"));
    let body = number(&btf, HEADER_LENGTH) as usize;
    let section = |at: usize| (body + number(&btf, at) as usize, number(&btf, at + 4) as usize);
    let ((types, length), (strings, _)) = (section(TYPES), section(STRINGS));
    let mut at = types;
    let mut changed = 0;
    while at < types + length {
        let (name_at, info, size) = (number(&btf, at), number(&btf, at + 4), number(&btf, at + 8));
        let (kind, entries) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
        let called = &btf[strings + name_at as usize..];
        if kind == STRUCT && called.starts_with(name.as_bytes()) && called[name.len()] == 0 {
            btf[at + 8..at + 12].copy_from_slice(&(size + by).to_le_bytes());
            changed += 1;
        }
        at += 12 + behind(kind, entries);
    }
    assert!(changed > 0, "the kernel's BTF has no struct {name}");
    btf
}

/// Bytes that follow a type's first three words.
fn behind(kind: u32, entries: usize) -> usize {
    match kind {
        // INT, VAR, DECL_TAG
        1 | 14 | 17 => 4,
        // ARRAY
        3 => 12,
        // STRUCT, UNION, DATASEC, ENUM64
        4 | 5 | 15 | 19 => 12 * entries,
        // ENUM, FUNC_PROTO
        6 | 13 => 8 * entries,
        _ => 0,
    }
}

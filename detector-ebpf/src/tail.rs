//! The variable part of a record: sections are appended one after the other, each marked complete, truncated or
//! failed. A record that is too big is cut visibly and never dropped.

use detector_common::{
    limits::TAIL_BYTES,
    record::exec::{SECTIONS, Section, SectionKind, section_status},
};

use crate::{kernel_read::Fault, maps::Scratch};

/// The kind of that number, for functions of their own, which take numbers.
#[inline(always)]
pub(crate) fn kind(number: u64) -> Option<SectionKind> {
    if number >= SECTIONS as u64 {
        return None;
    }
    // SAFETY: the kinds are numbered from 0 to SECTIONS - 1 without a gap, and the number is one of them.
    Some(unsafe { core::mem::transmute::<usize, SectionKind>(number as usize) })
}

/// Room for `N` more bytes at the cursor, if there is.
#[inline(always)]
pub(crate) fn room<const N: usize>(scratch: &mut Scratch) -> Option<*mut u8> {
    let mut used = scratch.work.used as usize;
    // The comparison is what bounds the pointer for the verifier.
    if used > TAIL_BYTES - N {
        return None;
    }
    // SAFETY: no instruction. It holds the addition below back until after the comparison: LLVM likes to add first, and
    // then the verifier knows no bound.
    unsafe { core::arch::asm!("/* {0} */", inout(reg) used, options(nomem, nostack, preserves_flags)) };
    // SAFETY: used + N is within the tail, just checked.
    Some(unsafe { scratch.tail.as_mut_ptr().add(used) })
}

/// Takes `count` bytes that were written at the cursor.
#[inline(always)]
pub(crate) fn advance(scratch: &mut Scratch, count: u32) {
    scratch.work.used += count;
}

/// Begins a section at the cursor; until it is closed it counts as failed.
#[inline(always)]
pub(crate) fn open(scratch: &mut Scratch, kind: SectionKind) {
    let offset = scratch.work.used as u16;
    scratch.record.sections[kind as usize] =
        Section { offset, len: 0, status: section_status::FAILED, same_as: 0 };
}

/// Bytes of a section so far.
#[inline(always)]
pub(crate) fn length(scratch: &Scratch, kind: SectionKind) -> u32 {
    scratch.work.used.wrapping_sub(scratch.record.sections[kind as usize].offset as u32)
}

/// Ends a section at the cursor.
#[inline(always)]
pub(crate) fn close(scratch: &mut Scratch, kind: SectionKind, status: u16) {
    if status == section_status::TRUNCATED {
        scratch.work.truncated = 1;
    }
    let length = length(scratch, kind) as u16;
    let section = &mut scratch.record.sections[kind as usize];
    section.len = length;
    section.status = status;
}

/// Ends a section that could not be captured, or not whole.
#[inline(always)]
pub(crate) fn fail(scratch: &mut Scratch, kind: SectionKind, fault: Fault) {
    match fault {
        Fault::Absent => close(scratch, kind, section_status::ABSENT),
        Fault::Read => close(scratch, kind, section_status::FAILED),
    }
}

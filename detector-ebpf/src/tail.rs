//! The variable part of a record: sections are appended one after the other, each marked complete, truncated or
//! failed. A record that is too big is cut visibly and never dropped.

use detector_common::{
    limits::TAIL_BYTES,
    record::exec::{SECTIONS, Section, SectionKind, section_status},
};

use crate::kernel_read::Fault;

/// Cursor over the tail of the scratch record.
pub(crate) struct Tail {
    bytes: *mut u8,
    sections: *mut [Section; SECTIONS],
    used: u32,
    truncated: bool,
}

impl Tail {
    #[inline(always)]
    pub(crate) fn new(bytes: &mut [u8; TAIL_BYTES], sections: &mut [Section; SECTIONS], used: u32) -> Self {
        Self { bytes: bytes.as_mut_ptr(), sections, used, truncated: false }
    }

    /// Bytes used so far; at most [`TAIL_BYTES`].
    #[inline(always)]
    pub(crate) fn used(&self) -> u32 {
        self.used
    }

    /// Whether any section was cut.
    #[inline(always)]
    pub(crate) fn truncated(&self) -> bool {
        self.truncated
    }

    /// Room for `N` more bytes at the cursor, if there is.
    #[inline(always)]
    pub(crate) fn room<const N: usize>(&self) -> Option<*mut u8> {
        let used = self.used as usize;
        // The comparison is what bounds the pointer for the verifier.
        if used > TAIL_BYTES - N {
            return None;
        }
        // SAFETY: used + N is within the tail, just checked.
        Some(unsafe { self.bytes.add(used) })
    }

    /// Takes `count` bytes that were written at the cursor.
    #[inline(always)]
    pub(crate) fn advance(&mut self, count: u32) {
        self.used += count;
    }

    /// Sets the entry of a section that began at `start` and ends at the cursor.
    #[inline(always)]
    pub(crate) fn close(&mut self, kind: SectionKind, start: u32, status: u16) {
        if status == section_status::TRUNCATED {
            self.truncated = true;
        }
        let section =
            Section { offset: start as u16, len: (self.used - start) as u16, status, same_as: 0 };
        self.set(kind, section);
    }

    /// Marks a section as holding the same bytes as another one.
    #[inline(always)]
    pub(crate) fn same_as(&mut self, kind: SectionKind, other: SectionKind) {
        let section =
            Section { offset: 0, len: 0, status: section_status::SAME_AS, same_as: other as u16 };
        self.set(kind, section);
    }

    /// Marks a section that could not be captured.
    #[inline(always)]
    pub(crate) fn failed(&mut self, kind: SectionKind, fault: Fault) {
        let status = match fault {
            Fault::Absent => section_status::ABSENT,
            Fault::Read => section_status::FAILED,
        };
        let start = self.used;
        self.close(kind, start, status);
    }

    #[inline(always)]
    fn set(&mut self, kind: SectionKind, section: Section) {
        // SAFETY: kind is below SECTIONS by construction; the array belongs to this CPU's scratch record.
        unsafe { (*self.sections)[kind as usize] = section };
    }
}

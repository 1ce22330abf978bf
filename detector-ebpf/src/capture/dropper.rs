//! Who opened the file for writing last, as `security_file_open` remembered it by inode: renames and links make no
//! difference.

use core::mem::size_of;

use detector_common::record::exec::{SectionKind, Writer, section_status};

use crate::{
    kernel_read::{Address, copy},
    maps::{FileKey, Scratch, writer_of},
    settings::writers_seen,
    tail,
};

/// Appends the writer of the file with this inode number and device; the section stays absent where nobody was seen.
#[inline(always)]
pub(crate) fn capture(scratch: &mut Scratch, ino: u64, dev: u32) {
    if !writers_seen() {
        return;
    }
    let key = FileKey { ino, dev: dev as u64 };
    let Some(writer) = writer_of(&key) else {
        return;
    };
    let source: Address = writer.cast();
    tail::open(scratch, SectionKind::Dropper);
    let Some(destination) = tail::room::<{ size_of::<Writer>() }>(scratch) else {
        tail::close(scratch, SectionKind::Dropper, section_status::TRUNCATED);
        return;
    };
    let destination: *mut [u8; size_of::<Writer>()] = destination.cast();
    // SAFETY: room() has made sure of the bytes.
    if copy(unsafe { &mut *destination }, source, 0) {
        tail::advance(scratch, size_of::<Writer>() as u32);
        tail::close(scratch, SectionKind::Dropper, section_status::COMPLETE);
    }
}

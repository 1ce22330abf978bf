//! Who opened the file for writing last, as `security_file_open` remembered it by inode: renames and links make no
//! difference.

use core::mem::size_of;

use detector_common::{
    limits::{WRITER_CGROUP_BYTES, WRITER_HIERARCHIES},
    record::exec::{SectionKind, Writer, section_status},
};

use crate::{
    kernel_read::{Address, copy, read_str},
    maps::{FileKey, Home, Scratch, name_of, writer_of},
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
    if !copy(unsafe { &mut *destination }, source, 0) {
        return;
    }
    tail::advance(scratch, size_of::<Writer>() as u32);
    // SAFETY: a value of the map; another CPU may put another in its place, which is plain data as well.
    let (start, mnt_ns) = unsafe { ((*writer).pidns_start_boot_ns, (*writer).mnt_ns) };
    let status = names(scratch, start, mnt_ns);
    tail::close(scratch, SectionKind::Dropper, status);
}

/// Appends what the writer's container is called.
#[inline(always)]
fn names(scratch: &mut Scratch, start: u64, mnt_ns: u32) -> u16 {
    let mut hierarchy = 0;
    while hierarchy < WRITER_HIERARCHIES as u32 {
        if let Some(name) = name_of(&Home { start, mnt_ns, hierarchy }) {
            let Some(destination) = tail::room::<WRITER_CGROUP_BYTES>(scratch) else {
                return section_status::TRUNCATED;
            };
            // SAFETY: room() has made sure of the bytes.
            if let Ok(length) = unsafe { read_str::<WRITER_CGROUP_BYTES>(destination, name.cast()) } {
                tail::advance(scratch, length);
            }
        }
        hierarchy += 1;
    }
    section_status::COMPLETE
}

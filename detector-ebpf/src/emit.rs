//! Hands the finished record to the ring buffer, or counts its loss.

use core::mem::{offset_of, size_of};

use aya_ebpf::helpers::{bpf_ktime_get_boot_ns, generated::bpf_ringbuf_output};
use detector_common::{
    ABI_VERSION,
    counters::Counter,
    limits::TAIL_BYTES,
    record::{RecordHeader, RecordKind, exec::ExecRecord},
};

use crate::maps::{RECORDS, Scratch, count};

const _: () = assert!(offset_of!(Scratch, tail) == size_of::<ExecRecord>());

/// The start of a record that is made now.
#[inline(always)]
pub(crate) fn header(kind: RecordKind) -> RecordHeader {
    // SAFETY: a helper without arguments.
    RecordHeader { abi: ABI_VERSION, kind: kind as u16, size: 0, boot_ns: unsafe { bpf_ktime_get_boot_ns() } }
}

/// Sends the fixed part and the used part of the tail.
#[inline(always)]
pub(crate) fn emit(scratch: &mut Scratch) {
    let tail = scratch.work.used as usize;
    // Cannot happen; the comparison bounds the size for the verifier.
    if tail > TAIL_BYTES {
        count(Counter::NoScratch);
        return;
    }
    let size = size_of::<ExecRecord>() + tail;
    scratch.record.header.size = size as u32;
    let start: *mut Scratch = scratch;
    // SAFETY: RECORDS is a ring buffer map; the fixed part and the tail lie back to back (asserted above).
    let status = unsafe {
        bpf_ringbuf_output(core::ptr::addr_of!(RECORDS).cast_mut().cast(), start.cast(), size as u64, 0)
    };
    count(if status == 0 { Counter::Sent } else { Counter::RingFull });
}

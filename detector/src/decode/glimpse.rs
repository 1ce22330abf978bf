//! What the fixed part of a record says about the questions of the kernel's filter. A replay then leaves out what no rule
//! can match before anything is decoded, as the kernel leaves it out before anything is recorded.

use detector_common::{
    ABI_VERSION, exe_flags,
    record::{
        RecordHeader, RecordKind,
        exec::{ExecRecord, Origin, known},
    },
    settings::predicate,
};
use zerocopy::FromBytes;

/// The answers that a record gives without being decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glimpse {
    /// `CLOCK_BOOTTIME` nanoseconds of the exec.
    pub boot_ns: u64,
    /// Answers of [`predicate`].
    pub predicates: u32,
    /// Those that are known; the others can be either.
    pub decided: u32,
}

/// Looks at an exec record. `None`: only decoding can tell, for example because the record is damaged.
#[must_use]
pub fn glimpse(record: &[u8]) -> Option<Glimpse> {
    let (header, _) = RecordHeader::read_from_prefix(record).ok()?;
    if header.abi != ABI_VERSION
        || header.size as usize != record.len()
        || RecordKind::from_number(header.kind) != Some(RecordKind::Exec)
    {
        return None;
    }
    let (fixed, _) = ExecRecord::read_from_prefix(record).ok()?;
    let of_file = of_file(&fixed)?;
    let mut glimpse = Glimpse {
        boot_ns: header.boot_ns,
        predicates: of_file,
        decided: predicate::OF_FILE | predicate::LAYER_UNKNOWN,
    };
    let (own, host) = (fixed.namespaces.mnt, fixed.namespaces.host_mnt);
    if fixed.task.pidns_level == 0 && own == host && own != 0 {
        glimpse.decided |= predicate::CONTAINER_LIKE;
    }
    if fixed.known & known::TTY != 0 {
        glimpse.decided |= predicate::TTY;
        glimpse.predicates |= if fixed.task.tty == 0 { 0 } else { predicate::TTY };
    }
    Some(glimpse)
}

/// Where the file is, if its origin and its flags agree about it.
fn of_file(fixed: &ExecRecord) -> Option<u32> {
    const LAYERS: u32 = exe_flags::EXE_UPPER_LAYER | exe_flags::EXE_LOWER_LAYER | exe_flags::EXE_FROM_MEMFD;
    let layer = fixed.exe.flags & LAYERS;
    Some(match (Origin::from_number(fixed.exe.origin)?, layer) {
        (Origin::Image, exe_flags::EXE_LOWER_LAYER) => predicate::OVERLAY,
        (Origin::New | Origin::Modified | Origin::MetadataOnly, exe_flags::EXE_UPPER_LAYER) => {
            predicate::OVERLAY | predicate::UPPER_LAYER
        }
        (Origin::Memfd, exe_flags::EXE_FROM_MEMFD) => predicate::MEMFD,
        (Origin::Tmpfs, 0) => predicate::TMPFS,
        (Origin::NotOverlay, 0) => 0,
        _ => return None,
    })
}

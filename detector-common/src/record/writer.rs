//! Who opened a file for writing, as the kernel side remembers it by the file and puts it into a record.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::limits::{COMM_BYTES, WRITER_ARGV_BYTES, WRITER_NAME_BYTES};

/// The opening has made the file; a bit that `f_flags` does not use.
pub const CREATED: u32 = 1 << 31;

/// Who opened a file for writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Writer {
    /// Start of the process, `CLOCK_BOOTTIME` nanoseconds: with `pid` it names a process beyond pid reuse.
    pub start_boot_ns: u64,
    /// When it opened the file, `CLOCK_BOOTTIME` nanoseconds.
    pub boot_ns: u64,
    /// Start of the first process of its pid namespace, `CLOCK_BOOTTIME` nanoseconds; 0 = could not be read. The kernel gives
    /// numbers of namespaces again, and this tells them apart.
    pub pidns_start_boot_ns: u64,
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// Its mount namespace; 0 = could not be read.
    pub mnt_ns: u32,
    /// Its pid namespace; 0 = could not be read.
    pub pid_ns: u32,
    /// Depth of that namespace below the initial one.
    pub pidns_level: u32,
    /// Bytes of `argv` that are used.
    pub argv_bytes: u32,
    /// `file.f_flags` at the opening, and [`CREATED`]; no access mode among them = could not be read.
    pub open_flags: u32,
    /// comm of the thread group leader, NUL padded.
    pub comm: [u8; COMM_BYTES],
    /// Last part of the path of its program, NUL padded.
    pub exe_name: [u8; WRITER_NAME_BYTES],
    /// The beginning of its arguments, each with its NUL.
    pub argv: [u8; WRITER_ARGV_BYTES],
}

impl Writer {
    /// Nothing is known.
    pub const NOBODY: Self = Self {
        start_boot_ns: 0,
        boot_ns: 0,
        pidns_start_boot_ns: 0,
        pid: 0,
        mnt_ns: 0,
        pid_ns: 0,
        pidns_level: 0,
        argv_bytes: 0,
        open_flags: 0,
        comm: [0; COMM_BYTES],
        exe_name: [0; WRITER_NAME_BYTES],
        argv: [0; WRITER_ARGV_BYTES],
    };
}

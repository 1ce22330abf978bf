//! Layouts of what the ring buffer carries. Every record starts with a [`RecordHeader`].

pub mod exec;
pub mod writer;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The start of every record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RecordHeader {
    /// [`crate::ABI_VERSION`] of the writer.
    pub abi: u16,
    /// A [`RecordKind`] as a number; from outside it may be anything.
    pub kind: u16,
    /// Bytes of the whole record, this header included.
    pub size: u32,
    /// `CLOCK_BOOTTIME` nanoseconds at the hook.
    pub boot_ns: u64,
}

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum RecordKind {
    /// A successful execve or execveat.
    Exec = 1,
    /// A file was mapped executable; laid out as an exec of the process that did it, with [`exec::SectionKind::Subject`].
    ExecMap = 2,
}

impl RecordKind {
    /// The kind of that number, if there is one.
    #[must_use]
    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            1 => Some(Self::Exec),
            2 => Some(Self::ExecMap),
            _ => None,
        }
    }
}

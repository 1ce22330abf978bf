//! Why BTF could not be read, and why a question to it has no answer: two enums, because the first stops the agent
//! and the second often only means that this kernel lacks a member.

use std::{io, path::PathBuf};

/// The BTF itself is not there or cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum BtfError {
    /// The file does not exist.
    #[error(
        "no kernel BTF at {}: the kernel was built without CONFIG_DEBUG_INFO_BTF; boot a kernel that has it, or \
         give BTF made for exactly this kernel with --btf FILE",
        path.display()
    )]
    NotThere {
        /// The file that was looked for.
        path: PathBuf,
    },
    /// A file that was named, and is not there.
    #[error("there is no BTF at {}: name a file of BTF made for exactly this kernel", path.display())]
    NoSuchFile {
        /// As it was named.
        path: PathBuf,
    },
    /// The kernel has none, and neither has the archive.
    #[error(
        "no kernel BTF at /sys/kernel/btf/vmlinux, and {} has none for this kernel (looked for {looked_for}): boot a \
         kernel built with CONFIG_DEBUG_INFO_BTF, or give BTF made for exactly this kernel with --btf FILE",
        folder.display()
    )]
    NotInArchive {
        /// The archive.
        folder: PathBuf,
        /// Names below it, in order.
        looked_for: String,
    },
    /// A compressed file that cannot be unpacked.
    #[error("cannot unpack {}: {source}; give it unpacked with --btf FILE", path.display())]
    Packed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The file exists but cannot be read.
    #[error("cannot read BTF from {}: check that it is readable by root, or give another with --btf FILE", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is bigger than any BTF.
    #[error("{} has more than {limit} bytes: this is not BTF; give raw BTF with --btf FILE", path.display())]
    TooBig {
        /// The file.
        path: PathBuf,
        /// The bound that it exceeds, in bytes.
        limit: u64,
    },
    /// Fewer bytes than a header has.
    #[error("BTF header is cut off: {have} bytes of {need}")]
    HeaderCutOff {
        /// Bytes there.
        have: usize,
        /// Bytes that the header needs.
        need: usize,
    },
    /// An ELF file where raw BTF is expected.
    #[error("an ELF file, not raw BTF: extract its section with `llvm-objcopy --dump-section .BTF=FILE`")]
    IsElf,
    /// BTF of a machine with the other byte order.
    #[error("BTF has the other byte order: it was made for another architecture than this kernel's")]
    OtherByteOrder,
    /// Not BTF.
    #[error("not BTF: starts with {found:#06x} instead of 0xeb9f")]
    BadMagic {
        /// The first two bytes, as a native integer.
        found: u16,
    },
    /// BTF of a revision that this reader does not know.
    #[error("BTF version {version} with flags {flags:#x} is not known (version 1 without flags is)")]
    UnknownRevision {
        /// Version of the header.
        version: u8,
        /// Flags of the header.
        flags: u8,
    },
    /// A section reaches past the end.
    #[error(
        "BTF {section} section ({offset}+{len} bytes after the header) does not fit: {have} bytes are there"
    )]
    SectionOutside {
        /// Which one.
        section: &'static str,
        /// Its offset behind the header, in bytes.
        offset: u32,
        /// Its length in bytes.
        len: u32,
        /// Bytes behind the header.
        have: usize,
    },
    /// The string section does not begin or end as it must.
    #[error("BTF string section is damaged: {what}")]
    BadStrings {
        /// What is wrong with it.
        what: &'static str,
    },
    /// A type that does not fit in the type section.
    #[error("BTF type {id} at byte {offset} of the type section is cut off")]
    TypeCutOff {
        /// Its id.
        id: u32,
        /// Where it begins, in bytes.
        offset: usize,
    },
    /// A kind whose size neither this reader nor the BTF tells.
    #[error(
        "BTF type {id} is of unknown kind {kind}, and no layout section tells its size: this kernel is newer than \
         the agent; update the agent"
    )]
    UnknownKind {
        /// The type's id.
        id: u32,
        /// Its kind.
        kind: u8,
    },
    /// More types or string bytes than ids can count.
    #[error("BTF has more {what} than 32 bits can count")]
    TooMany {
        /// Of what.
        what: &'static str,
    },
}

/// Why a question about a type has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// No struct, union or enum of that name.
    #[error("no such type")]
    NoSuchType,
    /// The type exists, the member does not.
    #[error("no such member")]
    NoSuchMember,
    /// The enum exists, the enumerator does not.
    #[error("no such enumerator")]
    NoSuchEnumerator,
    /// The path goes on below something without members.
    #[error("not a struct or union")]
    NotAStruct,
    /// The path indexes something that is no array.
    #[error("not an array")]
    NotAnArray,
    /// The index is beyond the array's end.
    #[error("index beyond the array's end")]
    IndexOutside,
    /// The member does not begin and end at a byte.
    #[error("a bit-field")]
    BitField,
    /// The type has no size (a function, a forward declaration, void).
    #[error("type without a size")]
    NoSize,
    /// Several types of that name answer differently.
    #[error("several types of that name disagree")]
    Ambiguous,
    /// The asker's path is not of the form `a.b[3].c`.
    #[error("malformed member path")]
    BadPath,
    /// The types are inconsistent or loop: offsets outside of their struct, ids of no type, endless nesting.
    #[error("damaged type graph")]
    Damaged,
}

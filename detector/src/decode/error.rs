//! Why bytes are not a record.

/// A record that cannot be decoded. Counted, shown, and never a reason to stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Fewer bytes than the fixed part.
    #[error("record of {found} bytes is shorter than the {needed} of its fixed part")]
    TooShort {
        /// Bytes that the fixed part has.
        needed: usize,
        /// Bytes that there are.
        found: usize,
    },
    /// Written by another version of the layout.
    #[error("record has layout version {found}, this program reads version {expected}")]
    OtherAbi {
        /// What this program reads.
        expected: u16,
        /// What the record says.
        found: u16,
    },
    /// The header's size is not the record's.
    #[error("record says that it has {stated} bytes but has {found}")]
    WrongSize {
        /// What the header says.
        stated: u32,
        /// Bytes that there are.
        found: usize,
    },
    /// A kind that this program does not know.
    #[error("record kind {kind} is unknown")]
    UnknownKind {
        /// What the header says.
        kind: u16,
    },
    /// An origin that this program does not know.
    #[error("origin {origin} is unknown")]
    UnknownOrigin {
        /// What the record says.
        origin: u8,
    },
    /// A section that reaches beyond the record.
    #[error("section {section} reaches from {offset} to {end}, the record's tail has {tail} bytes")]
    SectionOutside {
        /// Name of the section.
        section: &'static str,
        /// Its first byte.
        offset: usize,
        /// Its end.
        end: usize,
        /// Bytes of the tail.
        tail: usize,
    },
    /// A section that refers to one that does not exist, or that refers further.
    #[error("section {section} refers to section {target}, which holds no bytes")]
    SectionReference {
        /// Name of the section.
        section: &'static str,
        /// Index it refers to.
        target: u16,
    },
    /// A section status that this program does not know.
    #[error("section {section} has unknown status {status}")]
    SectionStatus {
        /// Name of the section.
        section: &'static str,
        /// What the record says.
        status: u16,
    },
}

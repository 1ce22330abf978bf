//! One number for the layout of everything in this crate, apart from the release version: a reader that meets
//! another number refuses the bytes instead of misreading them.

/// Bumped with any change of a layout in this crate. Stands in every record header and in every recording.
pub const ABI_VERSION: u16 = 7;

//! The executed file and the verdict about it.

use serde::{Deserialize, Serialize};

/// Where an executed file comes from. A verdict, not a boolean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// As the image has it.
    Image,
    /// No file of the image lies below it.
    New,
    /// The image has this file; it was copied up with its data.
    Modified,
    /// Copied up by chmod, chown, touch or link; the data is still the image's.
    MetadataOnly,
    /// An anonymous memory file.
    Memfd,
    /// On a tmpfs.
    Tmpfs,
    /// On a file system that was mounted into the container: a volume, a bind mount, another disk.
    Volume,
    /// On an overlay that is not the container's root: whoever mounted it says what its lower layer is.
    ForeignOverlay,
    /// On a root file system that is not an overlay, which has no layers to ask.
    NotOverlay,
    /// Could not be told.
    #[default]
    Unknown,
}

impl Origin {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Image,
        Self::New,
        Self::Modified,
        Self::MetadataOnly,
        Self::Memfd,
        Self::Tmpfs,
        Self::Volume,
        Self::ForeignOverlay,
        Self::NotOverlay,
        Self::Unknown,
    ];

    /// The word that users see in `drop.origin`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::New => "new",
            Self::Modified => "modified",
            Self::MetadataOnly => "metadata_only",
            Self::Memfd => "memfd",
            Self::Tmpfs => "tmpfs",
            Self::Volume => "volume",
            Self::ForeignOverlay => "foreign_overlay",
            Self::NotOverlay => "not_overlay",
            Self::Unknown => "unknown",
        }
    }
}

/// `evt.arg.flags`: bits of `detector_common::exe_flags`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExeFlags(pub u32);

impl ExeFlags {
    /// The new credentials may write the file.
    pub const WRITABLE: u32 = 0x1;
    /// In an overlay's upper layer.
    pub const UPPER_LAYER: u32 = 0x2;
    /// An anonymous memory file.
    pub const FROM_MEMFD: u32 = 0x4;
    /// In an overlay's lower layer.
    pub const LOWER_LAYER: u32 = 0x8;
    /// Names in bit order, as Falco joins them.
    const NAMES: [(u32, &'static str); 4] = [
        (Self::WRITABLE, "EXE_WRITABLE"),
        (Self::UPPER_LAYER, "EXE_UPPER_LAYER"),
        (Self::FROM_MEMFD, "EXE_FROM_MEMFD"),
        (Self::LOWER_LAYER, "EXE_LOWER_LAYER"),
    ];

    /// Whether all of these bits are set.
    #[must_use]
    pub const fn has(self, bits: u32) -> bool {
        self.0 & bits == bits
    }

    /// `EXE_WRITABLE|EXE_UPPER_LAYER`, or `0` without any.
    #[must_use]
    pub fn names(self) -> String {
        let set: Vec<&str> =
            Self::NAMES.iter().filter(|(bit, _)| self.0 & bit != 0).map(|(_, name)| *name).collect();
        if set.is_empty() { "0".to_owned() } else { set.join("|") }
    }
}

/// Facts of the executed file (of a script: of its interpreter).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExecutedFile {
    /// Path as the process sees it; `None` where it could not be walked.
    pub path: Option<super::Path>,
    /// The verdict.
    pub origin: Origin,
    /// Falco's flags.
    pub flags: ExeFlags,
    /// Inode number as the process sees it.
    pub ino: u64,
    /// Device of its superblock, `major << 20 | minor`.
    pub dev: u32,
    /// Size in bytes.
    pub size: u64,
    /// Change time, nanoseconds since the epoch.
    pub ctime_ns: Option<u64>,
    /// Modification time, nanoseconds since the epoch.
    pub mtime_ns: Option<u64>,
    /// File type and permission bits.
    pub mode: u16,
    /// Links; 0 = unlinked while being executed.
    pub nlink: u32,
    /// Owner, kernel uid.
    pub uid: u32,
    /// Group, kernel gid.
    pub gid: u32,
    /// Magic of its superblock.
    pub sb_magic: u64,
    /// Device and magic of the superblock under the process's root directory.
    pub root: Option<(u32, u64)>,
    /// Inode number in the upper layer.
    pub upper_ino: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::ExeFlags;

    #[test]
    fn flags_are_joined_in_bit_order() {
        assert_eq!(ExeFlags(0b11).names(), "EXE_WRITABLE|EXE_UPPER_LAYER");
        assert_eq!(ExeFlags(0b1001).names(), "EXE_WRITABLE|EXE_LOWER_LAYER");
        assert_eq!(ExeFlags(0b101).names(), "EXE_WRITABLE|EXE_FROM_MEMFD");
    }

    #[test]
    fn no_flag_is_zero_and_unknown_bits_are_ignored() {
        assert_eq!(ExeFlags(0).names(), "0");
        assert_eq!(ExeFlags(0x100).names(), "0");
    }
}

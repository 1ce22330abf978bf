//! The verdict: which layer of an overlay an inode lives in.
//!
//! `struct ovl_inode` embeds the VFS inode. On every kernel from 5.10 to 7.3 the pointer right behind it is the
//! upper dentry (null = untouched lower file), the word after that says whether a lower file lies below, and the
//! word before it holds the flags, bit 3 of which (`OVL_UPPERDATA`) says that the data is in the upper layer.

use detector_common::record::exec::Origin;

use crate::{
    kernel_read::{Address, Fault, read},
    settings::offset,
};

/// `OVERLAYFS_SUPER_MAGIC`
pub(crate) const OVERLAY_MAGIC: u64 = 0x794c_7630;
const UPPERDATA: u64 = 1 << 3;

/// What the overlay's inode tells.
#[derive(Clone, Copy)]
pub(crate) struct Layer {
    /// Where the file comes from.
    pub(crate) origin: Origin,
    /// The inode's overlay flags.
    pub(crate) flags: u64,
}

impl Layer {
    /// Only the cheap part: is there an upper dentry?
    #[inline(always)]
    pub(crate) fn upper_dentry(inode: Address) -> Result<Address, Fault> {
        read(inode, offset!(inode_sizeof))
    }

    /// The whole verdict for an inode whose upper dentry is known.
    #[inline(always)]
    pub(crate) fn judge(inode: Address, upper: Address) -> Self {
        if upper.is_null() {
            return Self { origin: Origin::Image, flags: Self::flags(inode).unwrap_or(0) };
        }
        let (Ok(flags), Ok(below)) = (Self::flags(inode), Self::below(inode)) else {
            return Self { origin: Origin::Unknown, flags: 0 };
        };
        let origin = if flags & UPPERDATA == 0 {
            Origin::MetadataOnly
        } else if below == 0 {
            Origin::New
        } else {
            Origin::Modified
        };
        Self { origin, flags }
    }

    #[inline(always)]
    fn flags(inode: Address) -> Result<u64, Fault> {
        read(inode.wrapping_sub(8), 0)
    }

    #[inline(always)]
    fn below(inode: Address) -> Result<u64, Fault> {
        read(inode.wrapping_add(8), offset!(inode_sizeof))
    }
}

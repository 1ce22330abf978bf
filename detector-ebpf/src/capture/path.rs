//! Paths by walking dentries up to the task's root, across mounts. Components go into the record leaf first, each
//! with its NUL: user space turns them around, the verifier is spared the arithmetic.

use detector_common::{
    kernel_offsets::ABSENT,
    limits::{COMPONENT_BYTES, PATH_BYTES, PATH_COMPONENTS},
    record::exec::{SectionKind, section_status},
};

use crate::{
    kernel_read::{Address, Fault, follow, read_str},
    settings::offset,
    tail::Tail,
};

/// A `struct path`: a dentry in a mount.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    mnt: Address,
    dentry: Address,
}

impl Place {
    /// Reads it from the struct at `base`, given the offsets of its two members.
    #[inline(always)]
    pub(crate) fn read(base: Address, mnt: u32, dentry: u32) -> Result<Self, Fault> {
        Ok(Self { mnt: follow(base, mnt)?, dentry: follow(base, dentry)? })
    }
}

/// Appends the path of `place` as seen from `root`.
#[inline(always)]
pub(crate) fn walk(
    tail: &mut Tail,
    kind: SectionKind,
    place: Result<Place, Fault>,
    root: Result<Place, Fault>,
) {
    let place = match place {
        Ok(place) => place,
        Err(fault) => return tail.failed(kind, fault),
    };
    // Without a root the walk ends at the top of the mount namespace.
    let root = root.unwrap_or(Place { mnt: core::ptr::null(), dentry: core::ptr::null() });
    let start = tail.used();
    let status = climb(tail, place, root, start).unwrap_or(section_status::FAILED);
    tail.close(kind, start, status);
}

#[inline(always)]
fn climb(tail: &mut Tail, place: Place, root: Place, start: u32) -> Result<u16, Fault> {
    let Place { mut mnt, mut dentry } = place;
    let mut step = 0;
    while step < PATH_COMPONENTS {
        step += 1;
        if dentry == root.dentry && mnt == root.mnt {
            return Ok(section_status::COMPLETE);
        }
        let parent = follow(dentry, offset!(dentry_parent))?;
        if dentry == follow(mnt, offset!(vfsmount_root))? {
            if offset!(mount_vfsmount) == ABSENT {
                return Err(Fault::Absent);
            }
            let mount = mnt.wrapping_sub(offset!(mount_vfsmount) as usize);
            let above = follow(mount, offset!(mount_parent))?;
            if above == mount {
                return Ok(section_status::COMPLETE);
            }
            dentry = follow(mount, offset!(mount_mountpoint))?;
            mnt = above.wrapping_add(offset!(mount_vfsmount) as usize);
            continue;
        }
        let name = follow(dentry, offset!(dentry_name))?;
        if tail.used() - start > (PATH_BYTES - COMPONENT_BYTES) as u32 {
            return Ok(section_status::TRUNCATED);
        }
        let Some(destination) = tail.room::<COMPONENT_BYTES>() else {
            return Ok(section_status::TRUNCATED);
        };
        // SAFETY: room() has made sure of the bytes.
        let length = unsafe { read_str::<COMPONENT_BYTES>(destination, name) }?;
        tail.advance(length);
        // A dentry without a parent that is not a mount's root: an anonymous file such as a memfd.
        if parent == dentry {
            return Ok(section_status::COMPLETE);
        }
        dentry = parent;
    }
    Ok(section_status::TRUNCATED)
}

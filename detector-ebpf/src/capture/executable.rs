//! The executed file: first the few reads that decide whether anyone can care, then all its facts.

use detector_common::{
    exe_flags,
    kernel_offsets::ABSENT,
    record::exec::{ExecRecord, FileFacts, Origin, known},
    settings::predicate,
};

use crate::{
    capture::{
        overlay_layer::{Layer, OVERLAY_MAGIC},
        path::Place,
    },
    kernel_read::{Address, Fault, embedded, follow, read, read_str},
    settings::offset,
};

const TMPFS_MAGIC: u64 = 0x0102_1994;
/// Set in `i_ctime_nsec` while a multigrain timestamp waits to be looked at (6.13 and later).
const CTIME_QUERIED: u32 = 1 << 31;

/// What the first look at an executed file told.
#[derive(Clone, Copy)]
pub(crate) struct Executable {
    pub(crate) file: Address,
    pub(crate) inode: Address,
    pub(crate) sb: Address,
    pub(crate) magic: u64,
    /// The upper dentry, null when there is none; an error where it could not be read.
    upper: Result<Address, Fault>,
}

impl Executable {
    /// Four reads for a file that is not on an overlay, five for one that is.
    #[inline(always)]
    pub(crate) fn judge(file: Address) -> Result<Self, Fault> {
        let inode = follow(file, offset!(file_f_inode))?;
        let sb = follow(inode, offset!(inode_sb))?;
        let magic: u64 = read(sb, offset!(sb_magic))?;
        let upper =
            if magic == OVERLAY_MAGIC { Layer::upper_dentry(inode) } else { Ok(core::ptr::null()) };
        Ok(Self { file, inode, sb, magic, upper })
    }

    /// The facts that the filter can use, from the file alone.
    #[inline(always)]
    pub(crate) fn predicates(&self) -> u32 {
        if self.magic == OVERLAY_MAGIC {
            return predicate::OVERLAY
                | match self.upper {
                    Ok(upper) if upper.is_null() => 0,
                    Ok(_) => predicate::UPPER_LAYER,
                    Err(_) => predicate::LAYER_UNKNOWN,
                };
        }
        if self.is_memfd() { predicate::MEMFD } else { 0 }
    }

    /// A memfd's dentry is its own parent and is named `memfd:...`; only tmpfs and hugetlbfs have them.
    #[inline(always)]
    pub(crate) fn is_memfd(&self) -> bool {
        const HUGETLBFS_MAGIC: u64 = 0x9584_58f6;
        if self.magic != TMPFS_MAGIC && self.magic != HUGETLBFS_MAGIC {
            return false;
        }
        self.memfd_name().unwrap_or(false)
    }

    #[inline(always)]
    fn memfd_name(&self) -> Result<bool, Fault> {
        let dentry = follow(self.file, offset!(file_path_dentry))?;
        if follow(dentry, offset!(dentry_parent))? != dentry {
            return Ok(false);
        }
        let name = follow(dentry, offset!(dentry_name))?;
        let mut start = [0u8; 8];
        // SAFETY: start has the 8 bytes.
        unsafe { read_str::<8>(start.as_mut_ptr(), name) }?;
        Ok(u64::from_le_bytes(start) & 0xffff_ffff_ffff == u64::from_le_bytes(*b"memfd:\0\0"))
    }

    /// Where it was found: mount and dentry.
    #[inline(always)]
    pub(crate) fn place(&self) -> Result<Place, Fault> {
        Place::read(self.file, offset!(file_path_mnt), offset!(file_path_dentry))
    }
}

/// Fills `record.exe`.
#[inline(always)]
pub(crate) fn capture(record: &mut ExecRecord, task: Address, exe: &Executable) {
    let inode = exe.inode;
    let (origin, flags) = verdict(record, exe);
    let mut facts = FileFacts {
        ino: read(inode, offset!(inode_ino)).unwrap_or(0),
        size: read(inode, offset!(inode_size)).unwrap_or(0),
        ctime_sec: 0,
        mtime_sec: 0,
        ctime_nsec: 0,
        mtime_nsec: 0,
        sb_magic: exe.magic,
        root_sb_magic: 0,
        upper_ino: 0,
        overlay_flags: 0,
        dev: read(exe.sb, offset!(sb_dev)).unwrap_or(0),
        root_dev: 0,
        upper_dev: 0,
        nlink: read(inode, offset!(inode_nlink)).unwrap_or(0),
        uid: read(inode, offset!(inode_uid)).unwrap_or(u32::MAX),
        gid: read(inode, offset!(inode_gid)).unwrap_or(u32::MAX),
        generation: read(inode, offset!(inode_generation)).unwrap_or(0),
        mnt_flags: 0,
        mnt_id: 0,
        flags,
        mode: read(inode, offset!(inode_mode)).unwrap_or(0),
        origin: origin as u8,
        reserved: 0,
        reserved2: 0,
    };
    times(&mut facts, &mut record.known, inode);
    if let Ok(mnt) = follow(exe.file, offset!(file_path_mnt)) {
        facts.mnt_flags = read(mnt, offset!(vfsmount_flags)).unwrap_or(0);
        if offset!(mount_vfsmount) != ABSENT {
            let mount = mnt.wrapping_sub(offset!(mount_vfsmount) as usize);
            facts.mnt_id = read(mount, offset!(mount_id)).unwrap_or(0);
        }
    }
    if let Ok(layer) = layer(exe) {
        facts.overlay_flags = layer.flags;
        if let Ok(upper) = follow(layer.upper, offset!(dentry_inode)) {
            facts.upper_ino = read(upper, offset!(inode_ino)).unwrap_or(0);
            if let Ok(sb) = follow(upper, offset!(inode_sb)) {
                facts.upper_dev = read(sb, offset!(sb_dev)).unwrap_or(0);
            }
        }
    }
    if let Ok((magic, dev)) = root(task) {
        record.known |= known::ROOT;
        facts.root_sb_magic = magic;
        facts.root_dev = dev;
    }
    record.exe = facts;
}

/// Overlay facts of a file that has an upper inode.
#[inline(always)]
fn layer(exe: &Executable) -> Result<Layer, Fault> {
    let upper = exe.upper?;
    if upper.is_null() { Err(Fault::Absent) } else { Ok(Layer::judge(exe.inode, upper)) }
}

#[inline(always)]
fn verdict(record: &mut ExecRecord, exe: &Executable) -> (Origin, u32) {
    if exe.magic != OVERLAY_MAGIC {
        record.known |= known::LAYER;
        return if exe.is_memfd() {
            (Origin::Memfd, exe_flags::EXE_FROM_MEMFD)
        } else if exe.magic == TMPFS_MAGIC {
            (Origin::Tmpfs, 0)
        } else {
            (Origin::NotOverlay, 0)
        };
    }
    let Ok(upper) = exe.upper else {
        return (Origin::Unknown, 0);
    };
    record.known |= known::LAYER;
    let origin = Layer::judge(exe.inode, upper).origin;
    (origin, if upper.is_null() { exe_flags::EXE_LOWER_LAYER } else { exe_flags::EXE_UPPER_LAYER })
}

#[inline(always)]
fn times(facts: &mut FileFacts, known: &mut u64, inode: Address) {
    let (Ok(ctime), Ok(mtime)) =
        (read(inode, offset!(inode_ctime_sec)), read(inode, offset!(inode_mtime_sec)))
    else {
        return;
    };
    // Where they are `long` the values fit in 32 bits all the same, and little endian puts them first.
    let (Ok(ctime_nsec), Ok(mtime_nsec)) =
        (read::<u32>(inode, offset!(inode_ctime_nsec)), read::<u32>(inode, offset!(inode_mtime_nsec)))
    else {
        return;
    };
    facts.ctime_sec = ctime;
    facts.mtime_sec = mtime;
    facts.ctime_nsec = ctime_nsec & !CTIME_QUERIED;
    facts.mtime_nsec = mtime_nsec;
    *known |= known::TIMES;
}

/// Magic and device of the superblock that the task's root directory lies on.
#[inline(always)]
fn root(task: Address) -> Result<(u64, u32), Fault> {
    let fs = follow(task, offset!(task_fs))?;
    let mnt = follow(fs, offset!(fs_root_mnt))?;
    let sb = follow(embedded(mnt, 0)?, offset!(vfsmount_sb))?;
    Ok((read(sb, offset!(sb_magic))?, read(sb, offset!(sb_dev))?))
}

//! The executed file: first the few reads that decide whether anyone can care, then all its facts.

use detector_common::{
    exe_flags,
    kernel_offsets::ABSENT,
    record::exec::{ExecRecord, FileFacts, Origin, known},
    settings::predicate,
};

use crate::{
    capture::{
        mount_root,
        overlay_layer::{Layer, OVERLAY_MAGIC},
    },
    kernel_read::{Address, Block, Fault, copy, embedded, follow, read, read_str, typed},
    maps::Scratch,
    settings::offset,
};

const TMPFS_MAGIC: u64 = 0x0102_1994;
/// Set in `i_ctime_nsec` while a multigrain timestamp waits to be looked at (6.13 and later).
const CTIME_QUERIED: u32 = 1 << 31;

/// What the first look at an executed file told.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Executable {
    pub(crate) file: Address,
    pub(crate) inode: Address,
    pub(crate) sb: Address,
    pub(crate) magic: u64,
    /// The upper dentry, null when there is none.
    upper: Address,
    /// Whether the layer could be read. Not a `Result` in `upper`: LLVM leaves the value of an error undefined, and
    /// the verifier refuses to see it stored.
    layer_known: bool,
}

impl Executable {
    /// Four reads for a file that is not on an overlay, five for one that is.
    #[inline(always)]
    pub(crate) fn judge(file: Address) -> Result<Self, Fault> {
        let inode = follow(file, offset!(file_f_inode))?;
        let sb = follow(inode, offset!(inode_sb))?;
        let magic: u64 = read(sb, offset!(sb_magic))?;
        let mut exe = Self { file, inode, sb, magic, upper: core::ptr::null(), layer_known: true };
        if magic == OVERLAY_MAGIC {
            match Layer::upper_dentry(inode) {
                Ok(upper) => exe.upper = upper,
                Err(_) => exe.layer_known = false,
            }
        }
        Ok(exe)
    }

    /// As [`Self::judge`], with plain loads as far as the kernel's types go: what stands behind the inode has none.
    #[inline(always)]
    pub(crate) fn judge_typed(file: Address) -> Result<Self, Fault> {
        let inode: Address = typed(file, offset!(file_f_inode));
        let sb: Address = typed(inode, offset!(inode_sb));
        if sb.is_null() {
            return Err(Fault::Read);
        }
        let magic: u64 = typed(sb, offset!(sb_magic));
        let mut exe = Self { file, inode, sb, magic, upper: core::ptr::null(), layer_known: true };
        if magic == OVERLAY_MAGIC {
            match Layer::upper_dentry(inode) {
                Ok(upper) => exe.upper = upper,
                Err(_) => exe.layer_known = false,
            }
        }
        Ok(exe)
    }

    /// The facts that the filter can use, from the file alone.
    #[inline(always)]
    pub(crate) fn predicates(&self) -> u32 {
        if self.magic == OVERLAY_MAGIC {
            return predicate::OVERLAY
                | if !self.layer_known {
                    predicate::LAYER_UNKNOWN
                } else if self.upper.is_null() {
                    0
                } else {
                    predicate::UPPER_LAYER
                };
        }
        if self.is_memfd() {
            predicate::MEMFD
        } else if self.magic == TMPFS_MAGIC {
            predicate::TMPFS
        } else {
            0
        }
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
}

/// Fills `record.exe` from the file in the work space.
#[inline(always)]
pub(crate) fn capture(scratch: &mut Scratch, task: Address) {
    let exe = scratch.work.exe;
    let record = &mut scratch.record;
    record.exe = NOTHING;
    record.exe.sb_magic = exe.magic;
    verdict(record, &exe);
    inode(record, &mut scratch.work.inode, exe.inode);
    copy(&mut record.exe.dev, exe.sb, offset!(sb_dev));
    if let Ok(mnt) = follow(exe.file, offset!(file_path_mnt)) {
        copy(&mut record.exe.mnt_flags, mnt, offset!(vfsmount_flags));
        if offset!(mount_vfsmount) != ABSENT {
            let mount = mnt.wrapping_sub(offset!(mount_vfsmount) as usize);
            copy(&mut record.exe.mnt_id, mount, offset!(mount_id));
        }
    }
    let _ = upper(&mut record.exe, exe.upper);
    if root(&mut record.exe, task).unwrap_or(false) {
        record.known |= known::ROOT;
    }
    mount_root::capture(record, task, exe.file);
}

const NOTHING: FileFacts = FileFacts {
    ino: 0,
    size: 0,
    ctime_sec: 0,
    mtime_sec: 0,
    ctime_nsec: 0,
    mtime_nsec: 0,
    sb_magic: 0,
    root_sb_magic: 0,
    upper_ino: 0,
    overlay_flags: 0,
    dev: 0,
    root_dev: 0,
    upper_dev: 0,
    nlink: 0,
    uid: u32::MAX,
    gid: u32::MAX,
    generation: 0,
    mnt_flags: 0,
    mnt_id: 0,
    flags: 0,
    mode: 0,
    origin: Origin::Unknown as u8,
    reserved: 0,
    ns_root_dev: 0,
};

#[inline(always)]
fn verdict(record: &mut ExecRecord, exe: &Executable) {
    if exe.magic != OVERLAY_MAGIC {
        record.known |= known::LAYER;
        if exe.is_memfd() {
            record.exe.origin = Origin::Memfd as u8;
            record.exe.flags = exe_flags::EXE_FROM_MEMFD;
        } else if exe.magic == TMPFS_MAGIC {
            record.exe.origin = Origin::Tmpfs as u8;
        } else {
            record.exe.origin = Origin::NotOverlay as u8;
        }
        return;
    }
    if !exe.layer_known {
        return;
    }
    record.known |= known::LAYER;
    let layer = Layer::judge(exe.inode, exe.upper);
    record.exe.origin = layer.origin as u8;
    record.exe.overlay_flags = layer.flags;
    record.exe.flags =
        if exe.upper.is_null() { exe_flags::EXE_LOWER_LAYER } else { exe_flags::EXE_UPPER_LAYER };
}

#[inline(always)]
fn inode(record: &mut ExecRecord, block: &mut Block<24>, inode: Address) {
    let from = 0;
    if block.fill(inode, from).is_err() {
        return;
    }
    let facts = &mut record.exe;
    block.copy(&mut facts.ino, from, offset!(inode_ino));
    block.copy(&mut facts.size, from, offset!(inode_size));
    block.copy(&mut facts.nlink, from, offset!(inode_nlink));
    block.copy(&mut facts.generation, from, offset!(inode_generation));
    block.copy(&mut facts.uid, from, offset!(inode_uid));
    block.copy(&mut facts.gid, from, offset!(inode_gid));
    if block.copy(&mut facts.mode, from, offset!(inode_mode)) {
        record.known |= known::INODE;
    }
    block.copy(&mut facts.ctime_sec, from, offset!(inode_ctime_sec));
    block.copy(&mut facts.mtime_sec, from, offset!(inode_mtime_sec));
    // Where they are `long` the values fit in 32 bits all the same, and little endian puts them first.
    block.copy(&mut facts.ctime_nsec, from, offset!(inode_ctime_nsec));
    facts.ctime_nsec &= !CTIME_QUERIED;
    if block.copy(&mut facts.mtime_nsec, from, offset!(inode_mtime_nsec)) {
        record.known |= known::TIMES;
    }
}

/// The inode in the upper layer.
#[inline(always)]
fn upper(facts: &mut FileFacts, dentry: Address) -> Result<(), Fault> {
    if dentry.is_null() {
        return Ok(());
    }
    let inode = follow(dentry, offset!(dentry_inode))?;
    copy(&mut facts.upper_ino, inode, offset!(inode_ino));
    copy(&mut facts.upper_dev, follow(inode, offset!(inode_sb))?, offset!(sb_dev));
    Ok(())
}

/// Magic and device of the superblock that the task's root directory lies on.
#[inline(always)]
fn root(facts: &mut FileFacts, task: Address) -> Result<bool, Fault> {
    let fs = follow(task, offset!(task_fs))?;
    let mnt = follow(fs, offset!(fs_root_mnt))?;
    let sb = follow(embedded(mnt, 0)?, offset!(vfsmount_sb))?;
    copy(&mut facts.root_sb_magic, sb, offset!(sb_magic));
    Ok(copy(&mut facts.root_dev, sb, offset!(sb_dev)))
}

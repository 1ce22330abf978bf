//! Paths by walking dentries up to the task's root, across mounts. Components go into the record leaf first, each
//! with its NUL: user space turns them around, the verifier is spared the arithmetic.

use core::ptr::null;

use detector_common::{
    kernel_offsets::ABSENT,
    limits::{ANCESTOR_EXES, COMPONENT_BYTES, PATH_BYTES, PATH_COMPONENTS, SIDE_PATH_COMPONENTS},
    record::exec::{SectionKind, section_status},
};

use crate::{
    capture::stdio,
    kernel_read::{Address, Fault, copy, follow, read, read_str},
    maps::{Scratch, scratch},
    settings::offset,
    tail,
};

/// A `struct path`: a dentry in a mount.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Place {
    mnt: Address,
    dentry: Address,
}

impl Place {
    const NOWHERE: Self = Self { mnt: null(), dentry: null() };

    /// Reads it from the struct at `base`, given the offsets of its two members.
    #[inline(always)]
    fn read(&mut self, base: Address, mnt: u32, dentry: u32) -> Result<(), Fault> {
        if mnt != ABSENT && dentry == mnt.wrapping_add(8) {
            // Laid out as here, on every kernel so far.
            if !copy(self, base, mnt) || self.mnt.is_null() || self.dentry.is_null() {
                return Err(Fault::Read);
            }
            return Ok(());
        }
        self.mnt = follow(base, mnt)?;
        self.dentry = follow(base, dentry)?;
        Ok(())
    }
}

/// Appends the paths of the executable and of the working directory, as seen from the task's root.
#[inline(always)]
pub(crate) fn capture(scratch: &mut Scratch, task: Address) {
    // Without a root the walk ends at the top of the mount namespace.
    scratch.work.root = Place::NOWHERE;
    let fs = follow(task, offset!(task_fs)).unwrap_or(null());
    let _ = scratch.work.root.read(fs, offset!(fs_root_mnt), offset!(fs_root_dentry));

    let file = scratch.work.exe.file;
    walk::<PATH_COMPONENTS>(
        scratch,
        SectionKind::ExePath,
        file,
        offset!(file_path_mnt),
        offset!(file_path_dentry),
    );
    walk::<PATH_COMPONENTS>(scratch, SectionKind::Cwd, fs, offset!(fs_pwd_mnt), offset!(fs_pwd_dentry));
}

/// Appends what descriptors 0, 1 and 2 are open on, as seen from the task's root; sockets have no path.
#[inline(always)]
pub(crate) fn stdio(scratch: &mut Scratch, task: Address) {
    let Ok(table) = stdio::table(task) else {
        return;
    };
    let mut number = 0;
    while number < SectionKind::STDIO_PATHS.len() {
        let mode = scratch.record.stdio[number].mode;
        if mode != 0 && mode & stdio::TYPE != stdio::SOCKET {
            let file = read(table, number as u32 * 8).unwrap_or(null());
            let kind = SectionKind::STDIO_PATHS[number];
            walk::<SIDE_PATH_COMPONENTS>(
                scratch,
                kind,
                file,
                offset!(file_path_mnt),
                offset!(file_path_dentry),
            );
        }
        number += 1;
    }
}

/// Appends the paths of the first ancestors' executed files, each as seen from that ancestor's root. A kernel thread
/// and a process that is gone have none.
#[inline(always)]
pub(crate) fn ancestors(scratch: &mut Scratch) {
    let mut index = 0;
    while index < ANCESTOR_EXES {
        let leader = scratch.work.leaders[index];
        if !leader.mm.is_null() {
            scratch.work.root = Place::NOWHERE;
            let _ = scratch.work.root.read(leader.fs, offset!(fs_root_mnt), offset!(fs_root_dentry));
            let file = follow(leader.mm, offset!(mm_exe_file)).unwrap_or(null());
            let kind = SectionKind::ANCESTOR_EXES[index];
            walk::<SIDE_PATH_COMPONENTS>(
                scratch,
                kind,
                file,
                offset!(file_path_mnt),
                offset!(file_path_dentry),
            );
        }
        index += 1;
    }
}

#[inline(always)]
pub(crate) fn walk<const STEPS: usize>(
    scratch: &mut Scratch,
    kind: SectionKind,
    base: Address,
    mnt: u32,
    dentry: u32,
) {
    tail::open(scratch, kind);
    match scratch.work.place.read(base, mnt, dentry) {
        Ok(()) => {
            climb_path(scratch.work.slot, kind as u64, STEPS as u64);
        }
        Err(fault) => tail::fail(scratch, kind, fault),
    }
}

/// Walks from `work.place` up to `work.root`, `steps` at most, and closes the section. A function of its own, so that the
/// verifier looks at it once and not at each of its calls.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn climb_path(slot: u64, kind: u64, steps: u64) -> u64 {
    if let Some(scratch) = scratch(slot)
        && let Some(kind) = tail::kind(kind)
        && let Err(fault) = climb(scratch, kind, steps)
    {
        tail::fail(scratch, kind, fault);
    }
    0
}

#[inline(always)]
fn climb(scratch: &mut Scratch, kind: SectionKind, steps: u64) -> Result<(), Fault> {
    if offset!(mount_vfsmount) == ABSENT {
        return Err(Fault::Absent);
    }
    scratch.work.top_of = null();
    let mut step = 0;
    while step < PATH_COMPONENTS as u64 && step < steps {
        step += 1;
        let Place { mnt, dentry } = scratch.work.place;
        if dentry == scratch.work.root.dentry && mnt == scratch.work.root.mnt {
            tail::close(scratch, kind, section_status::COMPLETE);
            return Ok(());
        }
        if scratch.work.top_of != mnt {
            scratch.work.top = follow(mnt, offset!(vfsmount_root))?;
            scratch.work.top_of = mnt;
        }
        if dentry == scratch.work.top {
            let mount = mnt.wrapping_sub(offset!(mount_vfsmount) as usize);
            let above = follow(mount, offset!(mount_parent))?;
            if above == mount {
                tail::close(scratch, kind, section_status::COMPLETE);
                return Ok(());
            }
            scratch.work.place.dentry = follow(mount, offset!(mount_mountpoint))?;
            scratch.work.place.mnt = above.wrapping_add(offset!(mount_vfsmount) as usize);
            continue;
        }
        let from = offset!(dentry_parent);
        scratch.work.node.fill(dentry, from)?;
        let name = scratch.work.node.address(from, offset!(dentry_name));
        let parent = scratch.work.node.address(from, from);
        if name.is_null() || parent.is_null() {
            return Err(Fault::Read);
        }
        scratch.work.place.dentry = parent;
        let cut = tail::length(scratch, kind) > (PATH_BYTES - COMPONENT_BYTES) as u32;
        let Some(destination) = tail::room::<COMPONENT_BYTES>(scratch).filter(|_| !cut) else {
            tail::close(scratch, kind, section_status::TRUNCATED);
            return Ok(());
        };
        // SAFETY: room() has made sure of the bytes.
        let length = unsafe { read_str::<COMPONENT_BYTES>(destination, name) }?;
        tail::advance(scratch, length);
        // A dentry without a parent that is not a mount's root: an anonymous file such as a memfd.
        if parent == dentry {
            tail::close(scratch, kind, section_status::COMPLETE);
            return Ok(());
        }
    }
    tail::close(scratch, kind, section_status::TRUNCATED);
    Ok(())
}

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
    kernel_read::{Address, Fault, follow, read, read_str},
    maps::Scratch,
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
        if leader.is_null() {
            return;
        }
        if let Ok(mm) = follow(leader, offset!(task_mm)) {
            let fs = follow(leader, offset!(task_fs)).unwrap_or(null());
            scratch.work.root = Place::NOWHERE;
            let _ = scratch.work.root.read(fs, offset!(fs_root_mnt), offset!(fs_root_dentry));
            let file = follow(mm, offset!(mm_exe_file)).unwrap_or(null());
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
fn walk<const STEPS: usize>(scratch: &mut Scratch, kind: SectionKind, base: Address, mnt: u32, dentry: u32) {
    tail::open(scratch, kind);
    let walked = scratch.work.place.read(base, mnt, dentry).and_then(|()| climb::<STEPS>(scratch, kind));
    if let Err(fault) = walked {
        tail::fail(scratch, kind, fault);
    }
}

#[inline(always)]
fn climb<const STEPS: usize>(scratch: &mut Scratch, kind: SectionKind) -> Result<(), Fault> {
    if offset!(mount_vfsmount) == ABSENT {
        return Err(Fault::Absent);
    }
    let mut step = 0;
    while step < STEPS {
        step += 1;
        let Place { mnt, dentry } = scratch.work.place;
        if dentry == scratch.work.root.dentry && mnt == scratch.work.root.mnt {
            tail::close(scratch, kind, section_status::COMPLETE);
            return Ok(());
        }
        if dentry == follow(mnt, offset!(vfsmount_root))? {
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
        let parent = follow(dentry, offset!(dentry_parent))?;
        let name = follow(dentry, offset!(dentry_name))?;
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
        scratch.work.place.dentry = parent;
    }
    tail::close(scratch, kind, section_status::TRUNCATED);
    Ok(())
}

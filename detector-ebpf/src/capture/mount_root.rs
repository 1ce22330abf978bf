//! The root mount of a mount namespace: what an engine gave the container as its root. A task can choose another root
//! directory for itself (chroot) and mount what it likes below, but neither moves this one.

use core::ptr::null;

use detector_common::{
    kernel_offsets::ABSENT,
    record::exec::{ExecRecord, known},
    settings::predicate,
};

use crate::{
    capture::{executable::Executable, namespaces, overlay_layer::OVERLAY_MAGIC},
    kernel_read::{Address, copy, pointer},
    settings::offset,
};

/// Mounts that are looked through on top of each other. One lies below every root: the kernel's own first one.
const STACKED: usize = 3;

/// [`predicate::FOREIGN`] or 0; could-not-tell counts as yes.
#[inline(always)]
pub(crate) fn predicates(exe: &Executable, task: Address, on_demand: u32) -> u32 {
    if on_demand & predicate::FOREIGN == 0 {
        return 0;
    }
    let root = of_task(task);
    let at_home = if exe.magic == OVERLAY_MAGIC {
        // Not the mount: what is mounted a second time elsewhere is the image all the same.
        pointer(root, offset!(vfsmount_sb)) == exe.sb
    } else {
        pointer(exe.file, offset!(file_path_mnt)) == root
    };
    if at_home {
        return 0;
    }
    let host = host(task);
    let (own, host) = (pointer(root, offset!(vfsmount_root)), pointer(host, offset!(vfsmount_root)));
    if own == host && !own.is_null() { 0 } else { predicate::FOREIGN }
}

/// Fills what the record says about the root mount.
#[inline(always)]
pub(crate) fn capture(record: &mut ExecRecord, task: Address, file: Address) {
    let root = of_task(task);
    let directory = pointer(root, offset!(vfsmount_root));
    let host_directory = pointer(host(task), offset!(vfsmount_root));
    let sb = pointer(root, offset!(vfsmount_sb));
    if directory.is_null() || host_directory.is_null() || sb.is_null() {
        return;
    }
    if copy(&mut record.exe.ns_root_dev, sb, offset!(sb_dev)) {
        record.known |= known::NS_ROOT;
    }
    if directory != host_directory {
        record.known |= known::OWN_NS_ROOT;
    }
    if pointer(file, offset!(file_path_mnt)) == root {
        record.known |= known::ON_NS_ROOT;
    }
}

#[inline(always)]
fn of_task(task: Address) -> Address {
    of_namespace(pointer(pointer(task, offset!(task_nsproxy)), offset!(nsproxy_mnt)))
}

#[inline(always)]
fn host(task: Address) -> Address {
    of_namespace(namespaces::host_mnt_ns(task).unwrap_or(null()))
}

/// The `vfsmount` that is seen at `/` of a mount namespace: the topmost of those that are mounted on the root of one
/// another. Null = could not be told.
#[inline(always)]
fn of_namespace(ns: Address) -> Address {
    if offset!(mount_vfsmount) == ABSENT || offset!(mount_child) == ABSENT || offset!(mount_mounts) == ABSENT
    {
        return null();
    }
    let mut mount = pointer(ns, offset!(mnt_ns_root));
    let mut step = 0;
    while step < STACKED {
        step += 1;
        let list = mount.wrapping_add(offset!(mount_mounts) as usize);
        // `list_head.prev`: the last one, as the others may have been mounted before something covered the root.
        let last = pointer(list, 8);
        if last.is_null() || last == list {
            break;
        }
        let child = last.wrapping_sub(offset!(mount_child) as usize);
        let mountpoint = pointer(child, offset!(mount_mountpoint));
        let directory = pointer(mount.wrapping_add(offset!(mount_vfsmount) as usize), offset!(vfsmount_root));
        if mountpoint != directory {
            break;
        }
        mount = child;
    }
    if mount.is_null() { mount } else { mount.wrapping_add(offset!(mount_vfsmount) as usize) }
}

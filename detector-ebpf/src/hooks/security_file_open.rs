//! `security_file_open`: every open, also those of io_uring. Only openings for writing are looked at, and of these only
//! regular files of overlays and of containers: who opened such a file last is who dropped it. Attached only where a rule
//! asks who that is.

use core::ptr::null;

use aya_ebpf::{
    helpers::{bpf_get_current_task, bpf_ktime_get_boot_ns},
    macros::{fentry, lsm},
    programs::{FEntryContext, LsmContext},
};
use detector_common::{
    kernel_offsets::ABSENT,
    limits::{WRITER_ARGV_BYTES, WRITER_CGROUP_BYTES, WRITER_HIERARCHIES, WRITER_NAME_BYTES},
    record::exec::{Writer, writer},
};

use crate::{
    capture::{cgroup, executable::Executable, namespaces, overlay_layer::OVERLAY_MAGIC, stdio, task::Ids},
    kernel_read::{Address, Fault, copy, pointer, read, read_str, read_user, typed},
    maps::{self, FileKey, Home},
    settings::offset,
};

/// `FMODE_WRITE`
const FOR_WRITING: u32 = 2;
/// `FMODE_CREATED`
const CREATED: u32 = 1 << 20;
/// `FMODE_NOACCOUNT`: a file of the kernel's own, such as the one in the upper layer that an overlay opens behind its own.
const BEHIND_ANOTHER: u32 = 1 << 29;
/// `S_IFREG`
const REGULAR: u32 = 0o100_000;

#[fentry(function = "security_file_open")]
fn detector_open(ctx: FEntryContext) -> i32 {
    open(ctx.arg(0));
    0
}

#[lsm(hook = "file_open")]
fn detector_open_lsm(ctx: LsmContext) -> i32 {
    open(ctx.arg(0));
    0
}

#[inline(always)]
fn open(file: Address) {
    if offset!(file_f_mode) == ABSENT {
        return;
    }
    let mode: u32 = typed(file, offset!(file_f_mode));
    if mode & FOR_WRITING == 0 || mode & BEHIND_ANOTHER != 0 {
        return;
    }
    // The kernel takes O_CREAT, O_EXCL, O_NOCTTY and O_TRUNC away only when the file system has opened the file.
    let flags: u32 = if offset!(file_f_flags) == ABSENT { 0 } else { typed(file, offset!(file_f_flags)) };
    let created = if mode & CREATED == 0 { 0 } else { writer::CREATED };
    let Ok(opened) = Executable::judge_typed(file) else { return };
    // What cannot be read here is a dropper that stays unknown.
    let _ = remember(&opened, flags | created);
}

#[inline(always)]
fn remember(opened: &Executable, open_flags: u32) -> Result<(), Fault> {
    let mode: u16 = read(opened.inode, offset!(inode_mode))?;
    if mode as u32 & stdio::TYPE != REGULAR {
        return Ok(());
    }
    // SAFETY: a helper without arguments.
    let task = unsafe { bpf_get_current_task() } as Address;
    if opened.magic != OVERLAY_MAGIC && !namespaces::container_like(task) {
        return Ok(());
    }
    let dev: u32 = read(opened.sb, offset!(sb_dev))?;
    let key = FileKey { ino: read(opened.inode, offset!(inode_ino))?, dev: dev as u64 };
    let mut writer = Writer {
        // SAFETY: a helper without arguments.
        boot_ns: unsafe { bpf_ktime_get_boot_ns() },
        open_flags,
        ..Writer::NOBODY
    };
    let leader = pointer(task, offset!(task_group_leader));
    copy(&mut writer.start_boot_ns, leader, offset!(task_start_boottime));
    copy(&mut writer.pid, task, offset!(task_tgid));
    copy(&mut writer.comm, leader, offset!(task_comm));
    if let Ok(ns) = namespaces::mnt_ns(task) {
        copy(&mut writer.mnt_ns, ns, offset!(mnt_ns_inum));
    }
    if let Ok(ids) = Ids::of(task) {
        writer.pidns_level = ids.level;
        copy(&mut writer.pid_ns, ids.namespace, offset!(pid_ns_inum));
        let first = pointer(ids.namespace, offset!(pid_ns_child_reaper));
        copy(&mut writer.pidns_start_boot_ns, first, offset!(task_start_boottime));
    }
    let mm = pointer(task, offset!(task_mm));
    name(&mut writer, mm);
    let _ = arguments(&mut writer, mm);
    maps::remember_writer(&key, &writer);
    // In the pid namespace of the host a number of a mount namespace stands for nothing for long.
    if writer.pidns_level > 0 {
        home(task, writer.pidns_start_boot_ns, writer.mnt_ns);
    }
    Ok(())
}

/// Remembers what its container is called, by the names of its cgroups: when the file is executed the container may be gone.
/// Once for each container, as names are read by many steps.
#[inline(always)]
fn home(task: Address, start: u64, mnt_ns: u32) {
    if maps::name_of(&Home { start, mnt_ns, hierarchy: 0 }).is_some() {
        return;
    }
    let set = pointer(task, offset!(task_cgroups));
    let mut hierarchy = 0;
    while hierarchy < WRITER_HIERARCHIES as u32 {
        let cgroup = if hierarchy == 0 {
            pointer(set, offset!(css_set_dfl_cgrp))
        } else {
            cgroup::of_controller(set, offset!(cgrp_id_pids)).unwrap_or(null())
        };
        let name = pointer(pointer(cgroup, offset!(cgroup_kn)), offset!(kernfs_name));
        let mut text = [0; WRITER_CGROUP_BYTES];
        // SAFETY: the destination has these bytes. Where it cannot be read it stays empty.
        let _ = unsafe { read_str::<WRITER_CGROUP_BYTES>(text.as_mut_ptr(), name) };
        maps::remember_home(&Home { start, mnt_ns, hierarchy }, &text);
        hierarchy += 1;
    }
}

/// The last part of the path of its program.
#[inline(always)]
fn name(writer: &mut Writer, mm: Address) {
    let dentry = pointer(pointer(mm, offset!(mm_exe_file)), offset!(file_path_dentry));
    let name = pointer(dentry, offset!(dentry_name));
    // SAFETY: the destination has these bytes. Where it cannot be read it stays empty.
    let _ = unsafe { read_str::<WRITER_NAME_BYTES>(writer.exe_name.as_mut_ptr(), name) };
}

/// The beginning of its arguments. They may be paged out, or changed by the process itself.
#[inline(always)]
fn arguments(writer: &mut Writer, mm: Address) -> Result<(), Fault> {
    let start: u64 = read(follow_mm(mm)?, offset!(mm_arg_start))?;
    let end: u64 = read(mm, offset!(mm_arg_end))?;
    let length = end.saturating_sub(start);
    let length = if length > WRITER_ARGV_BYTES as u64 { WRITER_ARGV_BYTES as u32 } else { length as u32 };
    // SAFETY: length is at most what the destination has.
    unsafe { read_user(writer.argv.as_mut_ptr(), length, start) }?;
    writer.argv_bytes = length;
    Ok(())
}

/// A kernel thread has none.
#[inline(always)]
fn follow_mm(mm: Address) -> Result<Address, Fault> {
    if mm.is_null() { Err(Fault::Read) } else { Ok(mm) }
}

//! `security_file_open`: every open, also those of io_uring. Only openings for writing are looked at, and of these only
//! regular files of overlays and of containers: who opened such a file last is who dropped it. Attached only where a rule
//! asks who that is.

use aya_ebpf::{
    helpers::{bpf_get_current_task, bpf_ktime_get_boot_ns},
    macros::{fentry, lsm},
    programs::{FEntryContext, LsmContext},
};
use detector_common::{
    kernel_offsets::ABSENT,
    limits::{WRITER_ARGV_BYTES, WRITER_NAME_BYTES},
    record::exec::Writer,
};

use crate::{
    capture::{executable::Executable, namespaces, overlay_layer::OVERLAY_MAGIC, stdio, task::Ids},
    kernel_read::{Address, Fault, copy, pointer, read, read_str, read_user, typed},
    maps::{self, FileKey},
    settings::offset,
};

/// `FMODE_WRITE`
const FOR_WRITING: u32 = 2;
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
    if offset!(file_f_mode) == ABSENT || typed::<u32>(file, offset!(file_f_mode)) & FOR_WRITING == 0 {
        return;
    }
    let Ok(opened) = Executable::judge_typed(file) else { return };
    // What cannot be read here is a dropper that stays unknown.
    let _ = remember(&opened);
}

#[inline(always)]
fn remember(opened: &Executable) -> Result<(), Fault> {
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
    }
    let mm = pointer(task, offset!(task_mm));
    name(&mut writer, mm);
    let _ = arguments(&mut writer, mm);
    maps::remember_writer(&key, &writer);
    Ok(())
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

//! Kernel state to record fields. Each file reads one kind of fact; a fact that cannot be read leaves its bit in
//! `known` clear, or marks its section, and the record goes out all the same.

pub(crate) mod ancestors;
pub(crate) mod arguments;
pub(crate) mod cgroup;
pub(crate) mod credentials;
pub(crate) mod executable;
pub(crate) mod namespaces;
pub(crate) mod overlay_layer;
pub(crate) mod path;
pub(crate) mod stdio;
pub(crate) mod task;
pub(crate) mod usage;
pub(crate) mod writable;

use detector_common::{
    counters::Counter,
    record::exec::{Section, SectionKind, known},
};

use crate::{
    kernel_read::{Address, Fault, follow},
    maps::{Scratch, count},
    settings::offset,
    tail::Tail,
};

/// Fills the whole record except its header; returns the bytes used behind the fixed part.
#[inline(always)]
pub(crate) fn exec(
    scratch: &mut Scratch,
    task: Address,
    old_tid: u32,
    bprm: Address,
    exe: &executable::Executable,
) -> u32 {
    let record = &mut scratch.record;
    record.known = 0;
    record.sections = [const { Section { offset: 0, len: 0, status: 0, same_as: 0 } }; _];

    task::capture(record, task, old_tid, bprm);
    namespaces::capture(record, task);
    usage::capture(record, task);
    stdio::capture(record, task);
    credentials::capture(record, task);
    executable::capture(record, task, exe);
    if let Ok(writable) = writable::is_writable(record, task, exe) {
        record.known |= known::WRITABLE;
        if writable {
            record.exe.flags |= detector_common::exe_flags::EXE_WRITABLE;
        }
    }

    let ancestors = ancestors::capture(&mut scratch.tail, task);
    let mut tail = Tail::new(&mut scratch.tail, &mut record.sections, ancestors.bytes);
    tail.close(SectionKind::Ancestors, 0, ancestors.status);
    let tail = &mut tail;
    arguments::argv(tail, &mut record.usage, task);
    sections(tail, task, bprm, exe);
    cgroup::capture(tail, task);
    arguments::env(tail, &mut record.usage, task);
    if tail.truncated() {
        count(Counter::Truncated);
    }
    tail.used()
}

/// The names and paths.
#[inline(always)]
fn sections(tail: &mut Tail, task: Address, bprm: Address, exe: &executable::Executable) {
    arguments::name(tail, SectionKind::Filename, bprm, offset!(bprm_filename));
    arguments::name(tail, SectionKind::Interp, bprm, offset!(bprm_interp));
    match follow(task, offset!(task_fs)) {
        Ok(fs) => {
            let root = path::Place::read(fs, offset!(fs_root_mnt), offset!(fs_root_dentry));
            let pwd = path::Place::read(fs, offset!(fs_pwd_mnt), offset!(fs_pwd_dentry));
            path::walk(tail, SectionKind::ExePath, exe.place(), root);
            path::walk(tail, SectionKind::Cwd, pwd, root);
        }
        Err(fault) => {
            path::walk(tail, SectionKind::ExePath, exe.place(), Err(Fault::Absent));
            tail.failed(SectionKind::Cwd, fault);
        }
    }
}

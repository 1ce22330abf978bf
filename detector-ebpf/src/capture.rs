//! Kernel state to record fields. Each file reads one kind of fact; a fact that cannot be read leaves its bit in
//! `known` clear, or marks its section, and the record goes out all the same.

pub(crate) mod ancestors;
pub(crate) mod arguments;
pub(crate) mod cgroup;
pub(crate) mod credentials;
pub(crate) mod dropper;
pub(crate) mod executable;
pub(crate) mod invocation;
pub(crate) mod mount_root;
pub(crate) mod namespaces;
pub(crate) mod overlay_layer;
pub(crate) mod path;
pub(crate) mod stdio;
pub(crate) mod subject;
pub(crate) mod task;
pub(crate) mod usage;
pub(crate) mod writable;

use detector_common::{counters::Counter, record::exec::SectionKind};

use crate::{
    kernel_read::{Address, clear, read},
    maps::{Scratch, count},
    settings::offset,
};

/// Fills the whole record except its header; `known` holds the bits that the caller knows.
#[inline(always)]
pub(crate) fn exec(scratch: &mut Scratch, task: Address, old_tid: u32, bprm: Address) {
    begin(scratch);
    process(scratch, task, old_tid, bprm);
    arguments::name(scratch, SectionKind::Filename, bprm, offset!(bprm_filename));
    arguments::name(scratch, SectionKind::Interp, bprm, offset!(bprm_interp));
    // Of a script the script counts, and not its interpreter.
    let (ino, dev) = if subject::script(scratch, bprm) {
        (scratch.work.subject.file.ino, scratch.work.subject.file.dev)
    } else {
        (scratch.record.exe.ino, scratch.record.exe.dev)
    };
    dropper::capture(scratch, ino, dev);
    surroundings(scratch, task);
}

/// Fills the whole record of a file that is mapped except its header.
#[inline(always)]
pub(crate) fn mapping(scratch: &mut Scratch, task: Address) {
    begin(scratch);
    subject::judge(scratch, task);
    let tid = read(task, offset!(task_pid)).unwrap_or(0);
    process(scratch, task, tid, core::ptr::null());
    subject::append(scratch);
    let (ino, dev) = (scratch.work.subject.file.ino, scratch.work.subject.file.dev);
    dropper::capture(scratch, ino, dev);
    surroundings(scratch, task);
}

#[inline(always)]
fn begin(scratch: &mut Scratch) {
    clear(&mut scratch.record.sections);
    scratch.work.used = 0;
    scratch.work.truncated = 0;
}

/// The process and its file.
#[inline(always)]
fn process(scratch: &mut Scratch, task: Address, old_tid: u32, bprm: Address) {
    task::capture(&mut scratch.record, task, old_tid, bprm);
    namespaces::capture(&mut scratch.record, task);
    usage::capture(&mut scratch.record, task);
    stdio::capture(&mut scratch.record, task);
    credentials::capture(&mut scratch.record, &mut scratch.work.cred, task);
    executable::capture(scratch, task);
    writable::capture(scratch, task);

    // The ancestors come first: their array needs the start of the tail.
    ancestors::capture(scratch, task);
    arguments::argv(scratch, task);
}

/// What is around it.
#[inline(always)]
fn surroundings(scratch: &mut Scratch, task: Address) {
    path::capture(scratch, task);
    path::stdio(scratch, task);
    cgroup::capture(scratch, task);
    path::ancestors(scratch);
    arguments::env(scratch, task);
    if scratch.work.truncated != 0 {
        count(Counter::Truncated);
    }
}

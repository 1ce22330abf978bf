//! The file that a record is about where that is not the executed one: a file that was mapped, or a script.

use core::mem::size_of;

use detector_common::{
    limits::PATH_COMPONENTS,
    record::exec::{SectionKind, Subject, known, section_status},
};

use crate::{
    capture::{executable, path},
    kernel_read::{Address, copy, pointer},
    maps::{self, Scratch},
    settings::{offset, scripts_seen},
    tail,
};

/// Judges the file beside the executed one in the place of the executed one, and puts what came of it aside: the tail begins with
/// the ancestors.
#[inline(always)]
pub(crate) fn judge(scratch: &mut Scratch, task: Address) {
    let executed = scratch.work.exe;
    scratch.record.known = known::NOTHING;
    scratch.work.exe = scratch.work.mapped;
    executable::capture(scratch, task);
    scratch.work.subject.known = scratch.record.known;
    scratch.work.subject.file = scratch.record.exe;
    scratch.work.exe = executed;
    scratch.record.known = known::NOTHING;
}

/// Appends the facts of the script of this exec, if one was put aside.
#[inline(always)]
pub(crate) fn script(scratch: &mut Scratch, bprm: Address) -> bool {
    if !scripts_seen() || pointer(bprm, offset!(bprm_filename)) == pointer(bprm, offset!(bprm_interp)) {
        return false;
    }
    scratch.work.key = bprm as u64;
    let Some(script) = maps::script_of(&scratch.work.key) else { return false };
    let script: Address = script.cast();
    if !copy(&mut scratch.work.subject, script, 0) {
        return false;
    }
    facts(scratch);
    true
}

/// Appends facts and path.
#[inline(always)]
pub(crate) fn append(scratch: &mut Scratch) {
    facts(scratch);
    let file = scratch.work.mapped.file;
    path::walk::<PATH_COMPONENTS>(
        scratch,
        SectionKind::SubjectPath,
        file,
        offset!(file_path_mnt),
        offset!(file_path_dentry),
    );
}

#[inline(always)]
fn facts(scratch: &mut Scratch) {
    let kind = SectionKind::Subject;
    tail::open(scratch, kind);
    let source: *const Subject = &scratch.work.subject;
    match tail::room::<{ size_of::<Subject>() }>(scratch) {
        None => tail::close(scratch, kind, section_status::TRUNCATED),
        Some(destination) => {
            let destination: *mut [u8; size_of::<Subject>()] = destination.cast();
            // SAFETY: room() has made sure of the bytes.
            if copy(unsafe { &mut *destination }, source.cast(), 0) {
                tail::advance(scratch, size_of::<Subject>() as u32);
                tail::close(scratch, kind, section_status::COMPLETE);
            }
        }
    }
}

//! argv, environment, and the names given to execve. At this tracepoint the argument pages have just been written
//! by the kernel, and no other thread is left that could change them.

use detector_common::{
    limits::{ARGV_BYTES, ENV_BYTES, FILENAME_BYTES},
    record::exec::{SectionKind, section_status},
};

use crate::{
    kernel_read::{Address, Fault, follow, read, read_str, read_user},
    maps::Scratch,
    settings::{offset, setting},
    tail,
};

/// Appends the argument area.
#[inline(always)]
pub(crate) fn argv(scratch: &mut Scratch, task: Address) {
    scratch.record.usage.argv_bytes = 0;
    tail::open(scratch, SectionKind::Argv);
    let copied = area(task, offset!(mm_arg_start), offset!(mm_arg_end)).and_then(|(start, length)| {
        scratch.record.usage.argv_bytes = length;
        copy::<ARGV_BYTES>(scratch, SectionKind::Argv, start, length)
    });
    if let Err(fault) = copied {
        tail::fail(scratch, SectionKind::Argv, fault);
    }
}

/// Appends the environment area when the rules want it.
#[inline(always)]
pub(crate) fn env(scratch: &mut Scratch, task: Address) {
    scratch.record.usage.env_bytes = 0;
    if setting!(want_env) == 0 {
        return;
    }
    tail::open(scratch, SectionKind::Env);
    let copied = area(task, offset!(mm_env_start), offset!(mm_env_end)).and_then(|(start, length)| {
        scratch.record.usage.env_bytes = length;
        copy::<ENV_BYTES>(scratch, SectionKind::Env, start, length)
    });
    if let Err(fault) = copied {
        tail::fail(scratch, SectionKind::Env, fault);
    }
}

/// Appends a name that the bprm points to.
#[inline(always)]
pub(crate) fn name(scratch: &mut Scratch, kind: SectionKind, bprm: Address, offset: u32) {
    tail::open(scratch, kind);
    if let Err(fault) = try_name(scratch, kind, bprm, offset) {
        tail::fail(scratch, kind, fault);
    }
}

#[inline(always)]
fn try_name(scratch: &mut Scratch, kind: SectionKind, bprm: Address, offset: u32) -> Result<(), Fault> {
    let pointer = follow(bprm, offset)?;
    let Some(destination) = tail::room::<FILENAME_BYTES>(scratch) else {
        tail::close(scratch, kind, section_status::TRUNCATED);
        return Ok(());
    };
    // SAFETY: room() has made sure of the bytes.
    let length = unsafe { read_str::<FILENAME_BYTES>(destination, pointer) }?;
    // The NUL stays behind: the next section overwrites it.
    tail::advance(scratch, length - 1);
    if length as usize == FILENAME_BYTES {
        tail::close(scratch, kind, section_status::TRUNCATED);
    } else {
        tail::close(scratch, kind, section_status::COMPLETE);
    }
    Ok(())
}

#[inline(always)]
fn area(task: Address, start: u32, end: u32) -> Result<(u64, u64), Fault> {
    let mm = follow(task, offset!(task_mm))?;
    let start: u64 = read(mm, start)?;
    let end: u64 = read(mm, end)?;
    Ok((start, end.saturating_sub(start)))
}

#[inline(always)]
fn copy<const N: usize>(
    scratch: &mut Scratch,
    kind: SectionKind,
    source: u64,
    length: u64,
) -> Result<(), Fault> {
    let Some(destination) = tail::room::<N>(scratch) else {
        tail::close(scratch, kind, section_status::TRUNCATED);
        return Ok(());
    };
    let cut = length > N as u64;
    let length = if cut { N as u32 } else { length as u32 };
    // SAFETY: room() has made sure of N bytes and length is at most N.
    unsafe { read_user(destination, length, source) }?;
    tail::advance(scratch, length);
    if cut {
        tail::close(scratch, kind, section_status::TRUNCATED);
    } else {
        tail::close(scratch, kind, section_status::COMPLETE);
    }
    Ok(())
}

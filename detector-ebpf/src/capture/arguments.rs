//! argv, environment, and the names given to execve. At this tracepoint the argument pages have just been written
//! by the kernel, and no other thread is left that could change them.

use detector_common::{
    limits::{ARGV_BYTES, ENV_BYTES, FILENAME_BYTES},
    record::exec::{SectionKind, Usage, section_status},
};

use crate::{
    kernel_read::{Address, Fault, follow, read, read_str, read_user},
    settings::{offset, setting},
    tail::Tail,
};

/// Appends the argument area.
#[inline(always)]
pub(crate) fn argv(tail: &mut Tail, usage: &mut Usage, task: Address) {
    match area(task, offset!(mm_arg_start), offset!(mm_arg_end)) {
        Ok((start, length)) => {
            usage.argv_bytes = length;
            copy::<ARGV_BYTES>(tail, SectionKind::Argv, start, length);
        }
        Err(fault) => tail.failed(SectionKind::Argv, fault),
    }
}

/// Appends the environment area when the rules want it.
#[inline(always)]
pub(crate) fn env(tail: &mut Tail, usage: &mut Usage, task: Address) {
    if setting!(want_env) == 0 {
        return;
    }
    match area(task, offset!(mm_env_start), offset!(mm_env_end)) {
        Ok((start, length)) => {
            usage.env_bytes = length;
            copy::<ENV_BYTES>(tail, SectionKind::Env, start, length);
        }
        Err(fault) => tail.failed(SectionKind::Env, fault),
    }
}

/// Appends a name that the bprm points to.
#[inline(always)]
pub(crate) fn name(tail: &mut Tail, kind: SectionKind, bprm: Address, offset: u32) {
    let start = tail.used();
    let pointer = match follow(bprm, offset) {
        Ok(pointer) => pointer,
        Err(fault) => return tail.failed(kind, fault),
    };
    let Some(destination) = tail.room::<FILENAME_BYTES>() else {
        return tail.close(kind, start, section_status::TRUNCATED);
    };
    // SAFETY: room() has made sure of the bytes.
    match unsafe { read_str::<FILENAME_BYTES>(destination, pointer) } {
        Ok(length) => {
            // The NUL stays behind: the next section overwrites it.
            tail.advance(length - 1);
            let full = length as usize == FILENAME_BYTES;
            tail.close(kind, start, if full { section_status::TRUNCATED } else { section_status::COMPLETE });
        }
        Err(fault) => tail.failed(kind, fault),
    }
}

#[inline(always)]
fn area(task: Address, start: u32, end: u32) -> Result<(u64, u64), Fault> {
    let mm = follow(task, offset!(task_mm))?;
    let start: u64 = read(mm, start)?;
    let end: u64 = read(mm, end)?;
    Ok((start, end.saturating_sub(start)))
}

#[inline(always)]
fn copy<const N: usize>(tail: &mut Tail, kind: SectionKind, source: u64, length: u64) {
    let start = tail.used();
    let Some(destination) = tail.room::<N>() else {
        return tail.close(kind, start, section_status::TRUNCATED);
    };
    let (length, status) = if length > N as u64 {
        (N as u32, section_status::TRUNCATED)
    } else {
        (length as u32, section_status::COMPLETE)
    };
    // SAFETY: room() has made sure of N bytes and length is at most N.
    match unsafe { read_user(destination, length, source) } {
        Ok(()) => {
            tail.advance(length);
            tail.close(kind, start, status);
        }
        Err(fault) => tail.failed(kind, fault),
    }
}

//! What the verifier thought of the agent's programs, asked from the kernel itself: works for any agent, whatever
//! library it loads with.

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd};

/// Commands of bpf(2).
const PROG_GET_NEXT_ID: libc::c_int = 11;
const PROG_GET_FD_BY_ID: libc::c_int = 13;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;

/// Bytes of `struct bpf_prog_info` up to and with `verified_insns`; what a kernel does not know stays zero.
const INFO_BYTES: u32 = 224;
const JITED_LEN: usize = 16;
const NAME: usize = 64;
const NAME_BYTES: usize = 16;
const VERIFIED: usize = 216;

/// One loaded program.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// The first 15 bytes of its name.
    pub(crate) name: String,
    /// Instructions that the verifier processed; kernels before 5.16 do not tell.
    pub(crate) verified: Option<u32>,
    /// Bytes of machine code.
    pub(crate) machine_code: u32,
}

/// All programs of this machine.
pub(crate) fn loaded() -> std::io::Result<Vec<Program>> {
    let mut programs = Vec::new();
    let mut id = 0;
    loop {
        // start id, next id, flags
        let mut next = [id, 0, 0];
        match bpf(PROG_GET_NEXT_ID, &mut next) {
            Ok(_) => id = next[1],
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(programs),
            Err(error) => return Err(error),
        }
        let file = bpf(PROG_GET_FD_BY_ID, &mut [id, 0, 0])?;
        // SAFETY: the kernel has just made this descriptor for us.
        let file = unsafe { File::from_raw_fd(file) };
        programs.push(describe(&file)?);
    }
}

fn describe(file: &File) -> std::io::Result<Program> {
    let mut info = [0_u8; INFO_BYTES as usize];
    let address = info.as_mut_ptr() as u64;
    // descriptor, length, and the address as two words; all kernels that are booted here are little endian
    let half = |shift: u32| u32::try_from(address >> shift & 0xffff_ffff).map_err(std::io::Error::other);
    let mut question = [file.as_raw_fd().cast_unsigned(), INFO_BYTES, half(0)?, half(32)?];
    bpf(OBJ_GET_INFO_BY_FD, &mut question)?;
    Ok(parse(&info))
}

fn parse(info: &[u8]) -> Program {
    let number = |at: usize| {
        let bytes = info.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_le_bytes)
    };
    let name = info.get(NAME..NAME + NAME_BYTES).unwrap_or_default();
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    Program {
        name: String::from_utf8_lossy(name).into_owned(),
        verified: Some(number(VERIFIED)).filter(|count| *count > 0),
        machine_code: number(JITED_LEN),
    }
}

fn bpf<const WORDS: usize>(command: libc::c_int, attributes: &mut [u32; WORDS]) -> std::io::Result<i32> {
    // SAFETY: the attributes are as long as the kernel is told, and the buffer that they may point to outlives the call.
    let answer =
        unsafe { libc::syscall(libc::SYS_bpf, command, attributes.as_mut_ptr(), size_of_val(attributes)) };
    if answer < 0 {
        return Err(std::io::Error::last_os_error());
    }
    i32::try_from(answer).map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_and_what_the_kernel_does_not_tell_is_none() {
        let mut info = [0; INFO_BYTES as usize];
        info[JITED_LEN] = 7;
        info[NAME..NAME + 4].copy_from_slice(b"exec");
        let program = Program { name: "exec".to_owned(), verified: None, machine_code: 7 };
        assert_eq!(parse(&info), program);
        info[VERIFIED + 1] = 1;
        assert_eq!(parse(&info), Program { verified: Some(256), ..program });
    }
}

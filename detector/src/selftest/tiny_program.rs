//! The smallest program that Linux runs: one header, one segment, `exit(0)`. Made here byte by byte, so that the test
//! needs no file of the host and costs no time to copy.
//!
//! Layout source: elf(5), ELF64.

#[cfg(target_arch = "x86_64")]
mod machine {
    pub(super) const NUMBER: u16 = 62;
    /// `xor edi, edi; mov eax, 60; syscall`
    pub(super) const CODE: &[u8] = &[0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05];
}

#[cfg(target_arch = "aarch64")]
mod machine {
    pub(super) const NUMBER: u16 = 183;
    /// `mov x0, #0; mov x8, #93; svc #0`
    pub(super) const CODE: &[u8] = &[0x00, 0x00, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4];
}

const HEADER: u16 = 64;
const SEGMENT_HEADER: u16 = 56;
const CODE_AT: u64 = HEADER as u64 + SEGMENT_HEADER as u64;
/// Far from what the kernel does not let programs map, and fit for pages of 64 KiB.
const LOADED_AT: u64 = 0x40_0000;
const LARGEST_PAGE: u64 = 0x1_0000;
const EXECUTABLE: u16 = 2;
const LOAD: u32 = 1;
const READ_AND_EXECUTE: u32 = 5;

/// The whole file.
pub(super) fn bytes() -> Vec<u8> {
    let size = CODE_AT + machine::CODE.len() as u64;
    let mut file = Vec::with_capacity(256);
    // 64 bits, little endian, version 1, System V.
    file.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    let halves = |file: &mut Vec<u8>, values: &[u16]| {
        file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    };
    let words = |file: &mut Vec<u8>, values: &[u32]| {
        file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    };
    let longs = |file: &mut Vec<u8>, values: &[u64]| {
        file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    };
    halves(&mut file, &[EXECUTABLE, machine::NUMBER]);
    words(&mut file, &[1]);
    // Entry, segment headers, section headers.
    longs(&mut file, &[LOADED_AT + CODE_AT, u64::from(HEADER), 0]);
    words(&mut file, &[0]);
    halves(&mut file, &[HEADER, SEGMENT_HEADER, 1, 0, 0, 0]);
    words(&mut file, &[LOAD, READ_AND_EXECUTE]);
    // Offset, virtual and physical address, size in the file and in memory, alignment.
    longs(&mut file, &[0, LOADED_AT, LOADED_AT, size, size, LARGEST_PAGE]);
    file.extend(machine::CODE);
    file
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

    use super::{CODE_AT, bytes, machine};

    #[test]
    fn the_code_lies_where_the_header_says() {
        let file = bytes();
        assert_eq!(file.len() as u64, CODE_AT + machine::CODE.len() as u64);
        assert_eq!(&file[120..], machine::CODE);
    }

    #[test]
    fn it_runs_and_ends_with_zero() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tiny");
        fs::write(&path, bytes()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        // Another test's fork may hold the file open for writing for a moment.
        let status = loop {
            match Command::new(&path).status() {
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {}
                result => break result.unwrap(),
            }
        };
        assert_eq!(status.code(), Some(0));
    }
}

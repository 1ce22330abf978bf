//! The smallest static program: it exits with 0 at its first instruction. The cheaper the exec that is measured, the
//! less of the agent's share can hide behind it.

/// Where the file is mapped.
const BASE: u64 = 0x40_0000;
/// `Elf64_Ehdr` and one `Elf64_Phdr`.
const HEADERS: u64 = 64 + 56;

/// `exit(0)`, and the machine's number in ELF.
#[cfg(target_arch = "x86_64")]
const CODE: (u16, &[u8]) = (62, &[0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05]);
/// `exit(0)`, and the machine's number in ELF.
#[cfg(target_arch = "aarch64")]
const CODE: (u16, &[u8]) = (183, &[0, 0, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 1, 0, 0, 0xd4]);

/// The bytes of the program.
pub(crate) fn program() -> Vec<u8> {
    let (machine, code) = CODE;
    let size = HEADERS + code.len() as u64;
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let half =
        |file: &mut Vec<u8>, values: &[u16]| file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    let word =
        |file: &mut Vec<u8>, values: &[u32]| file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    let long =
        |file: &mut Vec<u8>, values: &[u64]| file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    // ET_EXEC, machine; EV_CURRENT; entry, program headers at 64, no sections; flags; sizes.
    half(&mut file, &[2, machine]);
    word(&mut file, &[1]);
    long(&mut file, &[BASE + HEADERS, 64, 0]);
    word(&mut file, &[0]);
    half(&mut file, &[64, 56, 1, 64, 0, 0]);
    // PT_LOAD, readable and executable; offset, addresses, sizes, alignment.
    word(&mut file, &[1, 5]);
    long(&mut file, &[0, BASE, BASE, size, size, 0x1000]);
    file.extend(code);
    file
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_kernel_runs_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("no-op");
        std::fs::write(&path, super::program()).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
        let status = std::process::Command::new(&path).status().expect("started");
        assert_eq!(status.code(), Some(0));
    }
}

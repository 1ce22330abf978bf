//! The tree of files that serves as container image: a static busybox, the probe, and what a shell needs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::{helper_binaries, program_copy};

/// The applets that scripts of the cases use; each is a link to `/bin/busybox` as in the official image.
const APPLETS: &[&str] = &[
    "cat", "chmod", "chown", "cp", "dd", "echo", "false", "id", "ln", "ls", "mkdir", "mv", "printf",
    "readlink", "rm", "sh", "sleep", "stat", "touch", "true",
];

/// A program of the image that no applet link leads to: cases change it and run it. It is the probe.
pub const TOOL: &str = "/usr/bin/tool";

/// Fills the empty folder `root` with the image.
pub fn build(root: &Path) {
    for folder in ["bin", "dev", "etc", "host-proc", "proc", "root", "tmp", "usr/bin"] {
        must(fs::create_dir_all(root.join(folder)), "make the image folder", folder);
    }
    must(fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)), "open", "tmp");
    program_copy::copy(&busybox(), &root.join("bin/busybox"));
    for applet in APPLETS {
        must(symlink("/bin/busybox", root.join("bin").join(applet)), "link the applet", applet);
    }
    let probe = helper_binaries::path("probe");
    program_copy::copy(&probe, &root.join("bin/probe"));
    program_copy::copy(&probe, &root.join(TOOL.trim_start_matches('/')));
    must(fs::write(root.join("dev/null"), ""), "make", "dev/null");
    // As engines make it; where TOMOYO is on, executing a descriptor needs it.
    must(symlink("/proc/self/fd", root.join("dev/fd")), "link", "dev/fd");
    let passwd = "root:x:0:0:root:/root:/bin/sh\ncarol:x:1000:1000::/tmp:/bin/sh\n";
    must(fs::write(root.join("etc/passwd"), passwd), "write", "etc/passwd");
    must(fs::write(root.join("etc/group"), "root:x:0:\ncarol:x:1000:\n"), "write", "etc/group");
}

/// The host's static busybox, by PATH first; the package is named when there is none.
#[must_use]
pub fn busybox() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/bin", "/usr/bin"].map(PathBuf::from);
    let mut found = std::env::split_paths(&path).chain(system).map(|folder| folder.join("busybox"));
    found.find(|file| fs::read(file).is_ok_and(|bytes| is_static(&bytes))).unwrap_or_else(|| {
        panic!(
            "no static busybox: the containers of the tests are made of it (apt-get install busybox-static)"
        )
    })
}

/// Whether these are the bytes of a 64-bit little-endian ELF program that asks for no dynamic loader (`PT_INTERP`).
fn is_static(program: &[u8]) -> bool {
    const PT_INTERP: u64 = 3;
    let number = |at: usize, size: usize| {
        let bytes = program.get(at..at.checked_add(size)?)?;
        Some(bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)))
    };
    // Fields of Elf64_Ehdr: e_phoff at 32, e_phentsize at 54, e_phnum at 56; a program header starts with its type.
    let header = || Some((number(32, 8)?, number(54, 2)?, number(56, 2)?));
    let Some((offset, size, count)) = header() else { return false };
    let kind = |index: u64| number(usize::try_from(offset.checked_add(index * size)?).ok()?, 4);
    program.starts_with(b"\x7fELF\x02\x01")
        && (0..count).all(|index| kind(index).is_some_and(|kind| kind != PT_INTERP))
}

#[track_caller]
fn must<T>(result: std::io::Result<T>, doing: &str, on: &str) -> T {
    result.unwrap_or_else(|error| panic!("cannot {doing} {on}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_need_a_loader_are_not_static() {
        let own = fs::read("/proc/self/exe").expect("this test program");
        assert!(!is_static(&own), "cargo links test programs dynamically");
        assert!(is_static(&fs::read(helper_binaries::path("probe")).expect("the probe")));
        assert!(!is_static(b"#!/bin/sh\n"));
        assert!(!is_static(&own[..60]), "cut in its header");
    }
}

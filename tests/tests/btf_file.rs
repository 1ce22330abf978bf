//! Kernels that do not describe their own types: the agent takes BTF from a file or an archive of files, or says what it
//! looked for.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use detector_tests::case::has_root;
use detector_tests::process::{self, Finished};
use detector_tests::program_copy;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use tempfile::TempDir;

detector_tests::same_on_every_kernel!("it is about files that describe a kernel");

/// Takes the kernel's own BTF out of this process' sight.
fn hide_btf() -> io::Result<()> {
    let none = None::<&str>;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    Ok(mount(Some("none"), "/sys/kernel/btf", Some("tmpfs"), MsFlags::empty(), none)?)
}

/// Runs the agent for a second where the kernel shows no BTF.
#[track_caller]
fn without_kernel_btf(arguments: &[&str]) -> Finished {
    let (_folder, program) = program_copy::agent_for_everyone();
    let mut command = Command::new(&program);
    command.args(["-M", "1"]).args(arguments);
    // SAFETY: what runs there are system calls, which touch no memory of the parent.
    unsafe { command.pre_exec(hide_btf) };
    process::run(command)
}

/// A folder with a copy of the kernel's BTF at this place in it.
#[track_caller]
fn folder_with_btf(place: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(place);
    fs::create_dir_all(file.parent().expect("a place in the folder")).expect("the folders above it");
    fs::copy("/sys/kernel/btf/vmlinux", &file).expect("a copy of the kernel's BTF");
    folder
}

fn release() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").expect("the release").trim().to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}

#[test]
fn no_btf_but_a_file() {
    if !has_root("no_btf_but_a_file") {
        return;
    }
    let folder = folder_with_btf("mine");
    let finished = without_kernel_btf(&["--btf", text(&folder.path().join("mine"))]);
    assert_eq!(finished.code(), 0, "{finished}");
    assert!(finished.stderr.contains("hooks armed"), "{finished}");
}

#[test]
fn no_btf_but_an_archive() {
    if !has_root("no_btf_but_an_archive") {
        return;
    }
    let folder = folder_with_btf(&format!("{}.btf", release()));
    let finished = without_kernel_btf(&["--btf-dir", text(folder.path())]);
    assert_eq!(finished.code(), 0, "{finished}");
    let by_configuration = format!("btf_dir={}", folder.path().display());
    let finished = without_kernel_btf(&["-o", &by_configuration]);
    assert_eq!(finished.code(), 0, "{finished}");
}

#[test]
fn an_archive_without_this_kernel() {
    if !has_root("an_archive_without_this_kernel") {
        return;
    }
    let folder = folder_with_btf("0.0.1.btf");
    let finished = without_kernel_btf(&["--btf-dir", text(folder.path())]);
    assert_eq!(finished.code(), 1, "{finished}");
    for part in [text(folder.path()), &format!("{}.btf.tar.xz", release()), "--btf FILE"] {
        assert!(finished.stderr.contains(part), "`{part}` is not in: {finished}");
    }
}

#[test]
fn a_file_that_is_no_btf() {
    if !has_root("a_file_that_is_no_btf") {
        return;
    }
    for (file, expected) in [
        ("/etc/passwd", "not BTF"),
        ("/proc/self/exe", "an ELF file, not raw BTF"),
        ("/no/such/file", "there is no BTF at /no/such/file"),
    ] {
        let finished = without_kernel_btf(&["--btf", file]);
        assert_eq!(finished.code(), 1, "{finished}");
        assert!(finished.stderr.contains(expected), "`{expected}` is not in: {finished}");
    }
}

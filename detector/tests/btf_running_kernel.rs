//! The running kernel's own BTF: facts that hold on every kernel, checked against what the system says of itself.
//! On a machine whose kernel shows no BTF each test says so and checks that the reader says so too.

use std::path::Path;

use detector::kernel::{
    btf::{Btf, BtfError, KERNEL_BTF, read_kernel_btf},
    offsets::{resolve, resolve_all},
};
use detector_common::kernel_offsets::ABSENT;

fn with_kernel_btf(check: impl FnOnce(&Btf<'_>)) {
    match read_kernel_btf(Path::new(KERNEL_BTF)) {
        Ok(bytes) => check(&Btf::parse(&bytes).expect("the kernel's own BTF")),
        Err(error) => {
            assert!(!Path::new(KERNEL_BTF).exists(), "{error}");
            assert!(matches!(error, BtfError::NotThere { .. }), "{error}");
            eprintln!("not checked against a kernel: {error}");
        }
    }
}

#[test]
fn sizes_that_the_system_call_interface_fixes() {
    with_kernel_btf(|btf| {
        assert_eq!(btf.member_size("task_struct", "comm"), Some(16));
        assert_eq!(btf.size_of("rlimit"), Some(16));
        assert_eq!(btf.member_size("signal_struct", "rlim"), Some(16 * 16), "RLIM_NLIMITS");
        assert_eq!(btf.member_size("cred", "uid"), Some(4));
        assert_eq!(btf.member_size("cred", "cap_effective"), Some(8));
        assert_eq!(btf.size_of("list_head"), Some(16));
        assert_eq!(btf.member_offset("list_head", "prev"), Some(8));
        assert_eq!(btf.enum_value("pid_type", "PIDTYPE_TGID"), Some(1));
        assert_eq!(btf.size_of("no_kernel_has_this_struct"), None);
    });
}

#[test]
fn members_come_in_the_order_that_kernels_keep() {
    with_kernel_btf(|btf| {
        let group = btf.member_offset("signal_struct", "pids[2]").unwrap();
        assert_eq!(btf.member_offset("signal_struct", "pids[3]"), Some(group + 8));
        let thread = btf.member_offset("task_struct", "pid").unwrap();
        assert_eq!(btf.member_offset("task_struct", "tgid"), Some(thread + 4));
        let path = btf.member_offset("file", "f_path").unwrap();
        assert_eq!(btf.member_offset("file", "f_path.mnt"), Some(path));
        assert_eq!(btf.member_offset("file", "f_path.dentry"), Some(path + 8));
        let name = btf.member_offset("dentry", "d_name").unwrap();
        assert_eq!(btf.member_offset("dentry", "d_name.name"), Some(name + 8), "behind hash and length");
    });
}

#[test]
fn bit_fields_have_no_offset() {
    with_kernel_btf(|btf| {
        let error = btf.find_member("task_struct", "sched_reset_on_fork").unwrap_err();
        assert_eq!(error.to_string(), "a bit-field");
    });
}

#[test]
fn every_offset_lies_in_its_struct() {
    with_kernel_btf(|btf| {
        let offsets = resolve(btf).unwrap();
        let owners = [
            ("bprm_", "linux_binprm"),
            ("file_", "file"),
            ("dentry_", "dentry"),
            ("inode_", "inode"),
            ("task_", "task_struct"),
            ("mm_", "mm_struct"),
            ("cred_", "cred"),
            ("css_set_", "css_set"),
            ("kernfs_", "kernfs_node"),
            ("signal_", "signal_struct"),
        ];
        let mut checked = 0;
        for (name, at) in offsets.entries().filter(|&(_, at)| at != ABSENT) {
            if let Some((_, owner)) = owners.iter().find(|(prefix, _)| name.starts_with(prefix)) {
                let size = btf.size_of(owner).unwrap();
                assert!(at <= size, "{name} at {at} of {size} bytes of {owner}");
                checked += 1;
            }
        }
        assert!(checked > 60, "{checked}");
    });
}

/// What may be absent on a kernel that runs containers is what may be configured away.
#[test]
fn only_what_is_configurable_is_absent() {
    with_kernel_btf(|btf| {
        let (offsets, absent) = resolve_all(btf).unwrap();
        let configurable = ["task_loginuid", "task_sessionid", "tty_", "cgrp_id_"];
        for missing in &absent {
            assert!(configurable.iter().any(|prefix| missing.entry.starts_with(prefix)), "{missing}");
        }
        let absent_values = offsets.entries().filter(|&(_, at)| at == ABSENT).count();
        assert_eq!(absent_values, absent.len());
    });
}

//! System calls that neither the agent nor what an output starts has a use for. A list of what is forbidden, not of what is
//! allowed: the filter is inherited by the programs of `program_output`, and nobody knows what those call.
//!
//! A forbidden call fails (EPERM) and kills nobody: an agent that ends because a library tried something harmless would be
//! blind, and an attacker is stopped by either.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter_all_threads,
};

/// Mount and namespaces, modules and kernels, other processes, clocks, keys, and ways around other filters.
const FORBIDDEN: &[libc::c_long] = &[
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_perf_event_open,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_open_by_handle_at,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_vhangup,
    libc::SYS_lookup_dcookie,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_personality,
];

/// Only there, or with a name only there.
#[cfg(target_arch = "x86_64")]
const FORBIDDEN_HERE: &[libc::c_long] =
    &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_kexec_file_load];
/// `kexec_file_load`, which libc does not name for this processor with musl; source: `include/uapi/asm-generic/unistd.h`.
#[cfg(not(target_arch = "x86_64"))]
const FORBIDDEN_HERE: &[libc::c_long] = &[294];

/// Calls of bpf(2) that read and write maps: `BPF_MAP_LOOKUP_ELEM`, `_UPDATE_ELEM`, `_GET_NEXT_KEY`.
const BPF_ALLOWED: [u64; 3] = [1, 2, 4];
/// `CLONE_NEW...` of the kinds of namespaces that clone(2) makes; it takes a bit of `CLONE_NEWTIME` for one of a signal.
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];
/// Calls of the x32 kind, which a 64-bit kernel may offer beside its own.
#[cfg(target_arch = "x86_64")]
const OTHER_KIND: Option<libc::c_long> = Some(0x4000_0000);
#[cfg(not(target_arch = "x86_64"))]
const OTHER_KIND: Option<libc::c_long> = None;

/// Why there is no filter.
#[derive(Debug, thiserror::Error)]
#[error("cannot filter system calls: {0}")]
pub(super) struct FilterError(String);

fn failed(error: impl std::fmt::Display) -> FilterError {
    FilterError(error.to_string())
}

/// Installs the filter for all threads.
pub(super) fn forbid() -> Result<(), FilterError> {
    apply_filter_all_threads(&filter(no_clone3(), libc::ENOSYS)?).map_err(failed)?;
    apply_filter_all_threads(&filter(forbidden()?, libc::EPERM)?).map_err(failed)
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Its flags lie in memory, where no filter can see them. Who is told that the kernel does not have it uses clone(2).
fn no_clone3() -> Rules {
    Rules::from([(libc::SYS_clone3, Vec::new())])
}

fn forbidden() -> Result<Rules, FilterError> {
    let mut rules: Rules =
        FORBIDDEN.iter().chain(FORBIDDEN_HERE).map(|number| (*number, Vec::new())).collect();
    let condition =
        |argument, operator, value| SeccompCondition::new(argument, Dword, operator, value).map_err(failed);
    let other_command = BPF_ALLOWED
        .iter()
        .map(|command| condition(0, SeccompCmpOp::Ne, *command))
        .collect::<Result<Vec<_>, _>>()?;
    rules.insert(libc::SYS_bpf, vec![SeccompRule::new(other_command).map_err(failed)?]);
    let mut clone = Vec::new();
    for flag in NAMESPACES {
        let flag = u64::from(flag.cast_unsigned());
        let has_it = condition(0, SeccompCmpOp::MaskedEq(flag), flag)?;
        clone.push(SeccompRule::new(vec![has_it]).map_err(failed)?);
    }
    rules.insert(libc::SYS_clone, clone);
    if let Some(kind) = OTHER_KIND {
        let others: Rules = rules.keys().map(|number| (number | kind, Vec::new())).collect();
        rules.extend(others);
    }
    Ok(rules)
}

fn filter(rules: Rules, errno: libc::c_int) -> Result<BpfProgram, FilterError> {
    let architecture = std::env::consts::ARCH.try_into().map_err(failed)?;
    let refused = SeccompAction::Errno(errno.cast_unsigned());
    SeccompFilter::new(rules, SeccompAction::Allow, refused, architecture)
        .map_err(failed)?
        .try_into()
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::{Rules, filter, forbidden, no_clone3};

    /// Building it asks nothing of the kernel.
    #[test]
    fn the_filter_is_well_formed() {
        let rules: Rules = forbidden().unwrap();
        assert!(rules.contains_key(&libc::SYS_mount) && !rules.contains_key(&libc::SYS_execve));
        assert!(!filter(rules, libc::EPERM).unwrap().is_empty());
        assert!(!filter(no_clone3(), libc::ENOSYS).unwrap().is_empty());
    }
}

//! Namespace inode numbers, and the cheap test that tells a container-like task from a host process.

use detector_common::record::exec::{ExecRecord, Namespaces};

use crate::{
    capture::task::{Ids, in_host_pid_ns},
    kernel_read::{Address, Fault, follow, read},
    settings::{offset, setting},
};

/// Whether the task lives in another mount or pid namespace than the host's first process. Where that cannot be
/// told the answer is yes: user space looks closer.
#[inline(always)]
pub(crate) fn container_like(task: Address) -> bool {
    match mnt(task) {
        Ok(inum) if inum == setting!(host_mnt_ns) => !in_host_pid_ns(task).unwrap_or(false),
        _ => true,
    }
}

#[inline(always)]
fn mnt(task: Address) -> Result<u32, Fault> {
    of(task, offset!(nsproxy_mnt), offset!(mnt_ns_inum))
}

#[inline(always)]
fn of(task: Address, member: u32, inum: u32) -> Result<u32, Fault> {
    read(follow(follow(task, offset!(task_nsproxy))?, member)?, inum)
}

/// Fills `record.namespaces`.
#[inline(always)]
pub(crate) fn capture(record: &mut ExecRecord, task: Address) {
    let user = follow(task, offset!(task_cred))
        .and_then(|cred| follow(cred, offset!(cred_user_ns)))
        .and_then(|ns| read(ns, offset!(user_ns_inum)));
    let pid = Ids::of(task).and_then(|ids| read(ids.namespace, offset!(pid_ns_inum)));
    record.namespaces = Namespaces {
        mnt: mnt(task).unwrap_or(0),
        pid: pid.unwrap_or(0),
        user: user.unwrap_or(0),
        net: of(task, offset!(nsproxy_net), offset!(net_ns_inum)).unwrap_or(0),
        uts: of(task, offset!(nsproxy_uts), offset!(uts_ns_inum)).unwrap_or(0),
        ipc: of(task, offset!(nsproxy_ipc), offset!(ipc_ns_inum)).unwrap_or(0),
        cgroup: of(task, offset!(nsproxy_cgroup), offset!(cgroup_ns_inum)).unwrap_or(0),
        reserved: 0,
    };
}

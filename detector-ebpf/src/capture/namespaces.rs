//! Namespace inode numbers, and the cheap test that tells a container-like task from a host process.

use detector_common::record::exec::ExecRecord;

use crate::{
    capture::task::Ids,
    kernel_read::{Address, Fault, copy, follow, read},
    settings::offset,
};

/// Whether the task lives in another mount or pid namespace than the host's first process. Where that cannot be
/// told the answer is yes: user space looks closer.
#[inline(always)]
pub(crate) fn container_like(task: Address) -> bool {
    differs(task).unwrap_or(true)
}

#[inline(always)]
fn differs(task: Address) -> Result<bool, Fault> {
    if Ids::of(task)?.level > 0 {
        return Ok(true);
    }
    let own = read::<u32>(mnt_ns(task)?, offset!(mnt_ns_inum))?;
    Ok(own != read::<u32>(host_mnt_ns(task)?, offset!(mnt_ns_inum))?)
}

#[inline(always)]
pub(crate) fn mnt_ns(task: Address) -> Result<Address, Fault> {
    follow(follow(task, offset!(task_nsproxy))?, offset!(nsproxy_mnt))
}

/// The mount namespace of the host's first process: the outermost number of any task belongs to the initial pid
/// namespace, whose reaper that process is.
#[inline(always)]
pub(crate) fn host_mnt_ns(task: Address) -> Result<Address, Fault> {
    mnt_ns(follow(Ids::initial_namespace(task)?, offset!(pid_ns_child_reaper))?)
}

/// Fills `record.namespaces`; what cannot be read stays 0.
#[inline(always)]
pub(crate) fn capture(record: &mut ExecRecord, task: Address) {
    let numbers = &mut record.namespaces;
    numbers.mnt = 0;
    numbers.pid = 0;
    numbers.user = 0;
    numbers.net = 0;
    numbers.uts = 0;
    numbers.ipc = 0;
    numbers.cgroup = 0;
    numbers.host_mnt = 0;
    if let Ok(ns) = mnt_ns(task) {
        copy(&mut numbers.mnt, ns, offset!(mnt_ns_inum));
    }
    if let Ok(ns) = host_mnt_ns(task) {
        copy(&mut numbers.host_mnt, ns, offset!(mnt_ns_inum));
    }
    if let Ok(ids) = Ids::of(task) {
        copy(&mut numbers.pid, ids.namespace, offset!(pid_ns_inum));
    }
    if let Ok(cred) = follow(task, offset!(task_cred))
        && let Ok(ns) = follow(cred, offset!(cred_user_ns))
    {
        copy(&mut numbers.user, ns, offset!(user_ns_inum));
    }
    let Ok(proxy) = follow(task, offset!(task_nsproxy)) else {
        return;
    };
    number(&mut numbers.net, proxy, offset!(nsproxy_net), offset!(net_ns_inum));
    number(&mut numbers.uts, proxy, offset!(nsproxy_uts), offset!(uts_ns_inum));
    number(&mut numbers.ipc, proxy, offset!(nsproxy_ipc), offset!(ipc_ns_inum));
    number(&mut numbers.cgroup, proxy, offset!(nsproxy_cgroup), offset!(cgroup_ns_inum));
}

#[inline(always)]
fn number(number: &mut u32, proxy: Address, member: u32, inum: u32) {
    if let Ok(ns) = follow(proxy, member) {
        copy(number, ns, inum);
    }
}

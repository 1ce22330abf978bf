//! Ids of the task, and the facts about it that the filter can use.

use aya_ebpf::helpers::generated::bpf_get_smp_processor_id;
use detector_common::{
    record::exec::{ExecRecord, TaskFacts, known},
    settings::predicate,
};

use crate::{
    capture::namespaces,
    kernel_read::{Address, Fault, copy, embedded, follow, read},
    settings::offset,
};

/// The innermost number of a `struct pid`.
#[derive(Clone, Copy)]
pub(crate) struct Ids {
    /// The `struct upid` that holds it.
    pub(crate) upid: Address,
    /// Depth of its namespace.
    pub(crate) level: u32,
    /// Its namespace.
    pub(crate) namespace: Address,
}

/// Namespaces nest at most this deep (`MAX_PID_NS_LEVEL`).
const MAX_LEVEL: u32 = 32;

impl Ids {
    /// Of a task.
    #[inline(always)]
    pub(crate) fn of(task: Address) -> Result<Self, Fault> {
        let pid = follow(task, offset!(task_thread_pid))?;
        let level: u32 = read(pid, offset!(pid_level))?;
        let upid = upid(pid, level)?;
        Ok(Self { upid, level, namespace: follow(upid, offset!(upid_ns))? })
    }

    /// The initial pid namespace, in which every task has a number.
    #[inline(always)]
    pub(crate) fn initial_namespace(task: Address) -> Result<Address, Fault> {
        let pid = follow(task, offset!(task_thread_pid))?;
        follow(upid(pid, 0)?, offset!(upid_ns))
    }

    /// Copies the number of a `struct pid` in this namespace; it stays 0 where the pid is not visible there.
    #[inline(always)]
    fn number_of(&self, number: &mut u32, pid: Address) -> Result<(), Fault> {
        *number = 0;
        if self.level > read(pid, offset!(pid_level))? {
            return Ok(());
        }
        let upid = upid(pid, self.level)?;
        if follow(upid, offset!(upid_ns))? == self.namespace {
            copy(number, upid, offset!(upid_nr));
        }
        Ok(())
    }
}

#[inline(always)]
fn upid(pid: Address, level: u32) -> Result<Address, Fault> {
    if level > MAX_LEVEL {
        return Err(Fault::Read);
    }
    let numbers = embedded(pid, offset!(pid_numbers))?;
    Ok(numbers.wrapping_add((level * offset!(upid_sizeof)) as usize))
}

/// Copies the number of a `struct pid` in its own namespace.
#[inline(always)]
pub(crate) fn innermost_id(number: &mut u32, pid: Address) {
    if let Ok(level) = read::<u32>(pid, offset!(pid_level))
        && let Ok(upid) = upid(pid, level)
    {
        copy(number, upid, offset!(upid_nr));
    }
}

/// Copies the number in the initial namespace of a pid that a `signal_struct` points to.
#[inline(always)]
pub(crate) fn outermost_id(number: &mut u32, signal: Address, member: u32) {
    if let Ok(pid) = follow(signal, member)
        && let Ok(upid) = upid(pid, 0)
    {
        copy(number, upid, offset!(upid_nr));
    }
}

/// [`predicate::CONTAINER_LIKE`] or 0.
#[inline(always)]
pub(crate) fn container_like(task: Address) -> u32 {
    if namespaces::container_like(task) { predicate::CONTAINER_LIKE } else { 0 }
}

/// [`predicate::TTY`] or 0. An unreadable terminal counts as one: could-not-tell must not hide an exec from a rule that
/// wants it.
#[inline(always)]
pub(crate) fn with_tty(task: Address) -> u32 {
    if tty(task).unwrap_or(u32::MAX) != 0 { predicate::TTY } else { 0 }
}

/// Controlling terminal as `new_encode_dev`; 0 = none.
#[inline(always)]
fn tty(task: Address) -> Result<u32, Fault> {
    let signal = follow(task, offset!(task_signal))?;
    let tty: Address = read(signal, offset!(signal_tty))?;
    if tty.is_null() {
        return Ok(0);
    }
    let driver = follow(tty, offset!(tty_driver))?;
    let major: u32 = read(driver, offset!(tty_driver_major))?;
    let first: u32 = read(driver, offset!(tty_driver_minor_start))?;
    let index: u32 = read(tty, offset!(tty_index))?;
    let minor = first.wrapping_add(index);
    Ok((minor & 0xff) | (major << 8) | ((minor & !0xff) << 12))
}

/// Fills `record.task`.
#[inline(always)]
pub(crate) fn capture(record: &mut ExecRecord, task: Address, old_tid: u32, bprm: Address) {
    let facts = &mut record.task;
    facts.old_tid = old_tid;
    // SAFETY: a helper without arguments.
    facts.cpu = unsafe { bpf_get_smp_processor_id() };
    copy(&mut facts.pid, task, offset!(task_tgid));
    copy(&mut facts.comm, task, offset!(task_comm));
    facts.argc = 0;
    facts.envc = 0;
    copy(&mut facts.argc, bprm, offset!(bprm_argc));
    copy(&mut facts.envc, bprm, offset!(bprm_envc));
    facts.start_boot_ns = 0;
    if let Ok(leader) = follow(task, offset!(task_group_leader)) {
        copy(&mut facts.start_boot_ns, leader, offset!(task_start_boottime));
    }
    facts.exec_id = 0;
    copy(&mut facts.exec_id, task, offset!(task_self_exec_id));
    facts.loginuid = u32::MAX;
    facts.session_id = u32::MAX;
    if copy(&mut facts.loginuid, task, offset!(task_loginuid)) {
        copy(&mut facts.session_id, task, offset!(task_sessionid));
        record.known |= known::LOGINUID;
    }
    facts.tty = 0;
    if let Ok(tty) = tty(task) {
        record.task.tty = tty;
        record.known |= known::TTY;
    }
    if ids(&mut record.task, task).is_ok() {
        record.known |= known::VPIDS;
    }
    if pidns_start(&mut record.task, task).unwrap_or(false) {
        record.known |= known::PIDNS_START;
    }
}

#[inline(always)]
fn ids(facts: &mut TaskFacts, task: Address) -> Result<(), Fault> {
    facts.vpid = 0;
    facts.pvpid = 0;
    facts.pidns_level = 0;
    facts.nr_threads = 0;
    facts.sid = 0;
    facts.pgid = 0;
    let ids = Ids::of(task)?;
    copy(&mut facts.vpid, ids.upid, offset!(upid_nr));
    facts.pidns_level = ids.level;
    let signal = follow(task, offset!(task_signal))?;
    copy(&mut facts.nr_threads, signal, offset!(signal_nr_threads));
    outermost_id(&mut facts.sid, signal, offset!(signal_session));
    outermost_id(&mut facts.pgid, signal, offset!(signal_pgrp));
    ids.number_of(&mut facts.vsid, follow(signal, offset!(signal_session))?)?;
    ids.number_of(&mut facts.vpgid, follow(signal, offset!(signal_pgrp))?)?;
    let parent = follow(task, offset!(task_real_parent))?;
    let leader = follow(parent, offset!(task_group_leader))?;
    copy(&mut facts.pvpid, Ids::of(leader)?.upid, offset!(upid_nr));
    Ok(())
}

#[inline(always)]
fn pidns_start(facts: &mut TaskFacts, task: Address) -> Result<bool, Fault> {
    facts.pidns_init_start_boot_ns = 0;
    let init = follow(Ids::of(task)?.namespace, offset!(pid_ns_child_reaper))?;
    Ok(copy(&mut facts.pidns_init_start_boot_ns, init, offset!(task_start_boottime)))
}

//! Ids of the task, and the facts about it that the filter can use.

use aya_ebpf::helpers::generated::bpf_get_smp_processor_id;
use detector_common::{
    limits::COMM_BYTES,
    record::exec::{ExecRecord, TaskFacts, known},
    settings::predicate,
};

use crate::{
    capture::namespaces,
    filter,
    kernel_read::{Address, Fault, embedded, follow, read},
    settings::{offset, setting},
};

/// Ids of a `struct pid`.
#[derive(Clone, Copy)]
pub(crate) struct Ids {
    /// In the innermost namespace that it is known in.
    pub(crate) innermost: u32,
    /// Depth of that namespace.
    pub(crate) level: u32,
    /// That namespace.
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
        Ok(Self { innermost: read(upid, offset!(upid_nr))?, level, namespace: follow(upid, offset!(upid_ns))? })
    }

    /// The number of a `struct pid` in this namespace; 0 where it is not visible there.
    #[inline(always)]
    pub(crate) fn number_of(&self, pid: Address) -> Result<u32, Fault> {
        if self.level > read(pid, offset!(pid_level))? {
            return Ok(0);
        }
        let upid = upid(pid, self.level)?;
        if follow(upid, offset!(upid_ns))? == self.namespace { read(upid, offset!(upid_nr)) } else { Ok(0) }
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

/// Session id and process group of a task, in the initial namespace.
#[inline(always)]
pub(crate) fn session_and_group(task: Address) -> (Result<u32, Fault>, Result<u32, Fault>) {
    match follow(task, offset!(task_signal)) {
        Ok(signal) => (
            outermost(signal, offset!(signal_session)),
            outermost(signal, offset!(signal_pgrp)),
        ),
        Err(fault) => (Err(fault), Err(fault)),
    }
}

#[inline(always)]
fn outermost(signal: Address, member: u32) -> Result<u32, Fault> {
    read(upid(follow(signal, member)?, 0)?, offset!(upid_nr))
}

/// What the filter can ask about a task. Asked for only what some term looks at.
#[inline(always)]
pub(crate) fn predicates(task: Address) -> u32 {
    let mut facts = 0;
    if filter::looks_at(predicate::CONTAINER_LIKE) && namespaces::container_like(task) {
        facts |= predicate::CONTAINER_LIKE;
    }
    // An unreadable terminal counts as one: could-not-tell must not hide an exec from a rule that wants it.
    if filter::looks_at(predicate::TTY) && tty(task).unwrap_or(u32::MAX) != 0 {
        facts |= predicate::TTY;
    }
    facts
}

/// Controlling terminal as `new_encode_dev`; 0 = none.
#[inline(always)]
pub(crate) fn tty(task: Address) -> Result<u32, Fault> {
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
    let mut facts = TaskFacts {
        start_boot_ns: 0,
        pidns_init_start_boot_ns: 0,
        pid: read(task, offset!(task_tgid)).unwrap_or(0),
        old_tid,
        vpid: 0,
        pvpid: 0,
        pgid: 0,
        vpgid: 0,
        sid: 0,
        vsid: 0,
        pidns_level: 0,
        tty: 0,
        loginuid: u32::MAX,
        session_id: u32::MAX,
        nr_threads: 0,
        // SAFETY: a helper without arguments.
        cpu: unsafe { bpf_get_smp_processor_id() },
        argc: read(bprm, offset!(bprm_argc)).unwrap_or(0),
        envc: read(bprm, offset!(bprm_envc)).unwrap_or(0),
        comm: read(task, offset!(task_comm)).unwrap_or([0; COMM_BYTES]),
    };
    let leader = follow(task, offset!(task_group_leader)).unwrap_or(task);
    facts.start_boot_ns = read(leader, offset!(task_start_boottime)).unwrap_or(0);
    if let Ok(tty) = tty(task) {
        facts.tty = tty;
        record.known |= known::TTY;
    }
    if let (Ok(loginuid), Ok(session)) =
        (read(task, offset!(task_loginuid)), read(task, offset!(task_sessionid)))
    {
        facts.loginuid = loginuid;
        facts.session_id = session;
        record.known |= known::LOGINUID;
    }
    if virtual_ids(&mut facts, task).is_ok() {
        record.known |= known::VPIDS;
    }
    if let Ok(start) = pidns_start(task) {
        facts.pidns_init_start_boot_ns = start;
        record.known |= known::PIDNS_START;
    }
    record.task = facts;
}

#[inline(always)]
fn virtual_ids(facts: &mut TaskFacts, task: Address) -> Result<(), Fault> {
    let ids = Ids::of(task)?;
    facts.vpid = ids.innermost;
    facts.pidns_level = ids.level;
    let signal = follow(task, offset!(task_signal))?;
    facts.nr_threads = read(signal, offset!(signal_nr_threads)).unwrap_or(0);
    let session = follow(signal, offset!(signal_session))?;
    let group = follow(signal, offset!(signal_pgrp))?;
    facts.sid = read(upid(session, 0)?, offset!(upid_nr))?;
    facts.pgid = read(upid(group, 0)?, offset!(upid_nr))?;
    facts.vsid = ids.number_of(session)?;
    facts.vpgid = ids.number_of(group)?;
    let parent = follow(task, offset!(task_real_parent))?;
    let leader = follow(parent, offset!(task_group_leader))?;
    facts.pvpid = Ids::of(leader).map_or(0, |ids| ids.innermost);
    Ok(())
}

#[inline(always)]
fn pidns_start(task: Address) -> Result<u64, Fault> {
    let namespace = Ids::of(task)?.namespace;
    let init = follow(namespace, offset!(pid_ns_child_reaper))?;
    read(init, offset!(task_start_boottime))
}

/// Whether the task's pid namespace is the host's.
#[inline(always)]
pub(crate) fn in_host_pid_ns(task: Address) -> Result<bool, Fault> {
    let namespace = Ids::of(task)?.namespace;
    Ok(read::<u32>(namespace, offset!(pid_ns_inum))? == setting!(host_pid_ns))
}

//! Names of the cgroups that the task is in: the unified hierarchy's, and those of the controllers that Falco looks
//! at. Leaf first, each component with its NUL.

use detector_common::{
    kernel_offsets::ABSENT,
    limits::{CGROUP_COMPONENTS, COMPONENT_BYTES},
    record::exec::{SectionKind, section_status},
};

use crate::{
    kernel_read::{Address, Fault, embedded, follow, read, read_str},
    settings::offset,
    tail::Tail,
};

/// Fills the cgroup sections.
#[inline(always)]
pub(crate) fn capture(tail: &mut Tail, task: Address) {
    let Ok(set) = follow(task, offset!(task_cgroups)) else {
        return;
    };
    let unified = follow(set, offset!(css_set_dfl_cgrp)).unwrap_or(core::ptr::null());
    walk(tail, SectionKind::CgroupUnified, unified);
    // In the order of what is most likely to name a container where the unified hierarchy does not.
    let mut last = (unified, SectionKind::CgroupUnified);
    controller(tail, SectionKind::CgroupMemory, set, offset!(cgrp_id_memory), unified, &mut last);
    controller(tail, SectionKind::CgroupPids, set, offset!(cgrp_id_pids), unified, &mut last);
    controller(tail, SectionKind::CgroupCpu, set, offset!(cgrp_id_cpu), unified, &mut last);
    controller(tail, SectionKind::CgroupCpuacct, set, offset!(cgrp_id_cpuacct), unified, &mut last);
    controller(tail, SectionKind::CgroupCpuset, set, offset!(cgrp_id_cpuset), unified, &mut last);
    controller(tail, SectionKind::CgroupIo, set, offset!(cgrp_id_io), unified, &mut last);
}

#[inline(always)]
fn controller(
    tail: &mut Tail,
    kind: SectionKind,
    set: Address,
    id: u32,
    unified: Address,
    last: &mut (Address, SectionKind),
) {
    if id == ABSENT {
        return;
    }
    let cgroup = match cgroup_of(set, id) {
        Ok(cgroup) => cgroup,
        Err(fault) => return tail.failed(kind, fault),
    };
    if cgroup == unified {
        return tail.same_as(kind, SectionKind::CgroupUnified);
    }
    if cgroup == last.0 {
        return tail.same_as(kind, last.1);
    }
    walk(tail, kind, cgroup);
    *last = (cgroup, kind);
}

#[inline(always)]
fn cgroup_of(set: Address, id: u32) -> Result<Address, Fault> {
    let subsys = embedded(set, offset!(css_set_subsys))?;
    let css: Address = read(subsys.wrapping_add(id as usize * 8), 0)?;
    follow(css, offset!(css_cgroup))
}

#[inline(always)]
fn walk(tail: &mut Tail, kind: SectionKind, cgroup: Address) {
    let start = tail.used();
    let status = match follow(cgroup, offset!(cgroup_kn)) {
        Ok(kn) => climb(tail, kn).unwrap_or(section_status::FAILED),
        Err(_) => section_status::FAILED,
    };
    tail.close(kind, start, status);
}

#[inline(always)]
fn climb(tail: &mut Tail, kn: Address) -> Result<u16, Fault> {
    let mut kn = kn;
    let mut step = 0;
    while step < CGROUP_COMPONENTS {
        step += 1;
        let parent: Address = read(kn, offset!(kernfs_parent))?;
        // The root has no parent, and its name is empty.
        if parent.is_null() {
            return Ok(section_status::COMPLETE);
        }
        let name = follow(kn, offset!(kernfs_name))?;
        let Some(destination) = tail.room::<COMPONENT_BYTES>() else {
            return Ok(section_status::TRUNCATED);
        };
        // SAFETY: room() has made sure of the bytes.
        let length = unsafe { read_str::<COMPONENT_BYTES>(destination, name) }?;
        tail.advance(length);
        kn = parent;
    }
    Ok(section_status::TRUNCATED)
}

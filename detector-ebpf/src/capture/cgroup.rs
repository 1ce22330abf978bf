//! Names of the cgroups that the task is in: the unified hierarchy's, and those of the controllers that Falco looks
//! at. Leaf first, each component with its NUL.

use core::ptr::null;

use detector_common::{
    kernel_offsets::ABSENT,
    limits::{CGROUP_COMPONENTS, COMPONENT_BYTES},
    record::exec::{SectionKind, section_status},
};

use crate::{
    kernel_read::{Address, Fault, embedded, follow, read, read_str},
    maps::{Scratch, scratch},
    settings::offset,
    tail,
};

/// Fills the cgroup sections.
#[inline(always)]
pub(crate) fn capture(scratch: &mut Scratch, task: Address) {
    let Ok(set) = follow(task, offset!(task_cgroups)) else {
        return;
    };
    scratch.work.last_cgroup = null();
    let unified = follow(set, offset!(css_set_dfl_cgrp)).unwrap_or(null());
    walk(scratch, SectionKind::CgroupUnified, unified);
    // In the order of what is most likely to name a container where the unified hierarchy does not. Controllers
    // that share a hierarchy follow each other.
    controller(scratch, SectionKind::CgroupMemory, set, offset!(cgrp_id_memory));
    controller(scratch, SectionKind::CgroupPids, set, offset!(cgrp_id_pids));
    controller(scratch, SectionKind::CgroupCpu, set, offset!(cgrp_id_cpu));
    controller(scratch, SectionKind::CgroupCpuacct, set, offset!(cgrp_id_cpuacct));
    controller(scratch, SectionKind::CgroupCpuset, set, offset!(cgrp_id_cpuset));
    controller(scratch, SectionKind::CgroupIo, set, offset!(cgrp_id_io));
}

#[inline(always)]
fn controller(scratch: &mut Scratch, kind: SectionKind, set: Address, id: u32) {
    if id == ABSENT {
        return;
    }
    let cgroup = of_controller(set, id).unwrap_or(null());
    if !cgroup.is_null() && cgroup == scratch.work.last_cgroup {
        let section = &mut scratch.record.sections[kind as usize];
        section.status = section_status::SAME_AS;
        section.same_as = scratch.work.last_section as u16;
        return;
    }
    walk(scratch, kind, cgroup);
}

/// The cgroup that a set has for the controller of this number.
#[inline(always)]
pub(crate) fn of_controller(set: Address, id: u32) -> Result<Address, Fault> {
    if id == ABSENT {
        return Err(Fault::Absent);
    }
    let subsys = embedded(set, offset!(css_set_subsys))?;
    let css: Address = read(subsys.wrapping_add(id as usize * 8), 0)?;
    follow(css, offset!(css_cgroup))
}

#[inline(always)]
fn walk(scratch: &mut Scratch, kind: SectionKind, cgroup: Address) {
    tail::open(scratch, kind);
    if cgroup.is_null() {
        return;
    }
    scratch.work.last_cgroup = cgroup;
    scratch.work.last_section = kind as u64;
    match follow(cgroup, offset!(cgroup_kn)) {
        Ok(node) => {
            scratch.work.current = node;
            climb_cgroup(scratch.work.slot, kind as u64);
        }
        Err(fault) => tail::fail(scratch, kind, fault),
    }
}

/// Walks from the node `work.current` to the root of its hierarchy and closes the section. A function of its own, so that
/// the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn climb_cgroup(slot: u64, kind: u64) -> u64 {
    if let Some(scratch) = scratch(slot)
        && let Some(kind) = tail::kind(kind)
        && let Err(fault) = climb(scratch, kind)
    {
        tail::fail(scratch, kind, fault);
    }
    0
}

#[inline(always)]
fn climb(scratch: &mut Scratch, kind: SectionKind) -> Result<(), Fault> {
    let mut step = 0;
    while step < CGROUP_COMPONENTS {
        step += 1;
        let from = offset!(kernfs_parent);
        scratch.work.node.fill(scratch.work.current, from)?;
        let parent = scratch.work.node.address(from, from);
        // The root has no parent, and its name is empty.
        if parent.is_null() {
            tail::close(scratch, kind, section_status::COMPLETE);
            return Ok(());
        }
        let name = scratch.work.node.address(from, offset!(kernfs_name));
        if name.is_null() {
            return Err(Fault::Read);
        }
        let Some(destination) = tail::room::<COMPONENT_BYTES>(scratch) else {
            tail::close(scratch, kind, section_status::TRUNCATED);
            return Ok(());
        };
        // SAFETY: room() has made sure of the bytes.
        let length = unsafe { read_str::<COMPONENT_BYTES>(destination, name) }?;
        tail::advance(scratch, length);
        scratch.work.current = parent;
    }
    tail::close(scratch, kind, section_status::TRUNCATED);
    Ok(())
}

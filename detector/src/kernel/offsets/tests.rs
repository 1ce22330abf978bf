//! The resolver on kernels made by hand, where every answer is known, and the table against `KernelOffsets`.

use std::collections::BTreeMap;

use super::*;
use crate::kernel::btf::blob::Blob;

/// Bytes between two members of the kernels here, and before the first.
const STEP: u32 = 16;

#[test]
fn the_table_names_every_entry_once() {
    let in_table: Vec<_> = TABLE.iter().map(|entry| entry.name).collect();
    let in_struct: Vec<_> = KernelOffsets::NONE.entries().map(|(name, _)| name).collect();
    assert_eq!(in_table, in_struct, "same entries in the same order");
    let mut offsets = KernelOffsets::NONE;
    for name in in_table {
        assert!(offsets.entry_mut(name).is_some(), "{name}");
    }
}

#[test]
fn a_kernel_with_everything_is_resolved() {
    let kernel = Kernel::newest();
    let (offsets, absent) = kernel.resolve().unwrap();
    for entry in TABLE {
        if let Source::Offset(members) = entry.source
            && let Some(at) = kernel.offset_of(members[0])
        {
            assert_eq!(get(&offsets, entry.name), at, "{}", entry.name);
        }
    }
    assert_eq!(offsets.inode_sizeof, kernel.size_of("inode"));
    assert_eq!(offsets.upid_sizeof, kernel.size_of("upid"));
    assert_eq!(offsets.signal_pgrp, SIGNAL_PIDS + 2 * 8);
    assert_eq!(offsets.signal_session, SIGNAL_PIDS + 3 * 8);
    assert_eq!(offsets.signal_rlimit_nofile, SIGNAL_LIMITS + libc::RLIMIT_NOFILE * 16);
    assert_eq!(offsets.mm_rss_file, MM_RSS + COUNTER_COUNT);
    assert_eq!(offsets.mm_rss_shmem, MM_RSS + 3 * COUNTER_BYTES + COUNTER_COUNT);
    assert_eq!(offsets.inode_time_nsec_is_u32, 0, "all members are 8 bytes wide here");
    assert_eq!((offsets.cgrp_id_cpuset, offsets.cgrp_id_memory), (0, 4));
    assert_eq!(offsets.cgrp_id_pids, ABSENT, "the enum has no such controller");
    let absent: Vec<_> = absent.iter().map(|missing| missing.entry).collect();
    assert_eq!(absent, ["cgrp_id_cpu", "cgrp_id_cpuacct", "cgrp_id_io", "cgrp_id_pids"]);
}

#[test]
fn older_names_of_a_member_are_found() {
    let mut kernel = Kernel::newest();
    kernel.rename("kernfs_node", "__parent", "parent");
    kernel.rename("inode", "i_ctime_sec", "__i_ctime.tv_sec");
    kernel.rename("inode", "i_ctime_nsec", "__i_ctime.tv_nsec");
    kernel.rename("inode", "i_mtime_sec", "i_mtime.tv_sec");
    kernel.rename("inode", "i_mtime_nsec", "i_mtime.tv_nsec");
    let (offsets, _) = kernel.resolve().unwrap();
    assert_eq!(Some(offsets.kernfs_parent), kernel.offset_of("kernfs_node.parent"));
    assert_eq!(Some(offsets.inode_ctime_sec), kernel.offset_of("inode.__i_ctime.tv_sec"));
    assert_eq!(Some(offsets.inode_ctime_nsec), kernel.offset_of("inode.__i_ctime.tv_nsec"));
    assert_eq!(Some(offsets.inode_mtime_nsec), kernel.offset_of("inode.i_mtime.tv_nsec"));
    assert_eq!(offsets.inode_time_nsec_is_u32, 0);
}

#[test]
fn the_width_of_nanoseconds_is_told() {
    let mut kernel = Kernel::newest();
    kernel.width = 4;
    assert_eq!(kernel.resolve().unwrap().0.inode_time_nsec_is_u32, 1);
}

#[test]
fn all_missing_required_members_are_listed_with_the_release() {
    let mut kernel = Kernel::newest();
    kernel.remove("linux_binprm", "file");
    kernel.remove("kernfs_node", "__parent");
    kernel.remove("inode", "i_mode");
    kernel.structs.remove("upid");
    let error = kernel.resolve().unwrap_err();
    let text = error.to_string();
    let OffsetsError::Missing { release, missing } = error;
    let names: Vec<_> = missing.iter().map(|missing| missing.entry).collect();
    assert_eq!(names, ["bprm_file", "upid_sizeof", "upid_nr", "kernfs_parent"], "optional ones are no error");
    for part in [
        release.as_str(),
        "bprm_file (linux_binprm.file: no such member)",
        "kernfs_parent (kernfs_node.__parent: no such member, kernfs_node.parent: no such member)",
        "upid_sizeof (sizeof upid: no such type)",
        "--btf FILE",
    ] {
        assert!(text.contains(part), "{part} in: {text}");
    }
    assert_eq!(release, std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap().trim());
}

#[test]
fn missing_optional_members_are_absent_and_told() {
    let mut kernel = Kernel::newest();
    kernel.remove("task_struct", "loginuid");
    kernel.structs.remove("tty_struct");
    let (offsets, absent) = kernel.resolve().unwrap();
    assert_eq!((offsets.task_loginuid, offsets.tty_driver, offsets.tty_index), (ABSENT, ABSENT, ABSENT));
    let told: Vec<_> = absent.iter().map(ToString::to_string).collect();
    assert!(told.contains(&"task_loginuid (task_struct.loginuid: no such member)".to_owned()), "{told:?}");
    assert!(told.contains(&"tty_index (tty_struct.index: no such type)".to_owned()), "{told:?}");
}

#[test]
fn a_value_like_the_sentinel_is_told_as_absent() {
    let mut kernel = Kernel::newest();
    kernel.cpuset = i64::from(ABSENT);
    let (offsets, absent) = kernel.resolve().unwrap();
    assert_eq!(offsets.cgrp_id_cpuset, ABSENT);
    assert!(absent.iter().any(|missing| missing.entry == "cgrp_id_cpuset"), "{absent:?}");
}

#[test]
fn an_index_beyond_the_array_is_absent_not_a_guess() {
    let mut kernel = Kernel::newest();
    kernel.pids = 3;
    let (offsets, _) = kernel.resolve().unwrap();
    assert_eq!((offsets.signal_pgrp, offsets.signal_session), (SIGNAL_PIDS + 2 * 8, ABSENT));
}

const SIGNAL_PIDS: u32 = 104;
const SIGNAL_LIMITS: u32 = 200;
const MM_RSS: u32 = 256;
const COUNTER_BYTES: u32 = 40;
const COUNTER_COUNT: u32 = 8;

/// A kernel that has just the members of the table, under their newest names.
struct Kernel {
    /// Struct, then paths in their order.
    structs: BTreeMap<String, Vec<String>>,
    /// Bytes of each member.
    width: u32,
    /// Elements of `signal_struct.pids`.
    pids: u32,
    /// Value of `cpuset_cgrp_id`.
    cpuset: i64,
}

impl Kernel {
    fn newest() -> Self {
        let mut structs = BTreeMap::<String, Vec<String>>::new();
        for entry in TABLE {
            if let Source::Offset(members) = entry.source {
                let (of, path) = members[0].split_once('.').unwrap();
                // Arrays are made by hand below.
                if path.contains('[') {
                    continue;
                }
                structs.entry(of.to_owned()).or_default().push(path.to_owned());
            }
        }
        Self { structs, width: 8, pids: 4, cpuset: 0 }
    }

    fn rename(&mut self, of: &str, from: &str, to: &str) {
        *self.path(of, from) = to.to_owned();
    }

    fn remove(&mut self, of: &str, path: &str) {
        *self.path(of, path) = "something_else".to_owned();
    }

    fn path(&mut self, of: &str, path: &str) -> &mut String {
        self.structs.get_mut(of).unwrap().iter_mut().find(|found| *found == path).unwrap()
    }

    fn offset_of(&self, member: &str) -> Option<u32> {
        let (of, path) = member.split_once('.')?;
        let index = self.structs.get(of)?.iter().position(|found| found == path)?;
        Some(STEP + STEP * u32::try_from(index).unwrap())
    }

    fn size_of(&self, of: &str) -> u32 {
        STEP + STEP * u32::try_from(self.structs[of].len()).unwrap()
    }

    fn resolve(&self) -> Result<(KernelOffsets, Vec<MissingEntry>), OffsetsError> {
        resolve_all(&Btf::parse(&self.blob().bytes()).unwrap())
    }

    fn blob(&self) -> Blob {
        let mut blob = Blob::new();
        let member = blob.int("member_t", self.width);
        let long = blob.int("long", 8);
        let limit = blob.structure("rlimit", 16, &[("rlim_cur", long, 0), ("rlim_max", long, 8)]);
        let limits = blob.array(limit, 16);
        let pids = blob.array(long, self.pids);
        let counter = blob.structure("percpu_counter", COUNTER_BYTES, &[("count", long, COUNTER_COUNT)]);
        let counters = blob.array(counter, 4);
        blob.enumeration(
            "pid_type",
            false,
            &[("PIDTYPE_PID", 0), ("PIDTYPE_TGID", 1), ("PIDTYPE_PGID", 2), ("PIDTYPE_SID", 3)],
        );
        blob.enumeration(
            "cgroup_subsys_id",
            false,
            &[("cpuset_cgrp_id", self.cpuset), ("memory_cgrp_id", 4)],
        );
        for (name, paths) in &self.structs {
            let placed: Vec<_> = paths
                .iter()
                .map(|path| (path.as_str(), self.offset_of(&format!("{name}.{path}")).unwrap()))
                .collect();
            let mut members: Vec<(&str, u32, u32)> = Vec::new();
            for &(path, at) in &placed {
                let Some((outer, _)) = path.split_once('.') else {
                    members.push((path, member, at));
                    continue;
                };
                if members.iter().any(|&(known, ..)| known == outer) {
                    continue;
                }
                // One struct holds all that is reached through it, from its first member on.
                let inner: Vec<_> = placed
                    .iter()
                    .filter_map(|&(path, inner_at)| {
                        let (holder, inner) = path.split_once('.')?;
                        (holder == outer).then(|| (inner, member, inner_at - at))
                    })
                    .collect();
                let size = inner.last().unwrap().2 + STEP;
                let holder = blob.structure("", size, &inner);
                members.push((outer, holder, at));
            }
            if name == "signal_struct" {
                members.extend([("pids", pids, SIGNAL_PIDS), ("rlim", limits, SIGNAL_LIMITS)]);
                blob.structure(name, 512, &members);
            } else if name == "mm_struct" {
                members.push(("rss_stat", counters, MM_RSS));
                blob.structure(name, 512, &members);
            } else {
                blob.structure(name, self.size_of(name), &members);
            }
        }
        blob
    }
}

fn get(offsets: &KernelOffsets, name: &str) -> u32 {
    offsets.entries().find(|&(found, _)| found == name).unwrap().1
}

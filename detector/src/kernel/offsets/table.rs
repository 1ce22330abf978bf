//! Which member of which struct each entry is: the one place that knows the kernel's names. Where kernels differ,
//! the newer name comes first.

use Source::{Enumerator, IsFourBytes, Offset, SizeOf, Slot};

/// What the agent does without the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// It does not start: an exec could be neither judged nor identified.
    Required,
    /// It goes on with less, and says so.
    Optional,
}

/// Where the value of an entry comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// Byte offset of the first of these members that exists: `struct.path`.
    Offset(&'static [&'static str]),
    /// 1 if the first of these members that exists is four bytes wide, else 0.
    IsFourBytes(&'static [&'static str]),
    /// Byte offset of the element of an array, `struct.path`, that an enumerator, `enum.name`, counts.
    Slot { array: &'static str, index: &'static str },
    /// Size in bytes of a struct.
    SizeOf(&'static str),
    /// Value of an enumerator: `enum.name`.
    Enumerator(&'static str),
}

/// One entry of the table of offsets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Its name in `KernelOffsets`.
    pub(super) name: &'static str,
    pub(super) need: Need,
    pub(super) source: Source,
}

const fn required(name: &'static str, source: Source) -> Entry {
    Entry { name, need: Need::Required, source }
}

const fn optional(name: &'static str, source: Source) -> Entry {
    Entry { name, need: Need::Optional, source }
}

// The number is part of the system call interface and not in BTF: 7 but on a few architectures that this does not
// build for.
const _: () =
    assert!(libc::RLIMIT_NOFILE == 7, "signal_rlimit_nofile below names the element of RLIMIT_NOFILE");

pub(super) const TABLE: &[Entry] = &[
    required("bprm_file", Offset(&["linux_binprm.file"])),
    optional("bprm_filename", Offset(&["linux_binprm.filename"])),
    optional("bprm_interp", Offset(&["linux_binprm.interp"])),
    optional("bprm_buf", Offset(&["linux_binprm.buf"])),
    optional("bprm_argc", Offset(&["linux_binprm.argc"])),
    optional("bprm_envc", Offset(&["linux_binprm.envc"])),
    required("file_f_inode", Offset(&["file.f_inode"])),
    optional("file_f_mode", Offset(&["file.f_mode"])),
    optional("file_f_flags", Offset(&["file.f_flags"])),
    required("file_path_mnt", Offset(&["file.f_path.mnt"])),
    required("file_path_dentry", Offset(&["file.f_path.dentry"])),
    required("dentry_parent", Offset(&["dentry.d_parent"])),
    required("dentry_name", Offset(&["dentry.d_name.name"])),
    optional("dentry_inode", Offset(&["dentry.d_inode"])),
    required("inode_sb", Offset(&["inode.i_sb"])),
    required("inode_ino", Offset(&["inode.i_ino"])),
    optional("inode_mode", Offset(&["inode.i_mode"])),
    optional("inode_uid", Offset(&["inode.i_uid"])),
    optional("inode_gid", Offset(&["inode.i_gid"])),
    optional("inode_flags", Offset(&["inode.i_flags"])),
    optional("inode_nlink", Offset(&["inode.i_nlink"])),
    optional("inode_size", Offset(&["inode.i_size"])),
    optional("inode_generation", Offset(&["inode.i_generation"])),
    // Two plain members since 6.11, a timespec64 before, with underscores since 6.6 (ctime) and 6.7 (mtime).
    optional(
        "inode_ctime_sec",
        Offset(&["inode.i_ctime_sec", "inode.__i_ctime.tv_sec", "inode.i_ctime.tv_sec"]),
    ),
    optional(
        "inode_ctime_nsec",
        Offset(&["inode.i_ctime_nsec", "inode.__i_ctime.tv_nsec", "inode.i_ctime.tv_nsec"]),
    ),
    optional(
        "inode_mtime_sec",
        Offset(&["inode.i_mtime_sec", "inode.__i_mtime.tv_sec", "inode.i_mtime.tv_sec"]),
    ),
    optional(
        "inode_mtime_nsec",
        Offset(&["inode.i_mtime_nsec", "inode.__i_mtime.tv_nsec", "inode.i_mtime.tv_nsec"]),
    ),
    optional(
        "inode_time_nsec_is_u32",
        IsFourBytes(&["inode.i_ctime_nsec", "inode.__i_ctime.tv_nsec", "inode.i_ctime.tv_nsec"]),
    ),
    required("inode_sizeof", SizeOf("inode")),
    required("sb_magic", Offset(&["super_block.s_magic"])),
    optional("sb_dev", Offset(&["super_block.s_dev"])),
    optional("sb_flags", Offset(&["super_block.s_flags"])),
    required("vfsmount_root", Offset(&["vfsmount.mnt_root"])),
    optional("vfsmount_sb", Offset(&["vfsmount.mnt_sb"])),
    optional("vfsmount_flags", Offset(&["vfsmount.mnt_flags"])),
    required("mount_vfsmount", Offset(&["mount.mnt"])),
    required("mount_parent", Offset(&["mount.mnt_parent"])),
    required("mount_mountpoint", Offset(&["mount.mnt_mountpoint"])),
    optional("mount_id", Offset(&["mount.mnt_id"])),
    optional("mount_mounts", Offset(&["mount.mnt_mounts"])),
    optional("mount_child", Offset(&["mount.mnt_child"])),
    required("task_mm", Offset(&["task_struct.mm"])),
    required("task_pid", Offset(&["task_struct.pid"])),
    required("task_tgid", Offset(&["task_struct.tgid"])),
    required("task_real_parent", Offset(&["task_struct.real_parent"])),
    required("task_group_leader", Offset(&["task_struct.group_leader"])),
    required("task_thread_pid", Offset(&["task_struct.thread_pid"])),
    required("task_start_boottime", Offset(&["task_struct.start_boottime"])),
    required("task_cred", Offset(&["task_struct.cred"])),
    required("task_comm", Offset(&["task_struct.comm"])),
    optional("task_fs", Offset(&["task_struct.fs"])),
    optional("task_files", Offset(&["task_struct.files"])),
    required("task_nsproxy", Offset(&["task_struct.nsproxy"])),
    optional("task_signal", Offset(&["task_struct.signal"])),
    // CONFIG_AUDIT.
    optional("task_loginuid", Offset(&["task_struct.loginuid"])),
    optional("task_sessionid", Offset(&["task_struct.sessionid"])),
    required("task_cgroups", Offset(&["task_struct.cgroups"])),
    optional("task_min_flt", Offset(&["task_struct.min_flt"])),
    optional("task_maj_flt", Offset(&["task_struct.maj_flt"])),
    optional("task_self_exec_id", Offset(&["task_struct.self_exec_id"])),
    optional("task_migration_disabled", Offset(&["task_struct.migration_disabled"])),
    required("mm_arg_start", Offset(&["mm_struct.arg_start"])),
    required("mm_arg_end", Offset(&["mm_struct.arg_end"])),
    optional("mm_env_start", Offset(&["mm_struct.env_start"])),
    optional("mm_env_end", Offset(&["mm_struct.env_end"])),
    optional("mm_exe_file", Offset(&["mm_struct.exe_file"])),
    optional("mm_total_vm", Offset(&["mm_struct.total_vm"])),
    // An array of percpu_counter since 6.2, a struct with an array of atomic_long_t before. The index is a member of
    // an enum without a name: file, anonymous, swapped, shared.
    optional("mm_rss_file", Offset(&["mm_struct.rss_stat[0].count", "mm_struct.rss_stat.count[0]"])),
    optional("mm_rss_anon", Offset(&["mm_struct.rss_stat[1].count", "mm_struct.rss_stat.count[1]"])),
    optional("mm_rss_swap", Offset(&["mm_struct.rss_stat[2].count", "mm_struct.rss_stat.count[2]"])),
    optional("mm_rss_shmem", Offset(&["mm_struct.rss_stat[3].count", "mm_struct.rss_stat.count[3]"])),
    optional("fs_root_mnt", Offset(&["fs_struct.root.mnt"])),
    optional("fs_root_dentry", Offset(&["fs_struct.root.dentry"])),
    optional("fs_pwd_mnt", Offset(&["fs_struct.pwd.mnt"])),
    optional("fs_pwd_dentry", Offset(&["fs_struct.pwd.dentry"])),
    optional("files_fdt", Offset(&["files_struct.fdt"])),
    optional("fdtable_fd", Offset(&["fdtable.fd"])),
    optional("fdtable_max_fds", Offset(&["fdtable.max_fds"])),
    optional("fdtable_open_fds", Offset(&["fdtable.open_fds"])),
    optional("socket_inode", Offset(&["socket_alloc.vfs_inode"])),
    optional("socket_sk", Offset(&["socket_alloc.socket.sk"])),
    optional("sock_family", Offset(&["sock.__sk_common.skc_family"])),
    optional("signal_tty", Offset(&["signal_struct.tty"])),
    optional("signal_pgrp", Slot { array: "signal_struct.pids", index: "pid_type.PIDTYPE_PGID" }),
    optional("signal_session", Slot { array: "signal_struct.pids", index: "pid_type.PIDTYPE_SID" }),
    optional("signal_nr_threads", Offset(&["signal_struct.nr_threads"])),
    optional("signal_rlimit_nofile", Offset(&["signal_struct.rlim[7].rlim_cur"])),
    // CONFIG_TTY.
    optional("tty_driver", Offset(&["tty_struct.driver"])),
    optional("tty_index", Offset(&["tty_struct.index"])),
    optional("tty_driver_major", Offset(&["tty_driver.major"])),
    optional("tty_driver_minor_start", Offset(&["tty_driver.minor_start"])),
    required("pid_level", Offset(&["pid.level"])),
    required("pid_numbers", Offset(&["pid.numbers"])),
    required("upid_sizeof", SizeOf("upid")),
    required("upid_nr", Offset(&["upid.nr"])),
    optional("upid_ns", Offset(&["upid.ns"])),
    optional("pid_ns_level", Offset(&["pid_namespace.level"])),
    optional("pid_ns_inum", Offset(&["pid_namespace.ns.inum"])),
    optional("pid_ns_child_reaper", Offset(&["pid_namespace.child_reaper"])),
    required("nsproxy_mnt", Offset(&["nsproxy.mnt_ns"])),
    optional("nsproxy_uts", Offset(&["nsproxy.uts_ns"])),
    optional("nsproxy_ipc", Offset(&["nsproxy.ipc_ns"])),
    optional("nsproxy_net", Offset(&["nsproxy.net_ns"])),
    optional("nsproxy_cgroup", Offset(&["nsproxy.cgroup_ns"])),
    required("mnt_ns_inum", Offset(&["mnt_namespace.ns.inum"])),
    optional("mnt_ns_root", Offset(&["mnt_namespace.root"])),
    optional("uts_ns_inum", Offset(&["uts_namespace.ns.inum"])),
    optional("ipc_ns_inum", Offset(&["ipc_namespace.ns.inum"])),
    optional("net_ns_inum", Offset(&["net.ns.inum"])),
    optional("cgroup_ns_inum", Offset(&["cgroup_namespace.ns.inum"])),
    optional("cred_uid", Offset(&["cred.uid"])),
    optional("cred_gid", Offset(&["cred.gid"])),
    optional("cred_suid", Offset(&["cred.suid"])),
    optional("cred_sgid", Offset(&["cred.sgid"])),
    optional("cred_euid", Offset(&["cred.euid"])),
    optional("cred_egid", Offset(&["cred.egid"])),
    optional("cred_fsuid", Offset(&["cred.fsuid"])),
    optional("cred_fsgid", Offset(&["cred.fsgid"])),
    optional("cred_cap_inheritable", Offset(&["cred.cap_inheritable"])),
    optional("cred_cap_permitted", Offset(&["cred.cap_permitted"])),
    optional("cred_cap_effective", Offset(&["cred.cap_effective"])),
    optional("cred_cap_bounding", Offset(&["cred.cap_bset"])),
    optional("cred_cap_ambient", Offset(&["cred.cap_ambient"])),
    optional("cred_user_ns", Offset(&["cred.user_ns"])),
    optional("cred_group_info", Offset(&["cred.group_info"])),
    optional("group_info_ngroups", Offset(&["group_info.ngroups"])),
    optional("group_info_gid", Offset(&["group_info.gid"])),
    optional("user_ns_inum", Offset(&["user_namespace.ns.inum"])),
    optional("user_ns_level", Offset(&["user_namespace.level"])),
    optional("user_ns_uid_map", Offset(&["user_namespace.uid_map"])),
    optional("user_ns_gid_map", Offset(&["user_namespace.gid_map"])),
    optional("id_map_nr_extents", Offset(&["uid_gid_map.nr_extents"])),
    optional("id_map_extent", Offset(&["uid_gid_map.extent"])),
    required("css_set_dfl_cgrp", Offset(&["css_set.dfl_cgrp"])),
    required("css_set_subsys", Offset(&["css_set.subsys"])),
    required("css_cgroup", Offset(&["cgroup_subsys_state.cgroup"])),
    required("cgroup_kn", Offset(&["cgroup.kn"])),
    required("kernfs_parent", Offset(&["kernfs_node.__parent", "kernfs_node.parent"])),
    required("kernfs_name", Offset(&["kernfs_node.name"])),
    optional("kernfs_id", Offset(&["kernfs_node.id"])),
    // One for each cgroup controller that the kernel was built with.
    optional("cgrp_id_cpuset", Enumerator("cgroup_subsys_id.cpuset_cgrp_id")),
    optional("cgrp_id_cpu", Enumerator("cgroup_subsys_id.cpu_cgrp_id")),
    optional("cgrp_id_cpuacct", Enumerator("cgroup_subsys_id.cpuacct_cgrp_id")),
    optional("cgrp_id_io", Enumerator("cgroup_subsys_id.io_cgrp_id")),
    optional("cgrp_id_memory", Enumerator("cgroup_subsys_id.memory_cgrp_id")),
    optional("cgrp_id_pids", Enumerator("cgroup_subsys_id.pids_cgrp_id")),
];

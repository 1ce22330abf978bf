//! Where the fields that the hooks read lie in the running kernel's structs. Filled by user space from the kernel's
//! own BTF before load, frozen, and seen by the verifier as constants: one object for every kernel, without CO-RE.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// "This kernel has no such member": a value of its own, never a valid offset.
pub const ABSENT: u32 = u32::MAX;

macro_rules! kernel_offsets {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Byte offsets, sizes and enum values of the running kernel; [`ABSENT`] where it has no such thing.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
        #[repr(C)]
        pub struct KernelOffsets {
            $($(#[$doc])* pub $name: u32,)*
        }

        impl KernelOffsets {
            /// A table in which nothing exists.
            pub const NONE: Self = Self { $($name: ABSENT,)* };

            /// Every entry with its name, for reports.
            pub fn entries(&self) -> impl Iterator<Item = (&'static str, u32)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }

            /// The entry of that name, for the resolver that fills the table.
            pub fn entry_mut(&mut self, name: &str) -> Option<&mut u32> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }
        }
    };
}

kernel_offsets! {
    /// `linux_binprm.file`: the file being executed (of a script: its interpreter).
    bprm_file,
    /// `linux_binprm.filename`: the path as given to execve.
    bprm_filename,
    /// `linux_binprm.interp`: the path of what runs in the end.
    bprm_interp,
    /// `linux_binprm.buf`: the first bytes of the file.
    bprm_buf,
    /// `linux_binprm.argc`
    bprm_argc,
    /// `linux_binprm.envc`
    bprm_envc,
    /// `file.f_inode`
    file_f_inode,
    /// `file.f_mode`
    file_f_mode,
    /// `file.f_flags`
    file_f_flags,
    /// `file.f_path.mnt`
    file_path_mnt,
    /// `file.f_path.dentry`
    file_path_dentry,
    /// `dentry.d_parent`
    dentry_parent,
    /// `dentry.d_name.name`
    dentry_name,
    /// `dentry.d_inode`
    dentry_inode,
    /// `inode.i_sb`
    inode_sb,
    /// `inode.i_ino`
    inode_ino,
    /// `inode.i_mode`
    inode_mode,
    /// `inode.i_uid`
    inode_uid,
    /// `inode.i_gid`
    inode_gid,
    /// `inode.i_flags`
    inode_flags,
    /// `inode.i_nlink`
    inode_nlink,
    /// `inode.i_size`
    inode_size,
    /// `inode.i_generation`
    inode_generation,
    /// Seconds of `inode`'s ctime (`i_ctime.tv_sec`, `__i_ctime.tv_sec` or `i_ctime_sec`).
    inode_ctime_sec,
    /// Nanoseconds of `inode`'s ctime; 32 bits wide where [`Self::inode_time_nsec_is_u32`] is 1.
    inode_ctime_nsec,
    /// Seconds of `inode`'s mtime.
    inode_mtime_sec,
    /// Nanoseconds of `inode`'s mtime.
    inode_mtime_nsec,
    /// 1 when nanoseconds of inode times are `u32` (6.11 and later), 0 when they are `long`.
    inode_time_nsec_is_u32,
    /// `sizeof(struct inode)`: the upper dentry of an overlay inode lies right behind it.
    inode_sizeof,
    /// `super_block.s_magic`
    sb_magic,
    /// `super_block.s_dev`
    sb_dev,
    /// `super_block.s_flags`
    sb_flags,
    /// `vfsmount.mnt_root`
    vfsmount_root,
    /// `vfsmount.mnt_sb`
    vfsmount_sb,
    /// `vfsmount.mnt_flags`
    vfsmount_flags,
    /// `mount.mnt`: from a vfsmount back to its mount.
    mount_vfsmount,
    /// `mount.mnt_parent`
    mount_parent,
    /// `mount.mnt_mountpoint`
    mount_mountpoint,
    /// `mount.mnt_id`
    mount_id,
    /// `mount.mnt_mounts`: the list of mounts below it.
    mount_mounts,
    /// `mount.mnt_child`: its place in the list of the mount above.
    mount_child,
    /// `task_struct.mm`
    task_mm,
    /// `task_struct.pid`
    task_pid,
    /// `task_struct.tgid`
    task_tgid,
    /// `task_struct.real_parent`
    task_real_parent,
    /// `task_struct.group_leader`
    task_group_leader,
    /// `task_struct.thread_pid`
    task_thread_pid,
    /// `task_struct.start_boottime`
    task_start_boottime,
    /// `task_struct.cred`
    task_cred,
    /// `task_struct.comm`
    task_comm,
    /// `task_struct.fs`
    task_fs,
    /// `task_struct.files`
    task_files,
    /// `task_struct.nsproxy`
    task_nsproxy,
    /// `task_struct.signal`
    task_signal,
    /// `task_struct.loginuid`
    task_loginuid,
    /// `task_struct.sessionid`
    task_sessionid,
    /// `task_struct.cgroups`
    task_cgroups,
    /// `task_struct.min_flt`
    task_min_flt,
    /// `task_struct.maj_flt`
    task_maj_flt,
    /// `task_struct.self_exec_id`
    task_self_exec_id,
    /// `task_struct.migration_disabled`: tells how the kernel runs programs on tracepoints.
    task_migration_disabled,
    /// `mm_struct.arg_start`
    mm_arg_start,
    /// `mm_struct.arg_end`
    mm_arg_end,
    /// `mm_struct.env_start`
    mm_env_start,
    /// `mm_struct.env_end`
    mm_env_end,
    /// `mm_struct.exe_file`
    mm_exe_file,
    /// `mm_struct.total_vm` (pages)
    mm_total_vm,
    /// `mm_struct.rss_stat[MM_FILEPAGES]`, in pages
    mm_rss_file,
    /// `mm_struct.rss_stat[MM_ANONPAGES]`
    mm_rss_anon,
    /// `mm_struct.rss_stat[MM_SWAPENTS]`
    mm_rss_swap,
    /// `mm_struct.rss_stat[MM_SHMEMPAGES]`
    mm_rss_shmem,
    /// `fs_struct.root.mnt`
    fs_root_mnt,
    /// `fs_struct.root.dentry`
    fs_root_dentry,
    /// `fs_struct.pwd.mnt`
    fs_pwd_mnt,
    /// `fs_struct.pwd.dentry`
    fs_pwd_dentry,
    /// `files_struct.fdt`
    files_fdt,
    /// `fdtable.fd`
    fdtable_fd,
    /// `fdtable.max_fds`
    fdtable_max_fds,
    /// `fdtable.open_fds`
    fdtable_open_fds,
    /// `socket_alloc.vfs_inode`: from a socket's inode back to its socket.
    socket_inode,
    /// `socket_alloc.socket.sk`
    socket_sk,
    /// `sock.__sk_common.skc_family`
    sock_family,
    /// `signal_struct.tty`
    signal_tty,
    /// `signal_struct.pids[PIDTYPE_PGID]`
    signal_pgrp,
    /// `signal_struct.pids[PIDTYPE_SID]`
    signal_session,
    /// `signal_struct.nr_threads`
    signal_nr_threads,
    /// `signal_struct.rlim[RLIMIT_NOFILE].rlim_cur`
    signal_rlimit_nofile,
    /// `tty_struct.driver`
    tty_driver,
    /// `tty_struct.index`
    tty_index,
    /// `tty_driver.major`
    tty_driver_major,
    /// `tty_driver.minor_start`
    tty_driver_minor_start,
    /// `pid.level`
    pid_level,
    /// `pid.numbers`
    pid_numbers,
    /// `sizeof(struct upid)`
    upid_sizeof,
    /// `upid.nr`
    upid_nr,
    /// `upid.ns`
    upid_ns,
    /// `pid_namespace.level`
    pid_ns_level,
    /// `pid_namespace.ns.inum`
    pid_ns_inum,
    /// `pid_namespace.child_reaper`
    pid_ns_child_reaper,
    /// `nsproxy.mnt_ns`
    nsproxy_mnt,
    /// `nsproxy.uts_ns`
    nsproxy_uts,
    /// `nsproxy.ipc_ns`
    nsproxy_ipc,
    /// `nsproxy.net_ns`
    nsproxy_net,
    /// `nsproxy.cgroup_ns`
    nsproxy_cgroup,
    /// `mnt_namespace.ns.inum`
    mnt_ns_inum,
    /// `mnt_namespace.root`
    mnt_ns_root,
    /// `uts_namespace.ns.inum`
    uts_ns_inum,
    /// `ipc_namespace.ns.inum`
    ipc_ns_inum,
    /// `net.ns.inum`
    net_ns_inum,
    /// `cgroup_namespace.ns.inum`
    cgroup_ns_inum,
    /// `cred.uid`
    cred_uid,
    /// `cred.gid`
    cred_gid,
    /// `cred.suid`
    cred_suid,
    /// `cred.sgid`
    cred_sgid,
    /// `cred.euid`
    cred_euid,
    /// `cred.egid`
    cred_egid,
    /// `cred.fsuid`
    cred_fsuid,
    /// `cred.fsgid`
    cred_fsgid,
    /// `cred.cap_inheritable`
    cred_cap_inheritable,
    /// `cred.cap_permitted`
    cred_cap_permitted,
    /// `cred.cap_effective`
    cred_cap_effective,
    /// `cred.cap_bset`
    cred_cap_bounding,
    /// `cred.cap_ambient`
    cred_cap_ambient,
    /// `cred.user_ns`
    cred_user_ns,
    /// `cred.group_info`
    cred_group_info,
    /// `group_info.ngroups`
    group_info_ngroups,
    /// `group_info.gid`
    group_info_gid,
    /// `user_namespace.ns.inum`
    user_ns_inum,
    /// `user_namespace.level`
    user_ns_level,
    /// `user_namespace.uid_map`
    user_ns_uid_map,
    /// `user_namespace.gid_map`
    user_ns_gid_map,
    /// `uid_gid_map.nr_extents`
    id_map_nr_extents,
    /// `uid_gid_map.extent`
    id_map_extent,
    /// `css_set.dfl_cgrp`
    css_set_dfl_cgrp,
    /// `css_set.subsys`
    css_set_subsys,
    /// `cgroup_subsys_state.cgroup`
    css_cgroup,
    /// `cgroup.kn`
    cgroup_kn,
    /// `kernfs_node.parent` or `__parent`
    kernfs_parent,
    /// `kernfs_node.name`
    kernfs_name,
    /// `kernfs_node.id`
    kernfs_id,
    /// Value of `cpuset_cgrp_id`
    cgrp_id_cpuset,
    /// Value of `cpu_cgrp_id`
    cgrp_id_cpu,
    /// Value of `cpuacct_cgrp_id`
    cgrp_id_cpuacct,
    /// Value of `io_cgrp_id`
    cgrp_id_io,
    /// Value of `memory_cgrp_id`
    cgrp_id_memory,
    /// Value of `pids_cgrp_id`: on cgroup v1 hosts the surest one to be set for containers.
    cgrp_id_pids,
}

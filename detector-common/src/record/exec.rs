//! The record of one successful exec: everything that dies with the process, read at `sched_process_exec`, when
//! credentials and memory are final and no other thread is left.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::RecordHeader;
use crate::limits::{ANCESTOR_EXES, COMM_BYTES};

pub use super::writer::{self, Writer};

/// Fixed part of the record; the sections lie behind it.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ExecRecord {
    /// Kind [`super::RecordKind::Exec`] or [`super::RecordKind::ExecMap`].
    pub header: RecordHeader,
    /// Which of the facts below could be read: bits of [`known`]. A clear bit means "could not tell".
    pub known: u64,
    /// Ids of the task.
    pub task: TaskFacts,
    /// Credentials after the exec (setuid applied).
    pub credentials: Credentials,
    /// Namespace inode numbers.
    pub namespaces: Namespaces,
    /// The executed file; of a script its interpreter.
    pub exe: FileFacts,
    /// Memory and descriptor figures.
    pub usage: Usage,
    /// Types of descriptors 0, 1 and 2.
    pub stdio: [StdioFacts; 3],
    /// Where the variable parts lie behind this struct, by [`SectionKind`].
    pub sections: [Section; SECTIONS],
}

/// Bits of [`ExecRecord::known`].
pub mod known {
    /// None of them.
    pub const NOTHING: u64 = 0;
    /// The layer of the exe (origin, UPPER/LOWER flags).
    pub const LAYER: u64 = 1 << 0;
    /// Whether the exe is writable.
    pub const WRITABLE: u64 = 1 << 1;
    /// Audit login uid and session.
    pub const LOGINUID: u64 = 1 << 2;
    /// Controlling terminal (0 = none is knowledge, too).
    pub const TTY: u64 = 1 << 3;
    /// Ids in the innermost pid namespace.
    pub const VPIDS: u64 = 1 << 4;
    /// Start of the pid namespace's init.
    pub const PIDNS_START: u64 = 1 << 5;
    /// Capabilities.
    pub const CAPS: u64 = 1 << 6;
    /// uid and gid as seen inside the user namespace.
    pub const INNER_IDS: u64 = 1 << 7;
    /// Inode times.
    pub const TIMES: u64 = 1 << 8;
    /// The superblock of the task's root directory.
    pub const ROOT: u64 = 1 << 9;
    /// stdio descriptors.
    pub const STDIO: u64 = 1 << 10;
    /// Ids of the credentials.
    pub const IDS: u64 = 1 << 11;
    /// Owner, mode and link count of the exe.
    pub const INODE: u64 = 1 << 12;
    /// Resident and swapped pages.
    pub const RSS: u64 = 1 << 13;
    /// Number of open descriptors.
    pub const FD_OPEN: u64 = 1 << 14;
    /// The root mount of the mount namespace: [`super::FileFacts::ns_root_dev`] and the two bits below.
    pub const NS_ROOT: u64 = 1 << 15;
    /// The root of the task's mount namespace is another directory than the root of the host's.
    pub const OWN_NS_ROOT: u64 = 1 << 16;
    /// The file lies on the root mount of the mount namespace, not on one that is mounted below it.
    pub const ON_NS_ROOT: u64 = 1 << 17;
    /// No fact: the record is from the second copy of the program, because the first had not marked the exec as seen.
    pub const SECOND_LOOK: u64 = 1 << 20;
}

/// Ids of a task, from `task_struct`, `signal_struct` and `struct pid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TaskFacts {
    /// Start of the process (thread group leader), `CLOCK_BOOTTIME` nanoseconds; survives exec.
    pub start_boot_ns: u64,
    /// Start of the pid namespace's init, `CLOCK_BOOTTIME` nanoseconds.
    pub pidns_init_start_boot_ns: u64,
    /// How often the process has executed (`task_struct.self_exec_id`): with `pid` and `start_boot_ns` it names this
    /// exec and no other. 0 = the kernel does not tell.
    pub exec_id: u64,
    /// Process id (tgid) in the initial pid namespace.
    pub pid: u32,
    /// Thread id before the exec (`old_pid`): differs from `pid` when a thread called execve.
    pub old_tid: u32,
    /// Process id in the innermost pid namespace.
    pub vpid: u32,
    /// Parent's process id in the parent's innermost pid namespace.
    pub pvpid: u32,
    /// Process group, initial pid namespace.
    pub pgid: u32,
    /// Process group in the task's pid namespace; 0 = leader lives outside of it.
    pub vpgid: u32,
    /// Session id, initial pid namespace.
    pub sid: u32,
    /// Session id in the task's pid namespace; 0 = leader lives outside of it.
    pub vsid: u32,
    /// Depth of the pid namespace below the initial one.
    pub pidns_level: u32,
    /// Controlling terminal as `new_encode_dev`; 0 = none.
    pub tty: u32,
    /// Audit login uid; `u32::MAX` = not set.
    pub loginuid: u32,
    /// Audit session id.
    pub session_id: u32,
    /// Threads of the process (1 right after exec).
    pub nr_threads: u32,
    /// CPU of the hook.
    pub cpu: u32,
    /// `linux_binprm.argc`: arguments given, also those beyond the captured bytes.
    pub argc: u32,
    /// `linux_binprm.envc`.
    pub envc: u32,
    /// comm after the exec, NUL padded.
    pub comm: [u8; COMM_BYTES],
}

/// From `struct cred`; ids are kernel ids (initial user namespace).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Credentials {
    /// Inheritable capabilities, bit = capability number.
    pub cap_inheritable: u64,
    /// Permitted capabilities.
    pub cap_permitted: u64,
    /// Effective capabilities.
    pub cap_effective: u64,
    /// Bounding set.
    pub cap_bounding: u64,
    /// Ambient capabilities.
    pub cap_ambient: u64,
    /// Real uid.
    pub uid: u32,
    /// Real gid.
    pub gid: u32,
    /// Saved uid.
    pub suid: u32,
    /// Saved gid.
    pub sgid: u32,
    /// Effective uid.
    pub euid: u32,
    /// Effective gid.
    pub egid: u32,
    /// File system uid.
    pub fsuid: u32,
    /// File system gid.
    pub fsgid: u32,
    /// Effective uid as seen inside the task's user namespace; `u32::MAX` = not mapped.
    pub inner_uid: u32,
    /// Effective gid as seen inside the task's user namespace; `u32::MAX` = not mapped.
    pub inner_gid: u32,
    /// Depth of the user namespace below the initial one.
    pub user_ns_level: u32,
    /// Explicit padding.
    pub reserved: u32,
}

/// Inode numbers of the task's namespaces; 0 = could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Namespaces {
    /// Mount namespace.
    pub mnt: u32,
    /// Pid namespace (of the task itself).
    pub pid: u32,
    /// User namespace of the credentials.
    pub user: u32,
    /// Network namespace.
    pub net: u32,
    /// UTS namespace.
    pub uts: u32,
    /// IPC namespace.
    pub ipc: u32,
    /// Cgroup namespace.
    pub cgroup: u32,
    /// Mount namespace of the host's first process, to compare with.
    pub host_mnt: u32,
}

/// Facts of an executed file, from the inode that the process sees (on overlayfs the overlay's inode).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FileFacts {
    /// Inode number.
    pub ino: u64,
    /// Size in bytes.
    pub size: u64,
    /// Change time, seconds since the epoch.
    pub ctime_sec: i64,
    /// Modification time, seconds since the epoch.
    pub mtime_sec: i64,
    /// Nanosecond part of the change time.
    pub ctime_nsec: u32,
    /// Nanosecond part of the modification time.
    pub mtime_nsec: u32,
    /// Superblock magic.
    pub sb_magic: u64,
    /// Magic of the superblock of the task's root directory.
    pub root_sb_magic: u64,
    /// Inode number of the upper layer's inode; 0 = none.
    pub upper_ino: u64,
    /// `ovl_inode.flags`: bit 3 = data is in the upper layer.
    pub overlay_flags: u64,
    /// `super_block.s_dev` in the kernel's encoding (`major << 20 | minor`).
    pub dev: u32,
    /// Device of the superblock of the task's root directory.
    pub root_dev: u32,
    /// Device of the upper layer's inode; 0 = none.
    pub upper_dev: u32,
    /// Links; 0 = unlinked while being executed.
    pub nlink: u32,
    /// Owner, kernel uid.
    pub uid: u32,
    /// Group, kernel gid.
    pub gid: u32,
    /// Inode generation.
    pub generation: u32,
    /// `mnt_flags` of the mount it was executed through.
    pub mnt_flags: u32,
    /// `mnt_id` of that mount.
    pub mnt_id: u32,
    /// Bits of [`crate::exe_flags`].
    pub flags: u32,
    /// File type and permission bits.
    pub mode: u16,
    /// An [`Origin`] as a number; from outside it may be anything.
    pub origin: u8,
    /// Explicit padding.
    pub reserved: u8,
    /// Device of the root of the task's mount namespace, whatever the task's own root directory is.
    pub ns_root_dev: u32,
}

/// Where an executed file comes from, as far as the kernel side can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Origin {
    /// Could not be told.
    Unknown = 0,
    /// Overlay, no upper inode: as the image has it.
    Image = 1,
    /// Overlay, upper inode, nothing of the image below it.
    New = 2,
    /// Overlay, upper inode with its own data, and a file of the image below it.
    Modified = 3,
    /// Overlay, upper inode without data of its own (metacopy).
    MetadataOnly = 4,
    /// Anonymous memory file.
    Memfd = 5,
    /// tmpfs, not a memfd.
    Tmpfs = 6,
    /// Any other file system that is not an overlay.
    NotOverlay = 7,
}

impl Origin {
    /// The origin of that number, if there is one.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Unknown,
            1 => Self::Image,
            2 => Self::New,
            3 => Self::Modified,
            4 => Self::MetadataOnly,
            5 => Self::Memfd,
            6 => Self::Tmpfs,
            7 => Self::NotOverlay,
            _ => return None,
        })
    }
}

/// Figures at the moment of the exec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Usage {
    /// Major page faults of the task.
    pub major_faults: u64,
    /// Minor page faults of the task.
    pub minor_faults: u64,
    /// Virtual memory, pages.
    pub total_vm_pages: u64,
    /// Resident pages of files. The kernel keeps approximate counts, which can be below zero for a moment.
    pub rss_file_pages: i64,
    /// Resident anonymous pages.
    pub rss_anon_pages: i64,
    /// Resident pages of shared memory.
    pub rss_shmem_pages: i64,
    /// Swapped pages.
    pub swap_pages: i64,
    /// Open descriptors.
    pub fd_open: u64,
    /// Soft limit of open files.
    pub fd_limit: u64,
    /// Bytes of the whole argument area (`arg_end - arg_start`), also beyond what is captured.
    pub argv_bytes: u64,
    /// Bytes of the whole environment area.
    pub env_bytes: u64,
}

/// One of descriptors 0, 1, 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StdioFacts {
    /// Inode number.
    pub ino: u64,
    /// Superblock magic.
    pub sb_magic: u64,
    /// `i_mode`; 0 = descriptor not open.
    pub mode: u32,
    /// Address family (`AF_*`) of a socket; 0 = no socket, or could not be read.
    pub family: u32,
}

/// Number of sections of an exec record.
pub const SECTIONS: usize = 28;

/// The variable parts, by their index in [`ExecRecord::sections`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum SectionKind {
    /// `bprm->filename`, without NUL.
    Filename = 0,
    /// `bprm->interp`, without NUL.
    Interp = 1,
    /// Path of the executed file: components, leaf first, each with its NUL.
    ExePath = 2,
    /// Working directory: components, leaf first, each with its NUL.
    Cwd = 3,
    /// Raw argument area: arguments, each with its NUL.
    Argv = 4,
    /// Raw environment area; absent unless asked for.
    Env = 5,
    /// [`Ancestor`]s, parent first.
    Ancestors = 6,
    /// Path in the unified (v2) cgroup hierarchy: components, leaf first, each with its NUL.
    CgroupUnified = 7,
    /// Path of the cpuset controller's cgroup.
    CgroupCpuset = 8,
    /// Path of the cpu controller's cgroup.
    CgroupCpu = 9,
    /// Path of the cpuacct controller's cgroup.
    CgroupCpuacct = 10,
    /// Path of the io (blkio) controller's cgroup.
    CgroupIo = 11,
    /// Path of the memory controller's cgroup.
    CgroupMemory = 12,
    /// Path of the pids controller's cgroup.
    CgroupPids = 13,
    /// What descriptor 0 is open on: components, leaf first, each with its NUL; of an anonymous file its one name.
    StdinPath = 14,
    /// As [`Self::StdinPath`], of descriptor 1.
    StdoutPath = 15,
    /// As [`Self::StdinPath`], of descriptor 2.
    StderrPath = 16,
    /// Path of the parent's executed file, as seen from the parent's root: components, leaf first, each with its NUL.
    AncestorExe0 = 17,
    /// As [`Self::AncestorExe0`], of the second ancestor.
    AncestorExe1 = 18,
    /// As [`Self::AncestorExe0`], of the third ancestor.
    AncestorExe2 = 19,
    /// As [`Self::AncestorExe0`], of the fourth ancestor.
    AncestorExe3 = 20,
    /// As [`Self::AncestorExe0`], of the fifth ancestor.
    AncestorExe4 = 21,
    /// As [`Self::AncestorExe0`], of the sixth ancestor.
    AncestorExe5 = 22,
    /// As [`Self::AncestorExe0`], of the seventh ancestor.
    AncestorExe6 = 23,
    /// As [`Self::AncestorExe0`], of the eighth ancestor.
    AncestorExe7 = 24,
    /// A [`Subject`]: the file that was mapped; in the record of an exec the script, where the kernel side has seen it.
    Subject = 25,
    /// Path of a file that was mapped: components, leaf first, each with its NUL.
    SubjectPath = 26,
    /// A [`Writer`]: who opened the file for writing last; then names of its cgroups, each with its NUL. Absent where nobody was
    /// seen.
    Dropper = 27,
}

impl SectionKind {
    /// Paths of descriptors 0, 1 and 2.
    pub const STDIO_PATHS: [Self; 3] = [Self::StdinPath, Self::StdoutPath, Self::StderrPath];

    /// Paths of the ancestors' executed files, parent first.
    pub const ANCESTOR_EXES: [Self; ANCESTOR_EXES] = [
        Self::AncestorExe0,
        Self::AncestorExe1,
        Self::AncestorExe2,
        Self::AncestorExe3,
        Self::AncestorExe4,
        Self::AncestorExe5,
        Self::AncestorExe6,
        Self::AncestorExe7,
    ];
}

/// One variable part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Section {
    /// First byte, counted from the end of [`ExecRecord`].
    pub offset: u16,
    /// Length in bytes.
    pub len: u16,
    /// A [`section_status`] value.
    pub status: u16,
    /// For [`section_status::SAME_AS`]: index of the section that holds the same bytes.
    pub same_as: u16,
}

/// Values of [`Section::status`].
pub mod section_status {
    /// Not captured: the kernel has no such thing, or it was not asked for.
    pub const ABSENT: u16 = 0;
    /// Whole.
    pub const COMPLETE: u16 = 1;
    /// Cut at a bound of [`crate::limits`].
    pub const TRUNCATED: u16 = 2;
    /// A read failed; what is there is what was read before.
    pub const FAILED: u16 = 3;
    /// Equal to another section of this record.
    pub const SAME_AS: u16 = 4;
}

/// A file that a record is about besides the executed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Subject {
    /// Bits of [`known`] about [`Self::file`].
    pub known: u64,
    /// Its facts.
    pub file: FileFacts,
}

/// One ancestor process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Ancestor {
    /// Start of the process, `CLOCK_BOOTTIME` nanoseconds: with `pid` it names a process beyond pid reuse.
    pub start_boot_ns: u64,
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// Thread that is the parent (of ancestor 0: the one that forked).
    pub tid: u32,
    /// Process id in its own innermost pid namespace.
    pub vpid: u32,
    /// Session id, initial pid namespace.
    pub sid: u32,
    /// Process group, initial pid namespace.
    pub pgid: u32,
    /// Effective uid, kernel id.
    pub euid: u32,
    /// comm of the thread group leader, NUL padded.
    pub comm: [u8; COMM_BYTES],
}

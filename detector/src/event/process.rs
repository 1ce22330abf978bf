//! The process that called execve, and the processes above it.

use serde::{Deserialize, Serialize};

/// Arguments as the kernel laid them out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arguments {
    /// The captured area: arguments, each ended by a NUL (the last one's may be cut off).
    pub area: Vec<u8>,
    /// Number of arguments that were given, also beyond what was captured.
    pub given: u32,
    /// Whether the area was cut.
    pub truncated: bool,
}

impl Arguments {
    /// The captured arguments, argv\[0\] first.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let area = self.area.strip_suffix(b"\0").unwrap_or(&self.area);
        // Without argv the kernel lays out nothing, or one empty argument since 5.18.
        let empty = self.area.is_empty();
        area.split(|byte| *byte == 0).take(if empty { 0 } else { usize::MAX })
    }

    /// argv\[0\]; empty when there is none.
    #[must_use]
    pub fn exe(&self) -> &[u8] {
        self.iter().next().unwrap_or_default()
    }

    /// All of them joined by one space: an environment as Falco shows it.
    #[must_use]
    pub fn spaced(&self) -> Vec<u8> {
        let area = self.area.strip_suffix(b"\0").unwrap_or(&self.area);
        area.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect()
    }

    /// Of an environment the value of a variable, without blanks around it.
    #[must_use]
    pub fn variable(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find_map(|entry| Some(entry.strip_prefix(name)?.strip_prefix(b"=")?.trim_ascii()))
    }

    /// The arguments after argv\[0\], joined by one space, as Falco shows them.
    #[must_use]
    pub fn joined(&self) -> Vec<u8> {
        let mut joined = Vec::with_capacity(self.area.len());
        for (index, argument) in self.iter().skip(1).enumerate() {
            if index > 0 {
                joined.push(b' ');
            }
            joined.extend_from_slice(argument);
        }
        joined
    }
}

/// The process after its exec.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Process {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// Thread id before the exec; differs from `pid` when a thread called execve.
    pub old_tid: u32,
    /// Process id in its innermost pid namespace.
    pub vpid: Option<u32>,
    /// Parent's process id in the parent's namespace.
    pub pvpid: Option<u32>,
    /// Process group, initial pid namespace.
    pub pgid: u32,
    /// Process group in its pid namespace; 0 = the leader lives outside.
    pub vpgid: Option<u32>,
    /// Session, initial pid namespace.
    pub sid: u32,
    /// Session in its pid namespace; 0 = the leader lives outside.
    pub vsid: Option<u32>,
    /// Depth of the pid namespace; 0 = the host's.
    pub pidns_level: u32,
    /// comm after the exec, at most 15 bytes.
    pub comm: Vec<u8>,
    /// argv.
    pub arguments: Arguments,
    /// Environment, `NAME=value` each; `None` where no rule asked for it.
    pub env: Option<Arguments>,
    /// Working directory.
    pub cwd: Option<super::Path>,
    /// The path given to execve.
    pub filename: Option<Vec<u8>>,
    /// The path of what runs in the end (of a script: its interpreter).
    pub interpreter: Option<Vec<u8>>,
    /// Controlling terminal as `new_encode_dev`; 0 = none.
    pub tty: Option<u32>,
    /// Audit login uid; `None` = unknown, `Some(u32::MAX)` = not set.
    pub loginuid: Option<u32>,
    /// When the process was cloned, nanoseconds since the epoch.
    pub start_ns: u64,
    /// When the pid namespace's init was started, nanoseconds since the epoch.
    pub pidns_start_ns: Option<u64>,
    /// Threads of the process.
    pub nr_threads: u32,
}

/// One ancestor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ancestor {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// The thread that is the parent.
    pub tid: u32,
    /// Process id in its own pid namespace.
    pub vpid: u32,
    /// Session, initial pid namespace.
    pub sid: u32,
    /// Process group, initial pid namespace.
    pub pgid: u32,
    /// Effective uid, kernel id.
    pub euid: u32,
    /// comm, at most 15 bytes.
    pub comm: Vec<u8>,
    /// When it was cloned, nanoseconds since the epoch.
    pub start_ns: u64,
    /// The same on `CLOCK_BOOTTIME`: together with `pid` its identity.
    pub start_boot_ns: u64,
    /// Path of its executed file as it sees it; `None` for kernel threads, and beyond the first few ancestors.
    pub exe_path: Option<super::Path>,
    /// What the record does not carry and enrichment found; `None` = unknown.
    pub details: Option<ProcessDetails>,
}

/// What only the memory or `/proc` files of another process tell about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessDetails {
    /// argv.
    pub arguments: Arguments,
    /// Environment, `NAME=value` each; `None` = unknown.
    pub env: Option<Arguments>,
    /// Working directory; `None` = unknown.
    pub cwd: Option<super::Path>,
    /// Path of its executed file; `None` = unknown.
    pub exe_path: Option<super::Path>,
}

/// Credentials after the exec; ids are kernel ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Real uid.
    pub uid: u32,
    /// Effective uid.
    pub euid: u32,
    /// Real gid.
    pub gid: u32,
    /// Effective gid.
    pub egid: u32,
    /// Effective uid and gid as seen inside the user namespace.
    pub inner: Option<(u32, u32)>,
    /// Depth of the user namespace; 0 = the initial one.
    pub user_ns_level: u32,
    /// Permitted capabilities; `None` = unknown.
    pub cap_permitted: Option<u64>,
    /// Effective capabilities; `None` = unknown.
    pub cap_effective: Option<u64>,
    /// Inheritable capabilities.
    pub cap_inheritable: u64,
}

/// Namespace numbers; 0 = could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Mount namespace.
    pub mnt: u32,
    /// Pid namespace.
    pub pid: u32,
    /// User namespace.
    pub user: u32,
    /// Network namespace.
    pub net: u32,
    /// UTS namespace.
    pub uts: u32,
    /// IPC namespace.
    pub ipc: u32,
    /// Cgroup namespace.
    pub cgroup: u32,
    /// Mount namespace of the host's first process.
    pub host_mnt: u32,
}

/// Memory and descriptor figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Major page faults.
    pub major_faults: u64,
    /// Minor page faults.
    pub minor_faults: u64,
    /// Virtual memory, KiB.
    pub vm_size_kb: u64,
    /// Resident memory, KiB; `None` = unknown.
    pub rss_kb: Option<u64>,
    /// Swapped memory, KiB; `None` = unknown.
    pub swap_kb: Option<u64>,
    /// Open descriptors; `None` = unknown, or too many to count.
    pub fd_open: Option<u64>,
    /// Soft limit of open files.
    pub fd_limit: u64,
}

#[cfg(test)]
mod tests {
    use super::Arguments;

    fn arguments(area: &[u8]) -> Arguments {
        Arguments { area: area.to_vec(), given: 0, truncated: false }
    }

    #[test]
    fn arguments_are_joined_by_one_space_without_quoting() {
        let arguments = arguments(b"/bin/x\0a b\0\0\"c\"\0");
        assert_eq!(arguments.exe(), b"/bin/x");
        assert_eq!(arguments.joined(), b"a b  \"c\"");
    }

    #[test]
    fn no_argv_has_no_exe_and_no_arguments() {
        assert_eq!(arguments(b"").iter().count(), 0);
        assert_eq!(arguments(b"").exe(), b"");
        assert_eq!(arguments(b"").joined(), b"");
    }

    #[test]
    fn one_empty_argument_is_an_argument() {
        assert_eq!(arguments(b"\0").iter().count(), 1);
        assert_eq!(arguments(b"x\0\0").iter().count(), 2);
    }

    #[test]
    fn variables_are_found_by_their_whole_name() {
        let env = arguments(b"PATHS=x\0PATH= /bin \0PATH=/later\0BARE\0");
        assert_eq!(env.variable(b"PATH"), Some(&b"/bin"[..]));
        assert_eq!(env.variable(b"PAT"), None);
        assert_eq!(env.variable(b"BARE"), None);
        assert_eq!(env.spaced(), b"PATHS=x PATH= /bin  PATH=/later BARE");
    }

    #[test]
    fn a_cut_last_argument_is_kept() {
        assert_eq!(arguments(b"x\0long").joined(), b"long");
    }
}

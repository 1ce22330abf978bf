//! What a process lacks whom the kernel says EPERM: it is the same answer for three things, and only one of them helps.
use std::fmt;

use caps::{CapSet, Capability};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

/// What to give to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacking {
    /// It is not root, and has no capabilities either.
    Root,
    /// It is root, without the capabilities of root.
    Capabilities,
    /// It has them, but may lock only so many bytes of memory, as which maps count before 5.11.
    LockedMemory(u64),
}

impl Lacking {
    /// Of this process, now.
    pub(super) fn now() -> Self {
        let has = |capability| caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false);
        let limit = getrlimit(Resource::RLIMIT_MEMLOCK).map_or(RLIM_INFINITY, |(now, _)| now);
        Self::of(
            nix::unistd::geteuid().is_root(),
            has(Capability::CAP_BPF) || has(Capability::CAP_SYS_ADMIN),
            (limit != RLIM_INFINITY).then_some(limit),
        )
    }

    const fn of(root: bool, may_load: bool, limit: Option<u64>) -> Self {
        match limit {
            Some(bytes) if may_load => Self::LockedMemory(bytes),
            _ if root => Self::Capabilities,
            _ => Self::Root,
        }
    }
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("run it as root, or with CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE"),
            Self::Capabilities => f.write_str(
                "the process is root but lacks CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN on kernels before 5.8): give \
                 them to the container or unit",
            ),
            Self::LockedMemory(bytes) => write!(
                f,
                "before Linux 5.11 maps count as locked memory, of which the process may have {bytes} bytes: give it \
                 CAP_SYS_RESOURCE, or more of it (LimitMEMLOCK=infinity in a unit, --ulimit memlock=-1 for a container)"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_helps_is_told() {
        let table = [
            (true, true, None, Lacking::Capabilities),
            (true, true, Some(65536), Lacking::LockedMemory(65536)),
            (false, true, Some(65536), Lacking::LockedMemory(65536)),
            (true, false, Some(65536), Lacking::Capabilities),
            (false, false, Some(65536), Lacking::Root),
            (false, false, None, Lacking::Root),
        ];
        for (root, may_load, limit, expected) in table {
            assert_eq!(Lacking::of(root, may_load, limit), expected, "{root} {may_load} {limit:?}");
        }
        assert!(Lacking::LockedMemory(65536).to_string().contains("65536 bytes"));
    }
}

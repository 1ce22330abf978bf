//! Facts of the host that the hooks and the decoder need.

use std::{fs, io, os::unix::fs::MetadataExt as _};

use nix::time::{ClockId, clock_gettime};

use super::KernelError;
use crate::decode::BootClock;

/// `PROC_PID_INIT_INO`: the initial pid namespace has this inode number on every kernel.
const INITIAL_PID_NS: u64 = 0xEFFF_FFFC;

/// The host as seen at start.
#[derive(Clone, Debug)]
pub struct Host {
    /// Number of the mount namespace of the host's first process.
    pub mnt_ns: u32,
    /// Number of the initial pid namespace.
    pub pid_ns: u32,
    /// Kernel release, as `uname -r` says.
    pub kernel_release: String,
}

impl Host {
    /// Looks at `/proc`.
    pub fn look() -> Result<Self, KernelError> {
        let own_pid_ns = number("/proc/self/ns/pid")?;
        if u64::from(own_pid_ns) != INITIAL_PID_NS {
            return Err(KernelError::NotHostPidNamespace);
        }
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Ok(Self {
            mnt_ns: number("/proc/1/ns/mnt")?,
            pid_ns: own_pid_ns,
            kernel_release: release.trim().to_owned(),
        })
    }

    /// The distance between the boot clock and the time of day, now.
    #[must_use]
    pub fn boot_clock() -> BootClock {
        let nanoseconds = |clock| {
            clock_gettime(clock).map_or(0, |time| {
                let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
                seconds * 1_000_000_000 + u64::try_from(time.tv_nsec()).unwrap_or(0)
            })
        };
        // The boot clock in the middle, so that the time between the calls cancels out.
        let before = nanoseconds(ClockId::CLOCK_REALTIME);
        let boot = nanoseconds(ClockId::CLOCK_BOOTTIME);
        let after = nanoseconds(ClockId::CLOCK_REALTIME);
        BootClock { boot_at_ns: (before + after.saturating_sub(before) / 2).saturating_sub(boot) }
    }
}

fn number(path: &'static str) -> Result<u32, KernelError> {
    fs::metadata(path)
        .and_then(|metadata| u32::try_from(metadata.ino()).map_err(io::Error::other))
        .map_err(|source| KernelError::HostFile {
            path,
            source,
            remedy: "the agent needs the host's /proc and CAP_SYS_PTRACE: run it as root",
        })
}

//! Facts of the host that the hooks and the decoder need.

use std::fs;

use nix::time::{ClockId, clock_gettime};

use super::{KernelError, btf::BtfChoice};
use crate::event::BootClock;

/// The host as seen at start.
#[derive(Clone, Debug)]
pub struct Host {
    /// Kernel release, as `uname -r` says.
    pub kernel_release: String,
    /// What describes the kernel's types.
    pub btf: BtfChoice,
}

impl Host {
    /// Looks at `/proc`.
    pub fn look() -> Result<Self, KernelError> {
        const RELEASE: &str = "/proc/sys/kernel/osrelease";
        let release = fs::read_to_string(RELEASE).map_err(|source| KernelError::HostFile {
            path: RELEASE,
            source,
            remedy: "is /proc mounted?",
        })?;
        Ok(Self { kernel_release: release.trim().to_owned(), btf: BtfChoice::default() })
    }

    /// The same with BTF of the user's choice.
    #[must_use]
    pub fn with_btf(self, btf: &BtfChoice) -> Self {
        Self { btf: btf.clone(), ..self }
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

//! From the kernel's boot clock to time of day.

/// Distance between `CLOCK_BOOTTIME` and the time of day when it was measured. Measured anew now and then, as the
/// time of day can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootClock {
    /// Nanoseconds since the epoch at boot.
    pub boot_at_ns: u64,
}

impl BootClock {
    /// Time of day of a moment on the boot clock, nanoseconds since the epoch.
    #[must_use]
    pub const fn time_of(self, boot_ns: u64) -> u64 {
        self.boot_at_ns.saturating_add(boot_ns)
    }
}

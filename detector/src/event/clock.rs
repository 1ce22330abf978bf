//! From the kernel's boot clock to time of day.

/// Distance between `CLOCK_BOOTTIME` and the time of day when it was measured. Measured anew now and then, as the
/// time of day can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootClock {
    /// Nanoseconds since the epoch at boot.
    pub boot_at_ns: u64,
}

/// Differences below this are the measurement's own noise: following them would give one moment two times.
const NOISE_NS: u64 = 1_000_000;

impl BootClock {
    /// This clock, or a newer measurement that differs by more than noise: the time of day was set, or has been
    /// slewed far enough.
    #[must_use]
    pub const fn updated(self, measured: Self) -> Self {
        if self.boot_at_ns.abs_diff(measured.boot_at_ns) > NOISE_NS { measured } else { self }
    }

    /// Time of day of a moment on the boot clock, nanoseconds since the epoch.
    #[must_use]
    pub const fn time_of(self, boot_ns: u64) -> u64 {
        self.boot_at_ns.saturating_add(boot_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::{BootClock, NOISE_NS};

    const CLOCK: BootClock = BootClock { boot_at_ns: 1_000_000_000_000 };

    #[test]
    fn noise_does_not_move_the_clock() {
        let noisy = BootClock { boot_at_ns: CLOCK.boot_at_ns + NOISE_NS };
        assert_eq!(CLOCK.updated(noisy), CLOCK);
    }

    #[test]
    fn a_set_time_of_day_moves_the_clock_both_ways() {
        for boot_at_ns in [CLOCK.boot_at_ns - NOISE_NS - 1, CLOCK.boot_at_ns + NOISE_NS + 1] {
            let set = BootClock { boot_at_ns };
            assert_eq!(CLOCK.updated(set), set);
        }
    }

    #[test]
    fn a_hostile_boot_time_does_not_overflow() {
        assert_eq!(CLOCK.time_of(u64::MAX), u64::MAX);
    }
}

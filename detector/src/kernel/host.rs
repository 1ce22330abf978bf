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
        tightest(|| {
            let before = nanoseconds(ClockId::CLOCK_REALTIME);
            let boot = nanoseconds(ClockId::CLOCK_BOOTTIME);
            Bracket { before, boot, after: nanoseconds(ClockId::CLOCK_REALTIME) }
        })
    }
}

/// The boot clock, read between two readings of the time of day.
#[derive(Clone, Copy)]
struct Bracket {
    before: u64,
    boot: u64,
    after: u64,
}

impl Bracket {
    /// Nanoseconds from the first to the last reading: twice of what the distance can be off.
    const fn width(self) -> u64 {
        self.after.saturating_sub(self.before)
    }

    /// The boot clock in the middle, so that the time between the readings cancels out.
    const fn clock(self) -> BootClock {
        BootClock { boot_at_ns: (self.before + self.width() / 2).saturating_sub(self.boot) }
    }
}

/// Whoever loses the processor between two readings measures a distance that is off by all of that time. So a bracket that
/// is wider than any undisturbed one is taken anew, a few times, and the tightest counts.
fn tightest(mut read: impl FnMut() -> Bracket) -> BootClock {
    const UNDISTURBED_NS: u64 = 20_000;
    const TRIES: usize = 16;
    let mut best = read();
    for _ in 1..TRIES {
        if best.width() <= UNDISTURBED_NS {
            break;
        }
        let next = read();
        if next.width() < best.width() {
            best = next;
        }
    }
    best.clock()
}

fn nanoseconds(clock: ClockId) -> u64 {
    clock_gettime(clock).map_or(0, |time| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
        seconds * 1_000_000_000 + u64::try_from(time.tv_nsec()).unwrap_or(0)
    })
}

#[cfg(test)]
mod tests {
    use super::{Bracket, tightest};

    /// In an emulated machine the times of a whole run were 158 ms off.
    #[test]
    fn a_reading_that_lost_the_processor_does_not_shift_all_times() {
        let boot_at = 1_000_000_000_000;
        let mut brackets = [158_000_000, 40_000, 1_000, 90_000].into_iter().map(|lost| {
            let before = boot_at + 500;
            // Lost right after the first reading.
            Bracket { before, boot: 500 + lost, after: before + lost }
        });
        let clock = tightest(|| brackets.next().unwrap());
        assert!(clock.boot_at_ns.abs_diff(boot_at) <= 500, "{clock:?}");
        assert_eq!(brackets.count(), 1, "an undisturbed reading is enough");
    }
}

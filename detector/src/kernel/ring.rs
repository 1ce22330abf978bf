//! Records from the ring buffer. Sleeps in epoll until the kernel has something: no polling loop.

use std::os::fd::{AsRawFd, RawFd};

use aya::maps::{MapData, RingBuf};
use tokio::io::{Interest, unix::AsyncFd};

use super::{KernelError, duplicates::Duplicates};

/// Wakes up when records arrive.
pub struct RingReader {
    ring: AsyncFd<Ring>,
    duplicates: Duplicates,
}

struct Ring(RingBuf<MapData>);

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl RingReader {
    /// Registers the ring with the runtime; must be called inside it.
    pub fn new(ring: RingBuf<MapData>) -> Result<Self, KernelError> {
        // SAFETY: the descriptor belongs to the map inside, which lives as long as the AsyncFd and is never replaced.
        let ring = unsafe { AsyncFd::register_with_interest(Ring(ring), Interest::READABLE) }
            .map_err(|error| KernelError::Ring(error.into()))?;
        Ok(Self { ring, duplicates: Duplicates::default() })
    }

    /// Waits until there may be records.
    pub async fn ready(&mut self) -> Result<(), KernelError> {
        let mut guard = self.ring.readable_mut().await.map_err(KernelError::Ring)?;
        guard.clear_ready();
        Ok(())
    }

    /// Takes at most `limit` waiting records and hands those to `consume` that did not come before; the answer is how
    /// many were taken.
    pub fn drain(&mut self, limit: usize, mut consume: impl FnMut(&[u8])) -> usize {
        let ring = &mut self.ring.get_mut().0;
        let mut count = 0;
        while count < limit
            && let Some(record) = ring.next()
        {
            if self.duplicates.is_new(&record) {
                consume(&record);
            }
            count += 1;
        }
        count
    }

    /// Records that were taken and dropped because both copies of the program had sent one of the same exec.
    #[must_use]
    pub const fn duplicates(&self) -> u64 {
        self.duplicates.dropped()
    }
}

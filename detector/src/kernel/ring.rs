//! Records from the ring buffer. Sleeps in epoll until the kernel has something: no polling loop. What earlier agents
//! left comes first.

use std::{
    collections::VecDeque,
    os::fd::{AsRawFd, RawFd},
    sync::Arc,
};

use aya::maps::{MapData, RingBuf};
use log::error;
use tokio::io::{Interest, unix::AsyncFd};

use super::{
    KernelError,
    duplicates::Duplicates,
    handover::{Backlog, Part},
    journal::{Journal, Receipt},
};

/// Wakes up when records arrive.
pub struct RingReader {
    ring: AsyncFd<Ring>,
    duplicates: Duplicates,
    before: VecDeque<Part>,
    /// What may be first in the ring though it has been taken.
    again: Option<Vec<u8>>,
    /// For hooks that stay when the agent ends.
    journal: Option<Arc<Journal>>,
    unheld: u64,
}

struct Ring(RingBuf<MapData>);

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl RingReader {
    /// Registers the ring with the runtime; must be called inside it.
    pub(super) fn new(
        ring: RingBuf<MapData>,
        journal: Option<Arc<Journal>>,
        backlog: Backlog,
    ) -> Result<Self, KernelError> {
        // SAFETY: the descriptor belongs to the map inside, which lives as long as the AsyncFd and is never replaced.
        let ring = unsafe { AsyncFd::register_with_interest(Ring(ring), Interest::READABLE) }
            .map_err(|error| KernelError::Ring(error.into()))?;
        let Backlog { parts: before, again, .. } = backlog;
        Ok(Self { ring, duplicates: Duplicates::default(), before, again, journal, unheld: 0 })
    }

    /// Whether records of earlier agents wait, of which the ring does not tell.
    #[must_use]
    pub fn has_backlog(&self) -> bool {
        !self.before.is_empty()
    }

    /// Waits until there may be records.
    pub async fn ready(&mut self) -> Result<(), KernelError> {
        let mut guard = self.ring.readable_mut().await.map_err(KernelError::Ring)?;
        guard.clear_ready();
        Ok(())
    }

    /// Takes at most `limit` waiting records and hands those to `consume` that did not come before; the answer is how
    /// many were taken. With a receipt comes a record that the next agent takes up again, should this one be killed
    /// before it lets go of the receipt.
    pub fn drain(&mut self, limit: usize, mut consume: impl FnMut(&[u8], Option<Receipt>)) -> usize {
        let mut count = 0;
        while count < limit && self.take_earlier(&mut consume) {
            count += 1;
        }
        let ring = &mut self.ring.get_mut().0;
        while count < limit
            && let Some(record) = ring.next()
        {
            count += 1;
            if self.again.take().is_some_and(|again| again == *record) {
                continue;
            }
            if self.duplicates.is_new(&record) {
                let receipt = self.journal.as_ref().and_then(|journal| journal.add(&record));
                self.unheld += u64::from(self.journal.is_some() && receipt.is_none());
                consume(&record, receipt);
            }
        }
        count
    }

    /// The next record that earlier agents left; the answer is whether something was done.
    fn take_earlier(&mut self, consume: &mut impl FnMut(&[u8], Option<Receipt>)) -> bool {
        match self.before.pop_front() {
            None => return false,
            Some(Part::Record { bytes, receipt, replaced }) => {
                if replaced {
                    self.duplicates.will_come_again(&bytes);
                }
                consume(&bytes, receipt);
            }
            Some(Part::Ring { mut ring, mut again }) => {
                let Some(record) = ring.next() else { return true };
                if again.take().is_none_or(|again| again != *record) && self.duplicates.is_new(&record) {
                    self.duplicates.will_come_again(&record);
                    let receipt = self.journal.as_ref().and_then(|journal| journal.add(&record));
                    self.unheld += u64::from(self.journal.is_some() && receipt.is_none());
                    consume(&record, receipt);
                }
                drop(record);
                self.before.push_front(Part::Ring { ring, again: None });
            }
            Some(Part::End(generation)) => {
                if let Err(error) = generation.end() {
                    error!("hooks that were replaced cannot be taken away: {error}; try `detector cleanup`");
                }
            }
        }
        true
    }

    /// Records that were taken without a receipt, because too many were under way.
    #[must_use]
    pub const fn unheld(&self) -> u64 {
        self.unheld
    }

    /// Records that were taken and dropped because both copies of the program had sent one of the same exec.
    #[must_use]
    pub const fn duplicates(&self) -> u64 {
        self.duplicates.dropped()
    }
}

//! Records that were taken from the ring and whose alerts may not be out yet, in memory that outlives the agent: a map of
//! pinned hooks. A killed agent loses nothing that it had taken; the next one goes on with what is in here.
//!
//! ```text
//! page 0    head, tail, what was told of the counters
//! then      entries, one behind the other, round and round: [length | state] [record, padded to 8 bytes]
//! ```
//!
//! One thread adds entries; a [`Receipt`] ends one, on whatever thread the last word about its record is said.

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::bpf_call::{MapAttributes, make_map_of, short_name};

/// Number of this layout; changed with it.
pub(super) const LAYOUT: u16 = 1;

/// `BPF_MAP_TYPE_ARRAY`, `BPF_F_MMAPABLE`
const ARRAY: u32 = 2;
const MAPPABLE: u32 = 1 << 10;
/// Elements of the map have no meaning; all of it is mapped.
const ELEMENT: u32 = 4096;
const ELEMENTS: u32 = 512;
/// Bytes before the first entry.
const FIRST: usize = 4096;
/// Room for about a thousand records of the usual size.
const BYTES: usize = (ELEMENT * ELEMENTS) as usize;
const ROOM: u64 = (BYTES - FIRST) as u64;
const HEADER: u64 = 8;

/// Words of page 0.
const HEAD: usize = 0;
const TAIL: usize = 1;
const TOLD: usize = 8;
/// Counters that can be told of.
pub(super) const TOLD_WORDS: usize = 64;

/// States of an entry, in the upper half of its first word.
const HELD: u64 = 1;
const SETTLED: u64 = 2;
/// No record: the rest until the end of the memory.
const SKIP: u64 = 3;

/// The memory.
#[derive(Debug)]
pub(super) struct Journal {
    memory: NonNull<u64>,
}

// SAFETY: all words that more than one thread touches are accessed by atomics; the bytes of records are written and read by
// the one thread that adds entries.
unsafe impl Send for Journal {}
// SAFETY: as above.
unsafe impl Sync for Journal {}

/// Held by whoever still has to do with a record; when the last one lets go of it the record is done with.
#[derive(Debug)]
pub struct Receipt {
    journal: Arc<Journal>,
    /// Where its entry begins.
    place: u64,
}

impl Drop for Receipt {
    fn drop(&mut self) {
        let word = self.journal.entry(self.place);
        let length = word.load(Ordering::Relaxed) & u64::from(u32::MAX);
        word.store(SETTLED << 32 | length, Ordering::Release);
    }
}

/// What an earlier agent left in a journal.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// Records that are not done with, in their order, with the places of their entries.
    pub(super) held: Vec<(u64, Vec<u8>)>,
    /// The record that was added last, done with or not. It may still be in the ring: an agent that is killed in between
    /// has it in both.
    pub(super) last: Option<Vec<u8>>,
}

impl Journal {
    /// Makes the map for one.
    pub(super) fn make() -> io::Result<OwnedFd> {
        make_map_of(&MapAttributes {
            kind: ARRAY,
            key_size: 4,
            value_size: ELEMENT,
            max_entries: ELEMENTS,
            flags: MAPPABLE,
            name: short_name("detector_journ"),
            ..MapAttributes::default()
        })
    }

    /// Maps one into memory.
    pub(super) fn open(map: &OwnedFd) -> io::Result<Arc<Self>> {
        // SAFETY: a new mapping at an address of the kernel's choice; the kernel refuses one that is longer than the map.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                BYTES,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(address.cast()).ok_or_else(|| io::Error::other("mapped at address 0"))?;
        Ok(Arc::new(Self { memory }))
    }

    /// Adds a record; `None` when there is no room, because too many are not done with.
    pub(super) fn add(self: &Arc<Self>, record: &[u8]) -> Option<Receipt> {
        let needed = HEADER + padded(record.len());
        let (mut head, tail) = (self.word(HEAD).load(Ordering::Relaxed), self.forget_settled());
        let until_end = ROOM - head % ROOM;
        let skipped = if until_end < needed { until_end } else { 0 };
        if needed > ROOM || head + skipped + needed - tail > ROOM {
            return None;
        }
        if skipped > 0 {
            // Entries begin at multiples of 8, so there is always room for the word.
            self.entry(head).store(SKIP << 32 | (skipped - HEADER), Ordering::Relaxed);
            head += skipped;
        }
        // SAFETY: the room was computed to be free and to hold the record without a break.
        unsafe {
            let to = self.bytes(head + HEADER);
            std::ptr::copy_nonoverlapping(record.as_ptr(), to, record.len());
        }
        self.entry(head).store(HELD << 32 | record.len() as u64, Ordering::Relaxed);
        // Whoever is killed before this has not taken the record.
        self.word(HEAD).store(head + needed, Ordering::Release);
        Some(Receipt { journal: Arc::clone(self), place: head })
    }

    /// What an earlier agent left; `None` when the memory makes no sense.
    pub(super) fn left(&self) -> Option<Left> {
        let (head, mut place) =
            (self.word(HEAD).load(Ordering::Acquire), self.word(TAIL).load(Ordering::Relaxed));
        let mut left = Left::default();
        // Places only grow, entries begin at multiples of 8, and none is so far that the next one cannot be counted.
        let sound = head >= place && head - place <= ROOM && place % HEADER == 0 && head <= u64::MAX / 2;
        if !sound {
            return None;
        }
        while place < head {
            let (state, length) = self.state(place);
            let next = place + HEADER + padded(length);
            let unbroken = place % ROOM + HEADER + padded(length) <= ROOM;
            if next > head || !unbroken {
                return None;
            }
            match state {
                SKIP => {}
                HELD | SETTLED => {
                    // SAFETY: the bytes are within the memory, as was just checked, and nobody adds entries meanwhile.
                    let record = unsafe { std::slice::from_raw_parts(self.bytes(place + HEADER), length) };
                    if state == HELD {
                        left.held.push((place, record.to_vec()));
                    }
                    left.last = Some(record.to_vec());
                }
                _ => return None,
            }
            place = next;
        }
        Some(left)
    }

    /// The receipt of an entry that an earlier agent left.
    pub(super) fn receipt(self: &Arc<Self>, place: u64) -> Receipt {
        Receipt { journal: Arc::clone(self), place }
    }

    /// Empties it: what it holds makes no sense.
    pub(super) fn reset(&self) {
        self.word(TAIL).store(0, Ordering::Relaxed);
        self.word(HEAD).store(0, Ordering::Release);
    }

    /// Remembers what has been told of the counters.
    pub(super) fn set_told(&self, counts: &[u64]) {
        for (index, count) in counts.iter().take(TOLD_WORDS).enumerate() {
            self.word(TOLD + index).store(*count, Ordering::Relaxed);
        }
    }

    /// What had been told of the counters.
    pub(super) fn told(&self) -> [u64; TOLD_WORDS] {
        std::array::from_fn(|index| self.word(TOLD + index).load(Ordering::Relaxed))
    }

    /// Lets the tail pass what is done with.
    fn forget_settled(&self) -> u64 {
        let (head, old) = (self.word(HEAD).load(Ordering::Relaxed), self.word(TAIL).load(Ordering::Relaxed));
        let mut tail = old;
        while tail < head {
            let (state, length) = self.state(tail);
            if state == HELD {
                break;
            }
            tail += HEADER + padded(length);
        }
        if tail != old {
            self.word(TAIL).store(tail, Ordering::Release);
        }
        tail
    }

    fn state(&self, place: u64) -> (u64, usize) {
        let word = self.entry(place).load(Ordering::Acquire);
        // The lower half always fits.
        (word >> 32, usize::try_from(word & u64::from(u32::MAX)).unwrap_or(usize::MAX))
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        debug_assert!((index + 1) * 8 <= FIRST);
        // SAFETY: within page 0, which is mapped as long as self lives and aligned.
        unsafe { AtomicU64::from_ptr(self.memory.as_ptr().add(index)) }
    }

    /// The first word of the entry at this place.
    fn entry(&self, place: u64) -> &AtomicU64 {
        // SAFETY: within the memory, and aligned: places are multiples of 8, and so is the room.
        unsafe { AtomicU64::from_ptr(self.bytes(place & !7).cast()) }
    }

    fn bytes(&self, place: u64) -> *mut u8 {
        let offset = usize::try_from(place % ROOM).unwrap_or(0);
        // SAFETY: the remainder is below ROOM, which with FIRST is the mapping's length.
        unsafe { self.memory.as_ptr().cast::<u8>().add(FIRST + offset) }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // SAFETY: mapped in `open` with this length; whoever has a receipt holds self, too.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), BYTES) };
    }
}

const fn padded(length: usize) -> u64 {
    (length as u64).next_multiple_of(8)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        os::fd::{FromRawFd as _, OwnedFd},
        sync::Arc,
    };

    use proptest::prelude::*;

    use super::{BYTES, Journal, Left, ROOM, Receipt};

    /// A memfd stands for the map: for user space both are shared memory.
    fn memory() -> OwnedFd {
        // SAFETY: the name is a literal; the descriptor is new.
        let file = unsafe { OwnedFd::from_raw_fd(libc::memfd_create(c"journal".as_ptr(), 0)) };
        let file = File::from(file);
        file.set_len(BYTES as u64).unwrap();
        file.into()
    }

    fn held(left: &Left) -> Vec<&[u8]> {
        left.held.iter().map(|(_, record)| record.as_slice()).collect()
    }

    #[test]
    fn what_is_not_done_with_is_found_by_the_next_one() {
        let memory = memory();
        let journal = Journal::open(&memory).unwrap();
        let receipts: Vec<Receipt> =
            ["a", "bcdefghij", "k"].iter().map(|record| journal.add(record.as_bytes()).unwrap()).collect();
        let mut receipts = receipts.into_iter();
        let _first = receipts.next();
        drop(receipts.next());
        // A killed agent says no last word.
        std::mem::forget(receipts);

        let next = Journal::open(&memory).unwrap();
        let left = next.left().unwrap();
        assert_eq!((held(&left), left.last.as_deref()), (vec![&b"a"[..], b"k"], Some(&b"k"[..])));
        for (place, _) in &left.held {
            drop(next.receipt(*place));
        }
        let left = next.left().unwrap();
        assert!(left.held.is_empty());
        assert_eq!(left.last.as_deref(), Some(&b"k"[..]), "the last one is known even when it is done with");
    }

    #[test]
    fn without_room_nothing_is_held_and_nothing_is_overwritten() {
        let journal = Journal::open(&memory()).unwrap();
        let record = vec![7; 30_000];
        let mut receipts = Vec::new();
        while let Some(receipt) = journal.add(&record) {
            receipts.push(receipt);
        }
        assert_eq!(receipts.len() as u64, ROOM / 30_008);
        // One that is done with in the middle makes no room, the oldest does.
        drop(receipts.remove(1));
        assert!(journal.add(&record).is_none());
        drop(receipts.remove(0));
        assert!(journal.add(&record).is_some());
        assert_eq!(journal.left().unwrap().held.len(), receipts.len());
    }

    #[test]
    fn nonsense_is_refused() {
        let journal = Journal::open(&memory()).unwrap();
        std::mem::forget(journal.add(b"record"));
        assert!(journal.left().is_some());
        journal.word(super::HEAD).store(ROOM * 3, std::sync::atomic::Ordering::Relaxed);
        assert!(journal.left().is_none());
        journal.reset();
        std::mem::forget(journal.add(b"record"));
        journal.entry(0).store(9 << 32 | 6, std::sync::atomic::Ordering::Relaxed);
        assert!(journal.left().is_none());
        journal.entry(0).store(1 << 32 | 0xffff_ffff, std::sync::atomic::Ordering::Relaxed);
        assert!(journal.left().is_none());
        for (tail, head) in [(u64::MAX - 8, u64::MAX), (4, 12), (4, 4)] {
            journal.word(super::TAIL).store(tail, std::sync::atomic::Ordering::Relaxed);
            journal.word(super::HEAD).store(head, std::sync::atomic::Ordering::Relaxed);
            assert!(journal.left().is_none(), "{tail} {head}");
        }
    }

    #[test]
    fn what_was_told_is_remembered() {
        let memory = memory();
        Journal::open(&memory).unwrap().set_told(&[3, 0, 5]);
        assert_eq!(Journal::open(&memory).unwrap().told()[..4], [3, 0, 5, 0]);
    }

    proptest! {
        /// Any order of adding and settling, over the end of the memory: the next agent finds what is not settled, in the
        /// order in which it came.
        #[test]
        fn it_goes_round(steps in proptest::collection::vec((0_usize..40_000, any::<prop::sample::Index>(), any::<bool>()), 1..400)) {
            let journal: Arc<Journal> = Journal::open(&memory()).unwrap();
            let mut expected: Vec<(Receipt, Vec<u8>)> = Vec::new();
            for (number, (length, which, settle)) in steps.into_iter().enumerate() {
                if settle && !expected.is_empty() {
                    drop(expected.remove(which.index(expected.len())));
                } else {
                    let mut record = number.to_le_bytes().to_vec();
                    record.resize(length.max(8), 1);
                    if let Some(receipt) = journal.add(&record) {
                        expected.push((receipt, record));
                    }
                }
            }
            let left = journal.left().unwrap();
            let expected: Vec<&[u8]> = expected.iter().map(|(_, record)| record.as_slice()).collect();
            prop_assert_eq!(held(&left), expected);
        }
    }
}

//! From one agent to the next: what pinned hooks have in store for the agent that takes them over, or that replaces them
//! because it is of another making. No exec goes unseen in between: the new hooks are armed before the old ones fall
//! silent, and what both have seen is told once.

use std::{
    collections::{HashMap, VecDeque},
    os::fd::OwnedFd,
    path::Path,
    sync::Arc,
    time::Duration,
};

use aya::maps::{MapData, RingBuf};
use detector_common::counters::Counter;
use log::{info, warn};

use super::{
    KernelError,
    bpf_call::set_first,
    counters, fact_file,
    journal::{Journal, Receipt},
    load,
    pins::{Generation, PinError, PinFolder, Stamp, pin_name},
};

const RECORDS: &str = "RECORDS";
const COUNTERS: &str = "COUNTERS";
const SETTINGS: &str = ".data.settings";
/// `MEMBARRIER_CMD_GLOBAL`: returns when all that ran in the kernel's read sections has left them, programs on tracepoints
/// among it.
const WAIT_FOR_RUNNING_PROGRAMS: libc::c_int = 1;
/// What we wait instead where the kernel does not do that.
const LONGER_THAN_A_PROGRAM: Duration = Duration::from_millis(100);

/// The pinned side of the hooks.
#[derive(Debug)]
pub(super) struct Handover {
    folder: PinFolder,
    generation: Generation,
    stamp: Stamp,
    journal: Arc<Journal>,
    /// Earlier generations that ours replaces, oldest first.
    replaced: Vec<Generation>,
    /// The generation is an earlier agent's.
    taken_over: bool,
}

/// What is to be told before anything that the new ring has.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    pub(super) parts: VecDeque<Part>,
    /// What may be first in the new ring, and is here already.
    pub(super) again: Option<Vec<u8>>,
    /// What earlier hooks have counted and nobody has told.
    pub(super) untold: [u64; Counter::ALL.len()],
}

/// A piece of it.
pub(super) enum Part {
    /// A record whose alert may not be out.
    Record {
        bytes: Vec<u8>,
        receipt: Option<Receipt>,
        /// From hooks that ran together with the new ones for a moment.
        replaced: bool,
    },
    /// The ring of hooks that were replaced.
    Ring { ring: RingBuf<MapData>, again: Option<Vec<u8>> },
    /// All of these has been read: their pins can go.
    End(Generation),
}

impl std::fmt::Debug for Part {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Record { .. } => "Record",
            Self::Ring { .. } => "Ring",
            Self::End(_) => "End",
        })
    }
}

impl Handover {
    /// Locks the folder, and finds out whether what is there can be taken over.
    pub(super) fn begin(path: &Path, stamp: Stamp) -> Result<Self, KernelError> {
        let folder = PinFolder::open(path)?;
        let mut replaced = folder.generations()?;
        // Only the latest: whatever is older was about to be replaced itself.
        let ours = replaced.pop_if(|latest| latest.stamp() == Some(stamp));
        let taken_over = ours.is_some();
        let generation = ours.map_or_else(|| folder.begin(), Ok)?;
        if !taken_over {
            let map = Journal::make().map_err(|error| load::map_failed("journal", &error))?;
            generation.add_journal(&map)?;
        }
        let journal = Journal::open(&generation.journal()?).map_err(KernelError::Ring)?;
        Ok(Self { folder, generation, stamp, journal, replaced, taken_over })
    }

    /// Maps to be used instead of new ones.
    pub(super) fn maps(&self) -> Result<HashMap<String, OwnedFd>, PinError> {
        if self.taken_over { self.generation.maps() } else { Ok(HashMap::new()) }
    }

    /// Pins the maps, unless they are pinned already.
    pub(super) fn keep_maps(&self, maps: &HashMap<String, OwnedFd>) -> Result<(), PinError> {
        if self.taken_over {
            return Ok(());
        }
        maps.iter().try_for_each(|(name, map)| self.generation.add_map(name, map))
    }

    /// Program and link of a hook that is attached already.
    pub(super) fn hook(&self, name: &str) -> Result<Option<(OwnedFd, OwnedFd)>, PinError> {
        self.generation.hook(name)
    }

    pub(super) fn keep_hook(&self, name: &str, program: &OwnedFd, link: &OwnedFd) -> Result<(), PinError> {
        self.generation.add_hook(name, program, link)
    }

    /// All hooks are armed: those of earlier generations fall silent, and what there is to tell is gathered.
    pub(super) fn finish(&mut self, hooks: &[&str]) -> Result<Backlog, KernelError> {
        self.generation.retain_hooks(hooks)?;
        let mut backlog = Backlog::default();
        if self.taken_over {
            self.take_over(&mut backlog);
        } else {
            self.generation.complete(self.stamp)?;
        }
        for generation in std::mem::take(&mut self.replaced) {
            self.replace(generation, &mut backlog)?;
        }
        Ok(backlog)
    }

    fn take_over(&self, backlog: &mut Backlog) {
        let left = self.journal.left().unwrap_or_else(|| {
            warn!("the journal of the agent before makes no sense, and is emptied: alerts may be missing");
            self.journal.reset();
            crate::kernel::journal::Left::default()
        });
        info!(
            "took over the pinned hooks below {}; the alerts of {} records may not be out yet, and are made again",
            self.folder.path().display(),
            left.held.len()
        );
        for (place, bytes) in left.held {
            let receipt = Some(self.journal.receipt(place));
            backlog.parts.push_back(Part::Record { bytes, receipt, replaced: false });
        }
        backlog.again = left.last;
    }

    fn replace(&self, generation: Generation, backlog: &mut Backlog) -> Result<(), KernelError> {
        let maps = generation.maps()?;
        if let Some(settings) = maps.get(&pin_name(SETTINGS)) {
            // A filter of zeros lets nothing through, in every layout that it has had.
            let size = fact_file::number(settings, "value_size:").unwrap_or(0);
            let silenced = set_first(settings, &vec![0; usize::try_from(size).unwrap_or(0)]);
            silenced.map_err(KernelError::Ring)?;
        }
        generation.retain_hooks(&[])?;
        wait_for_running_programs();
        // Its receipts would end with its pins: what it holds moves to our journal.
        let journal = Journal::open(&generation.journal()?).map_err(KernelError::Ring)?;
        let left = journal.left().unwrap_or_default();
        info!(
            "replaced the pinned hooks of an agent of another making below {}; {} of its records were under way",
            self.folder.path().display(),
            left.held.len()
        );
        for (_, bytes) in left.held {
            let receipt = self.journal.add(&bytes);
            backlog.parts.push_back(Part::Record { bytes, receipt, replaced: true });
        }
        let mut maps = maps;
        if let Some(map) = maps.remove(COUNTERS) {
            let told = journal.told();
            let sums = counters::open(map)?.sums();
            for ((untold, sum), told) in backlog.untold.iter_mut().zip(sums).zip(told) {
                *untold += sum.saturating_sub(told);
            }
        }
        if let Some(map) = maps.remove(RECORDS) {
            let ring = load::ring_of(map)?;
            backlog.parts.push_back(Part::Ring { ring, again: left.last });
        }
        backlog.parts.push_back(Part::End(generation));
        Ok(())
    }

    pub(super) const fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }
}

/// Programs that have begun before the filter was closed may still send.
fn wait_for_running_programs() {
    // SAFETY: takes three numbers.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, WAIT_FOR_RUNNING_PROGRAMS, 0, 0) };
    if result != 0 {
        std::thread::sleep(LONGER_THAN_A_PROGRAM);
    }
}

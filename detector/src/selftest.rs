//! Proves end to end that the hooks see and judge right on this kernel: runs three files on a private overlay, whose
//! origin is known, and waits for their records through the real path, ring buffer and decoding included.
//!
//! The hooks are armed anew, beside those of a running agent: what is proven is the kernel, the object and the
//! offsets, without a word in the agent's own stream.

mod keeper;
mod sandbox;
mod tiny_program;
mod verdict;

use std::{
    io,
    time::{Duration, Instant},
};

use detector_common::settings::{FilterTerm, Settings as KernelSettings, predicate};
pub use keeper::{Keeper, keep};
pub use sandbox::{Ran, Sandbox, play_in_sandbox};
pub use verdict::{Report, VerdictCheck};

use crate::{
    decode::decode,
    kernel::{Host, Kernel, KernelError, LoadOptions, RingReader, Sights, btf::BtfChoice},
};

/// How long the verdicts may take: a thousand times what they do. A limit for failures only.
const PATIENCE: Duration = Duration::from_secs(2);
const BATCH: usize = 256;

/// Why nothing could be proven, in one way or the other.
#[derive(Debug, thiserror::Error)]
pub enum SelftestError {
    /// The hooks cannot be armed.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The process that makes the overlay cannot be started, or not be read.
    #[error("cannot start the process that runs the test files: {0}; is /proc mounted?")]
    Start(#[source] io::Error),
    /// It was started, and could not do its work.
    #[error("cannot run the test files on an overlay: {0}")]
    Sandbox(String),
    /// It was started, and may not do its work: a process with fewer rights than root has.
    #[error("cannot test itself: needs CAP_SYS_ADMIN ({0})")]
    NotAllowed(String),
    /// The ring buffer cannot be waited for.
    #[error("cannot wait for records: {0}")]
    Runtime(#[source] io::Error),
}

/// Runs the test once. Blocks, and has a runtime of its own: inside another one, call it on a thread for blocking work.
///
/// The current program is started once more with `selftest-sandbox`, for which it must call [`play_in_sandbox`].
pub fn run(btf: &BtfChoice) -> Result<Report, SelftestError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(SelftestError::Runtime)?;
    runtime.block_on(prove(btf))
}

async fn prove(btf: &BtfChoice) -> Result<Report, SelftestError> {
    let begin = Instant::now();
    let options = LoadOptions {
        settings: only_container_overlays(),
        sights: Sights::default(),
        kernel_log: false,
        pins: None,
    };
    let mut kernel = Kernel::arm(&Host::look()?.with_btf(btf), &options)?;
    let counters = kernel.take_counters()?;
    let mut ring = kernel.take_reader()?;
    let arming = begin.elapsed();

    let begin = Instant::now();
    let mut sandbox = Sandbox::start()?;
    // Its namespace may have the number that another test's had, of which records are here.
    while ring.drain(BATCH, |_, _| ()) == BATCH {}
    let ran = sandbox.run()?;
    let mut report = Report::expecting(&ran, [true; 3]);
    let clock = Host::boot_clock();
    let take = |ring: &mut RingReader, report: &mut Report| {
        while ring.drain(BATCH, |record, _| match decode(record, clock, 0) {
            Ok(event) => report.take(&event),
            Err(error) => report.undecodable.push(error.to_string()),
        }) == BATCH
        {}
    };
    // The files have run, and a record is in the ring before its program's first instruction: mostly one look is enough.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    take(&mut ring, &mut report);
    while !report.all_seen() {
        match tokio::time::timeout_at(deadline, ring.ready()).await {
            Ok(ready) => ready?,
            Err(_) => break,
        }
        take(&mut ring, &mut report);
    }
    report.lost = counters.read().lost();
    report.arming = arming;
    report.proving = begin.elapsed();
    Ok(report)
}

/// Files of overlays, run in another mount or pid namespace than the host's: few on any host, and the three of the test.
fn only_container_overlays() -> KernelSettings {
    let both = predicate::OVERLAY | predicate::CONTAINER_LIKE;
    KernelSettings::of(&[FilterTerm { mask: both, value: both }], &[], false)
}

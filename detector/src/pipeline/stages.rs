//! The stages behind the ring, in the order in which an event passes them.

use std::{path::PathBuf, sync::Arc};

use log::info;

use super::{PipelineError, judge::Judge, record_keeper::RecordKeeper};
use crate::{
    enrich::{EnrichConfig, Enricher},
    event::{BootClock, ExecEvent},
    kernel::{Host, RingReader},
    output::{Line, OutputCounters, Outputs},
    rules::Engine,
    settings::Settings,
};

/// Records taken from the ring in one go before signals are looked at.
pub(super) const BATCH: usize = 256;

/// All of them.
pub(super) struct Stages {
    clock: BootClock,
    pub(super) judge: Judge,
    pub(super) enricher: Enricher,
    records: RecordKeeper,
    pub(super) outputs: Outputs,
}

impl Stages {
    pub(super) fn new(settings: &Settings, engine: Engine) -> Result<Self, PipelineError> {
        let config = EnrichConfig::below(&host_root());
        let mut enricher = Enricher::new(config).map_err(PipelineError::Enricher)?;
        enricher.want_ancestors(engine.reads_ancestors(), engine.reads_ancestor_environments());
        Ok(Self {
            clock: Host::boot_clock(),
            judge: Judge::new(settings, engine),
            enricher,
            records: RecordKeeper::new(settings.record_to.as_deref())?,
            outputs: Outputs::start(&settings.outputs)?,
        })
    }

    /// Takes a batch of records through all stages; the answer is how many there were.
    pub(super) fn take(&mut self, ring: &mut RingReader) -> Result<usize, PipelineError> {
        // Measured anew for each batch: the time of day can be set while the agent runs.
        self.clock = self.clock.updated(Host::boot_clock());
        let mut outcome = Ok(());
        let taken = ring.drain(BATCH, |record| {
            if outcome.is_ok() {
                outcome = self.record(record);
            }
        });
        outcome.map(|()| taken)
    }

    fn record(&mut self, record: &[u8]) -> Result<(), PipelineError> {
        let Some(event) = self.judge.event(record, self.clock) else {
            return Ok(());
        };
        self.records.hold(event.number, self.clock, record);
        match self.enricher.offer(event) {
            Some(event) => self.judge(&event),
            None => Ok(()),
        }
    }

    /// The rest of the way, for an event that has all that could be found out about it.
    pub(super) fn judge(&mut self, event: &ExecEvent) -> Result<(), PipelineError> {
        self.records.release(event)?;
        for line in self.judge.lines(event) {
            self.send(line);
        }
        Ok(())
    }

    /// To all outputs. Never waits.
    pub(super) fn send(&self, line: Line) {
        self.outputs.send(&Arc::new(line));
    }

    /// Makes the recording safe. The outputs have their own end.
    pub(super) fn flush(&mut self) -> Result<(), PipelineError> {
        self.records.flush()
    }

    /// Lines that some output has lost.
    pub(super) fn undelivered(&self) -> u64 {
        let lost = |counters: OutputCounters| {
            counters.failed + counters.rejected + counters.dropped_overflow + counters.dropped_timeout
        };
        self.outputs.counters().map(|(_, counters)| lost(counters)).sum()
    }

    /// A line in the log for each output.
    pub(super) fn report_outputs(&self) {
        for (name, counters) in self.outputs.counters() {
            info!(
                "output {name}: {} taken, {} delivered, {} failed, {} rejected, {} dropped (full), {} dropped (at the \
                 end), {} tried again, {} on disk",
                counters.taken,
                counters.delivered,
                counters.failed,
                counters.rejected,
                counters.dropped_overflow,
                counters.dropped_timeout,
                counters.retried,
                counters.spooled
            );
        }
    }
}

/// Where the host's root is seen: `HOST_ROOT`, as with Falco, or `/`.
fn host_root() -> PathBuf {
    std::env::var_os("HOST_ROOT")
        .filter(|root| !root.is_empty())
        .map_or_else(|| PathBuf::from("/"), PathBuf::from)
}

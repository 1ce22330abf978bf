//! The stages behind the ring, in the order in which an event passes them.

use std::{any::Any, collections::HashMap, fmt::Write as _, path::PathBuf, sync::Arc, time::Instant};

use detector_common::counters::Counter;
use log::{info, warn};

use super::{
    PipelineError, held_back, judge::Judge, now_ns, record_keeper::RecordKeeper, selftest::LiveTest,
};
use crate::{
    alert::Alert,
    enrich::{EnrichConfig, Enricher},
    event::{BootClock, ExecEvent},
    examine::Samples,
    format::InternalAlert,
    kernel::{Host, Loss, Receipt, RecursionMisses, RingReader, Sight},
    output::{Line, OutputCounters, Outputs},
    rules::Engine,
    selftest::Keeper,
    settings::Settings,
    telemetry::SelftestHealth,
    throttle::{Summary, Throttle},
};

/// Records taken from the ring in one go before signals are looked at.
pub(super) const BATCH: usize = 256;

/// All of them.
pub(super) struct Stages {
    clock: BootClock,
    pub(super) judge: Judge,
    pub(super) enricher: Enricher,
    records: RecordKeeper,
    pub(super) throttle: Throttle,
    /// Of events that are on their way, by number.
    receipts: HashMap<u64, Receipt>,
    pub(super) outputs: Outputs,
    pub(super) selftest: LiveTest,
}

impl Stages {
    pub(super) fn new(
        settings: &Settings,
        engine: Engine,
        health: Arc<SelftestHealth>,
        keeper: Option<Arc<Keeper>>,
    ) -> Result<Self, PipelineError> {
        let config = EnrichConfig { wait: settings.metadata_wait, ..EnrichConfig::below(&host_root()) };
        let mut enricher = Enricher::new(config).map_err(PipelineError::Enricher)?;
        if let Some(samples) = &settings.samples {
            enricher.keep_samples(Samples::open(samples.clone())?);
        }
        enricher.want_ancestors(engine.reads_ancestors(), engine.reads_ancestor_environments());
        enricher.want_examination(engine.filter().examination, engine.filter().interpreters);
        Ok(Self {
            selftest: LiveTest::new(settings.selftest_interval, engine.filter(), health, keeper),
            clock: Host::boot_clock(),
            judge: Judge::new(settings, engine),
            enricher,
            records: RecordKeeper::new(settings.record_to.as_deref())?,
            throttle: Throttle::new(settings.throttle.clone()),
            receipts: HashMap::new(),
            outputs: Outputs::start(&settings.outputs)?,
        })
    }

    /// Takes a batch of records through all stages; the answer is how many there were.
    pub(super) fn take(&mut self, ring: &mut RingReader) -> Result<usize, PipelineError> {
        // Measured anew for each batch: the time of day can be set while the agent runs.
        self.clock = self.clock.updated(Host::boot_clock());
        let mut outcome = Ok(());
        let taken = ring.drain(BATCH, |record, receipt| {
            if outcome.is_ok() {
                outcome = self.record(record, receipt);
            }
        });
        outcome.map(|()| taken)
    }

    fn record(&mut self, record: &[u8], receipt: Option<Receipt>) -> Result<(), PipelineError> {
        let Some(event) = self.judge.event(record, self.clock) else {
            return Ok(());
        };
        if self.selftest.takes(&event) {
            return Ok(());
        }
        self.records.hold(event.number, self.clock, record);
        if let Some(receipt) = receipt {
            self.receipts.insert(event.number, receipt);
        }
        match self.enricher.offer(event) {
            Some(event) => self.judge(&event),
            None => Ok(()),
        }
    }

    /// The rest of the way, for an event that has all that could be found out about it.
    pub(super) fn judge(&mut self, event: &ExecEvent) -> Result<(), PipelineError> {
        self.records.release(event)?;
        // Until every output has every line of it.
        let receipt = self.receipts.remove(&event.number);
        let receipt = receipt.map(|receipt| -> Arc<dyn Any + Send + Sync> { Arc::new(receipt) });
        for alert in self.judge.alerts(event) {
            if self.passes(&alert, event) {
                let line = self.judge.line(&alert, event);
                self.send(match &receipt {
                    Some(receipt) => line.with(Arc::clone(receipt)),
                    None => line,
                });
            }
        }
        Ok(())
    }

    fn passes(&mut self, alert: &Alert, event: &ExecEvent) -> bool {
        let rule = &alert.rule;
        self.throttle.is_off()
            || self.throttle.passes(
                &rule.name,
                rule.priority,
                || held_back::group(alert, event),
                Instant::now(),
            )
    }

    /// Tells what was held back, if it is time to; at the end (`all`) in any case.
    pub(super) fn tell_held_back(&mut self, all: bool) {
        let summaries = self.throttle.summaries(Instant::now(), all);
        self.tell_summaries(&summaries);
    }

    fn tell_summaries(&self, summaries: &[Summary]) {
        for summary in summaries {
            let alert = held_back::alert(summary, now_ns());
            warn!("{}", alert.output);
            self.tell(&alert);
        }
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
    fn undelivered(&self) -> u64 {
        let lost = |counters: OutputCounters| {
            counters.failed + counters.rejected + counters.dropped_overflow + counters.dropped_timeout
        };
        self.outputs.counters().map(|(_, counters)| lost(counters)).sum()
    }

    /// Goes over to other rules and another layout of lines. Outputs are changed by themselves.
    pub(super) fn change(&mut self, settings: &Settings, engine: Engine) {
        self.enricher.want_ancestors(engine.reads_ancestors(), engine.reads_ancestor_environments());
        self.enricher.want_examination(engine.filter().examination, engine.filter().interpreters);
        self.selftest.change(settings.selftest_interval, engine.filter());
        self.judge.change(settings, engine);
        let summaries = self.throttle.change(settings.throttle.clone(), Instant::now());
        self.tell_summaries(&summaries);
    }

    /// A message about the agent itself, to all outputs.
    pub(super) fn tell(&self, alert: &InternalAlert) {
        self.send(self.judge.internal_line(alert));
    }

    /// When the host started, nanoseconds since the epoch.
    pub(super) const fn booted_ns(&self) -> u64 {
        self.clock.boot_at_ns
    }

    /// The last words: what came, and what became of it.
    pub(super) fn report(
        &self,
        loss: &Loss,
        missed: Option<RecursionMisses>,
        duplicates: u64,
        missed_beside: &[(Sight, u64)],
    ) {
        let missed = missed.map(|missed| missed.unseen(loss, duplicates));
        let reasons: Vec<String> =
            Counter::ALL.iter().map(|counter| format!("{}={}", counter.name(), loss.of(*counter))).collect();
        let mut beside = String::new();
        for (sight, count) in missed_beside {
            // Writing to a text cannot fail.
            let _ = write!(beside, " {}={count}", sight.missed());
        }
        let mappings = missed_beside.iter().filter(|(sight, _)| *sight == Sight::Mappings);
        let mappings: u64 = mappings.map(|(_, count)| count).sum();
        let enriched = self.enricher.stats();
        let partial: Vec<String> =
            enriched.partial.iter().map(|(reason, count)| format!("{reason}={count}")).collect();
        let troubles: Vec<String> = enriched
            .troubles
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(what, count)| format!("{what}={count}"))
            .collect();
        info!(
            "metadata: {} complete, {} partial ({}), {} events waited; engines told {} events; trouble: {}",
            enriched.complete,
            enriched.partial.values().sum::<u64>(),
            partial.join(" "),
            enriched.held,
            enriched.engine_events,
            if troubles.is_empty() { "none".to_owned() } else { troubles.join(" ") }
        );
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
        let held = self.throttle.held_back();
        info!(
            "stopped: {} records, {} alerts, {} held back (repeats: {}, beyond the rate: {}), {} undecodable, \
             {} undelivered, lost={} ({} recursion_misses={}{beside})",
            self.judge.records,
            self.judge.alerts,
            held.repeats + held.beyond_rate,
            held.repeats,
            held.beyond_rate,
            self.judge.undecodable,
            self.undelivered(),
            loss.lost() + missed.unwrap_or(0) + mappings,
            reasons.join(" "),
            missed.map_or_else(|| "unknown".to_owned(), |missed| missed.to_string())
        );
    }
}

/// Where the host's root is seen: `HOST_ROOT`, as with Falco, or `/`.
fn host_root() -> PathBuf {
    std::env::var_os("HOST_ROOT")
        .filter(|root| !root.is_empty())
        .map_or_else(|| PathBuf::from("/"), PathBuf::from)
}

//! Wires the stages together and stops them in order. The only room that knows them all.

mod context;
mod judge;
mod record_keeper;
mod replay;

use std::{io, path::PathBuf, time::Duration};

use detector_common::{counters::Counter, settings::Settings as KernelSettings};
pub use judge::{Judge, Line};
use log::{error, info, warn};
use record_keeper::RecordKeeper;
pub use replay::{ReplayError, replay};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep_until},
};

use crate::{
    enrich::{EnrichConfig, Enricher},
    event::{BootClock, ExecEvent},
    kernel::{Counters, Host, Kernel, KernelError, LoadOptions, RingReader},
    output::{FileOutput, Stdout},
    recording::RecordingError,
    rules::{Engine, KernelFilter, RulesError},
    settings::Settings,
};

/// Records taken from the ring in one go before signals are looked at.
const BATCH: usize = 256;
/// About a century: "never", for a timer that is not asked for.
const NEVER: Duration = Duration::from_secs(3_000_000_000);

/// Why the agent cannot run, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The kernel side.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The rules.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// Signals.
    #[error("cannot listen to signals: {0}")]
    Signals(#[source] io::Error),
    /// The threads for metadata.
    #[error("cannot start the threads that look up metadata: {0}; is the limit of processes reached?")]
    Enricher(#[source] io::Error),
    /// The recording cannot be made.
    #[error("cannot make the recording {path}: {source}")]
    RecordTo {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The recording cannot be written.
    #[error("cannot write the recording: {0}")]
    Recording(#[source] RecordingError),
    /// Standard output.
    #[error("cannot write alerts to standard output: {0}; alerts would be lost, so the agent stops")]
    Stdout(#[source] io::Error),
}

/// Runs until a signal or the set time stops it.
pub async fn run(settings: &Settings, stop_after_seconds: Option<u64>) -> Result<(), PipelineError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(PipelineError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(PipelineError::Signals)?;

    let engine = load_rules(settings)?;
    let host = Host::look()?;
    let mut kernel = Kernel::arm(&host, &load_options(engine.filter(), settings))?;
    let counters = kernel.take_counters()?;
    let mut ring = RingReader::new(kernel.take_ring()?)?;
    let log_task = kernel.spawn_log()?;
    let mut stages = Stages::new(settings, engine)?;
    info!("hooks armed: raw tracepoint sched_process_exec, kernel {}", host.kernel_release);

    let stop_after = stop_after_seconds.map_or(NEVER, Duration::from_secs);
    let stop_at = Instant::now() + stop_after;
    loop {
        tokio::select! {
            biased;
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            () = sleep_until(stop_at), if stop_after_seconds.is_some() => break,
            event = stages.enricher.next(), if stages.enricher.waiting() > 0 => stages.judge(&event)?,
            ready = ring.ready() => ready?,
        }
        while stages.take(&mut ring)? == BATCH {
            tokio::task::yield_now().await;
        }
    }

    // First no more records, then the last ones of them, then the lines.
    let missed = kernel.recursion_misses();
    drop(kernel);
    while stages.take(&mut ring)? > 0 {}
    while stages.enricher.waiting() > 0 {
        let event = stages.enricher.next().await;
        stages.judge(&event)?;
    }
    stages.flush()?;
    if let Some(task) = log_task {
        task.abort();
    }
    report(&stages, &counters, missed);
    Ok(())
}

/// Loads what running would load, and nothing else: `--dry-run`.
pub fn check(settings: &Settings) -> Result<(), RulesError> {
    load_rules(settings).map(|_| ())
}

/// Loads the rules and says what came of it.
fn load_rules(settings: &Settings) -> Result<Engine, RulesError> {
    let report = settings.rules.load();
    for warning in report.warnings() {
        warn!("{}: {}", warning.place, warning.message);
    }
    let skipped = report.skipped.len();
    let engine = settings.rules.engine(report, settings.time_format.field())?;
    info!("rules: {} run, {skipped} skipped; the kernel sends: {}", engine.len(), engine.filter().describe());
    Ok(engine)
}

fn load_options(filter: &KernelFilter, settings: &Settings) -> LoadOptions {
    LoadOptions {
        settings: KernelSettings::of(&filter.terms, filter.environment),
        kernel_log: settings.kernel_log,
    }
}

fn report(stages: &Stages<'_>, counters: &Counters, missed: Option<u64>) {
    let loss = counters.read();
    let reasons: Vec<String> =
        Counter::ALL.iter().map(|counter| format!("{}={}", counter.name(), loss.of(*counter))).collect();
    let enriched = stages.enricher.stats();
    let partial: Vec<String> =
        enriched.partial.iter().map(|(reason, count)| format!("{reason}={count}")).collect();
    info!(
        "metadata: {} complete, {} partial ({}), {} events waited, in vain for users: {}, \
         for ancestors: {}; {} lookups refused, {} files of users unreadable; engines told {} events, {} of \
         them without room, {} streams broken",
        enriched.complete,
        enriched.partial.values().sum::<u64>(),
        partial.join(" "),
        enriched.held,
        enriched.users_late,
        enriched.ancestors_late,
        enriched.refused,
        enriched.users_unreadable,
        enriched.engine_events,
        enriched.engine_events_refused,
        enriched.engine_streams_broken
    );
    info!(
        "stopped: {} records, {} alerts, {} undecodable, {} undelivered, lost={} ({} recursion_misses={})",
        stages.judge.records,
        stages.judge.alerts,
        stages.judge.undecodable,
        stages.undelivered,
        loss.lost() + missed.unwrap_or(0),
        reasons.join(" "),
        missed.map_or_else(|| "unknown".to_owned(), |missed| missed.to_string())
    );
}

/// The stages behind the ring.
struct Stages<'a> {
    clock: BootClock,
    judge: Judge<'a>,
    enricher: Enricher,
    records: RecordKeeper,
    stdout: Option<Stdout>,
    file: Option<FileOutput>,
    /// Lines that an output did not take.
    undelivered: u64,
}

impl<'a> Stages<'a> {
    fn new(settings: &'a Settings, engine: Engine) -> Result<Self, PipelineError> {
        let config = EnrichConfig::below(&host_root());
        let mut enricher = Enricher::new(config).map_err(PipelineError::Enricher)?;
        enricher.want_ancestors(engine.reads_ancestors(), engine.reads_ancestor_environments());
        Ok(Self {
            clock: Host::boot_clock(),
            judge: Judge::new(settings, engine),
            enricher,
            records: RecordKeeper::new(settings.record_to.as_deref())?,
            stdout: settings.stdout_enabled.then(|| Stdout::new(settings.buffered_outputs)),
            file: settings.file.as_ref().map(|file| FileOutput::new(file.path.clone(), file.keep_alive)),
            undelivered: 0,
        })
    }

    /// Takes a batch of records through all stages; the answer is how many there were.
    fn take(&mut self, ring: &mut RingReader) -> Result<usize, PipelineError> {
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
    fn judge(&mut self, event: &ExecEvent) -> Result<(), PipelineError> {
        self.records.release(event)?;
        for line in self.judge.lines(event) {
            self.deliver(&line.text)?;
        }
        Ok(())
    }

    /// A file that cannot be written does not stop the agent, as other outputs may still work; a closed standard
    /// output does, as its reader is gone for good.
    fn deliver(&mut self, line: &str) -> Result<(), PipelineError> {
        if let Some(file) = &mut self.file
            && let Err(error) = file.write(line)
        {
            self.undelivered += 1;
            error!("cannot write an alert to {}: {error}", file.path().display());
        }
        match &mut self.stdout {
            Some(stdout) => stdout.write(line).map_err(PipelineError::Stdout),
            None => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), PipelineError> {
        self.records.flush()?;
        match &mut self.stdout {
            Some(stdout) => stdout.flush().map_err(PipelineError::Stdout),
            None => Ok(()),
        }
    }
}

/// Where the host's root is seen: `HOST_ROOT`, as with Falco, or `/`.
fn host_root() -> PathBuf {
    std::env::var_os("HOST_ROOT")
        .filter(|root| !root.is_empty())
        .map_or_else(|| PathBuf::from("/"), PathBuf::from)
}

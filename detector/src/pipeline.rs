//! Wires the stages together and stops them in order. The only room that knows them all.

use std::{io, path::Path, sync::Arc, time::Duration};

use detector_common::{
    counters::Counter,
    settings::{FilterTerm, Settings as KernelSettings, predicate},
};
use log::{error, info, warn};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep_until},
};

use crate::{
    decode::decode,
    enrich::{EnrichConfig, Enricher},
    event::{BootClock, ExecEvent, HostFacts, StreamPosition},
    format::{json, text},
    kernel::{Counters, Host, Kernel, KernelError, LoadOptions, RingReader},
    output::{FileOutput, Stdout},
    rules::{Engine, OutputError},
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
    /// Threads for lookups.
    #[error("cannot start the threads that look containers up: {0}")]
    Enricher(#[source] io::Error),
    /// The rules.
    #[error("cannot use the rule's output: {0}")]
    Output(#[from] OutputError),
    /// Signals.
    #[error("cannot listen to signals: {0}")]
    Signals(#[source] io::Error),
    /// Standard output.
    #[error("cannot write alerts to standard output: {0}; alerts would be lost, so the agent stops")]
    Stdout(#[source] io::Error),
}

/// Runs until a signal or the set time stops it.
pub async fn run(settings: &Settings, stop_after_seconds: Option<u64>) -> Result<(), PipelineError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(PipelineError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(PipelineError::Signals)?;

    let engine = Engine::stock(settings.time_format.field())?;
    let host = Host::look()?;
    let mut kernel = Kernel::arm(&host, &load_options(settings))?;
    let counters = kernel.take_counters()?;
    let mut ring = RingReader::new(kernel.take_ring()?)?;
    let log_task = kernel.spawn_log()?;
    let enricher = Enricher::new(EnrichConfig::below(Path::new("/"))).map_err(PipelineError::Enricher)?;
    let mut stages = Stages::new(settings, engine, enricher);
    info!("hooks armed: raw tracepoint sched_process_exec, kernel {}", host.kernel_release);

    let stop_after = stop_after_seconds.map_or(NEVER, Duration::from_secs);
    let stop_at = Instant::now() + stop_after;
    loop {
        tokio::select! {
            biased;
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            () = sleep_until(stop_at), if stop_after_seconds.is_some() => break,
            event = stages.enricher.next(), if stages.enricher.waiting() > 0 => {
                stages.judge(&event)?;
                continue;
            }
            ready = ring.ready() => ready?,
        }
        while stages.take(&mut ring)? == BATCH {
            tokio::task::yield_now().await;
        }
    }

    // First no more records, then the last ones of them, then the lines.
    drop(kernel);
    while stages.take(&mut ring)? > 0 {}
    while stages.enricher.waiting() > 0 {
        let event = stages.enricher.next().await;
        stages.judge(&event)?;
    }
    if let Some(stdout) = &mut stages.stdout {
        stdout.flush().map_err(PipelineError::Stdout)?;
    }
    if let Some(task) = log_task {
        task.abort();
    }
    report(&stages, &counters);
    Ok(())
}

/// What the stock rule can want: a container's process that runs a file of the upper layer.
fn load_options(settings: &Settings) -> LoadOptions {
    let wanted = predicate::CONTAINER_LIKE | predicate::UPPER_LAYER;
    let mut kernel = KernelSettings { term_count: 1, ..KernelSettings::default() };
    kernel.terms[0] = FilterTerm { mask: wanted, value: wanted };
    LoadOptions { settings: kernel, kernel_log: settings.kernel_log }
}

fn report(stages: &Stages<'_>, counters: &Counters) {
    let loss = counters.read();
    let reasons: Vec<String> =
        Counter::ALL.iter().map(|counter| format!("{}={}", counter.name(), loss.of(*counter))).collect();
    let enriched = stages.enricher.stats();
    let partial: Vec<String> =
        enriched.partial.iter().map(|(reason, count)| format!("{reason}={count}")).collect();
    info!(
        "metadata: {} complete, {} partial ({}), {} events waited",
        enriched.complete,
        enriched.partial.values().sum::<u64>(),
        partial.join(" "),
        enriched.held
    );
    info!(
        "stopped: {} records, {} alerts, {} undecodable, {} undelivered, lost={} ({})",
        stages.records,
        stages.alerts,
        stages.undecodable,
        stages.undelivered,
        loss.lost(),
        reasons.join(" ")
    );
}

/// From record to line.
struct Stages<'a> {
    settings: &'a Settings,
    clock: BootClock,
    host: Arc<HostFacts>,
    position: StreamPosition,
    enricher: Enricher,
    engine: Engine,
    stdout: Option<Stdout>,
    file: Option<FileOutput>,
    /// Lines that an output did not take.
    undelivered: u64,
    records: u64,
    alerts: u64,
    undecodable: u64,
}

impl<'a> Stages<'a> {
    fn new(settings: &'a Settings, engine: Engine, enricher: Enricher) -> Self {
        Self {
            settings,
            clock: Host::boot_clock(),
            host: Arc::new(HostFacts { hostname: hostname() }),
            position: StreamPosition::default(),
            enricher,
            engine,
            stdout: settings.stdout_enabled.then(|| Stdout::new(settings.buffered_outputs)),
            file: settings.file.as_ref().map(|file| FileOutput::new(file.path.clone(), file.keep_alive)),
            undelivered: 0,
            records: 0,
            alerts: 0,
            undecodable: 0,
        }
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
        self.records += 1;
        let mut event = match decode(record, self.clock, self.records) {
            Ok(event) => event,
            Err(error) => {
                self.undecodable += 1;
                warn!("record {} cannot be decoded: {error}", self.records);
                return Ok(());
            }
        };
        event.host = Arc::clone(&self.host);
        event.stream = self.position.advance(event.time_ns);
        match self.enricher.offer(event) {
            Some(event) => self.judge(&event),
            // It comes back by `next`.
            None => Ok(()),
        }
    }

    /// From an event with all that could be found out about it to a line.
    fn judge(&mut self, event: &ExecEvent) -> Result<(), PipelineError> {
        let Some(alert) = self.engine.evaluate(event) else {
            return Ok(());
        };
        self.alerts += 1;
        let line = if self.settings.json_output {
            json(&alert, &self.host.hostname, &self.settings.json, self.settings.time_format)
        } else {
            text(&alert, self.settings.time_format)
        };
        self.deliver(&line)
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
}

/// `FALCO_HOSTNAME` wins over the system's name, as with Falco.
fn hostname() -> String {
    std::env::var("FALCO_HOSTNAME")
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned())
}

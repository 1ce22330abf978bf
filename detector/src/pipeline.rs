//! Wires the stages together and stops them in order. The only room that knows them all.

mod context;
mod error;
mod judge;
mod record_keeper;
mod replay;
mod stages;

use std::time::Duration;

use detector_common::{counters::Counter, settings::Settings as KernelSettings};
pub use error::PipelineError;
pub use judge::Judge;
use log::{error, info, warn};
pub use replay::{ReplayError, replay};
use stages::{BATCH, Stages};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep_until},
};

use crate::{
    kernel::{Counters, Host, Kernel, LoadOptions, RingReader},
    rules::{Engine, KernelFilter, RulesError},
    settings::Settings,
};

/// About a century: "never", for a timer that is not asked for.
const NEVER: Duration = Duration::from_secs(3_000_000_000);

/// Runs until a signal or the set time stops it.
pub async fn run(settings: &Settings, stop_after_seconds: Option<u64>) -> Result<(), PipelineError> {
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut reopen = listen(SignalKind::user_defined1())?;

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
    let mut outcome = Ok(());
    loop {
        tokio::select! {
            biased;
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            () = sleep_until(stop_at), if stop_after_seconds.is_some() => break,
            // Other outputs go on without it; their alerts would be the last ones that anybody sees.
            () = stages.outputs.stdout_leaves(), if stages.outputs.only_stdout() => {
                outcome = Err(PipelineError::StdoutClosed);
                break;
            }
            _ = reopen.recv() => stages.outputs.reopen(),
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
    let late = stages.outputs.flush(settings.outputs.timeout).dropped;
    if late > 0 {
        error!("{late} alerts were not delivered within output_timeout, and are lost");
    }
    if let Some(task) = log_task {
        task.abort();
    }
    report(&stages, &counters, missed);
    outcome
}

/// Loads what running would load, and nothing else: `--dry-run`.
pub fn check(settings: &Settings) -> Result<(), RulesError> {
    load_rules(settings).map(|_| ())
}

fn listen(kind: SignalKind) -> Result<Signal, PipelineError> {
    signal(kind).map_err(PipelineError::Signals)
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

fn report(stages: &Stages, counters: &Counters, missed: Option<u64>) {
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
    stages.report_outputs();
    info!(
        "stopped: {} records, {} alerts, {} undecodable, {} undelivered, lost={} ({} recursion_misses={})",
        stages.judge.records,
        stages.judge.alerts,
        stages.judge.undecodable,
        stages.undelivered(),
        loss.lost() + missed.unwrap_or(0),
        reasons.join(" "),
        missed.map_or_else(|| "unknown".to_owned(), |missed| missed.to_string())
    );
}

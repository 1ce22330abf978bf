//! Wires the stages together and stops them in order. The only room that knows them all.

mod agent;
mod context;
mod error;
mod figures;
mod held_back;
mod judge;
mod loss_watch;
mod record_keeper;
mod reload;
mod replay;
mod selftest;
mod snapshots;
mod stages;
mod versions;
mod watch;

use std::{sync::Arc, time::Duration};

use agent::{Agent, now_ns};
use detector_common::settings::Settings as KernelSettings;
pub use error::PipelineError;
pub use judge::Judge;
use log::{error, info, warn};
use reload::Reload;
pub use reload::{Configuration, Read};
pub use replay::{ReplayError, compare, hits, replay};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    time::{Instant, sleep_until},
};

use crate::{
    kernel::Sights,
    rules::{Engine, KernelFilter, RulesError},
    service_manager::ServiceManager,
    settings::Settings,
};

/// About a century: "never", for a timer that is not asked for.
const NEVER: Duration = Duration::from_secs(3_000_000_000);
/// Questions of the web server that wait for an answer.
const QUESTIONS: usize = 8;

/// Runs until a signal or the set time stops it. `read` reads the configuration anew, for a reload.
pub async fn run(
    configuration: Configuration,
    read: Arc<Read>,
    stop_after_seconds: Option<u64>,
) -> Result<(), PipelineError> {
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut reopen = listen(SignalKind::user_defined1())?;
    let mut hang_up = listen(SignalKind::hangup())?;

    let engine = load_rules(&configuration.settings)?;
    let mut agent = Agent::start(configuration, engine)?;
    let (ask, mut questions) = mpsc::channel(QUESTIONS);
    let web = agent.web_server(ask)?;
    let mut reload = Reload::new(read, &agent.configuration);
    info!("hooks armed: raw tracepoint sched_process_exec, kernel {}", agent.host.kernel_release);
    let service = ServiceManager::find();
    let status = format!("hooks armed, kernel {}", agent.host.kernel_release);
    service.ready(&status);
    let mut alive_at = service.alive_every().map(|every| Instant::now() + every);

    let stop_after = stop_after_seconds.map_or(NEVER, Duration::from_secs);
    let stop_at = Instant::now() + stop_after;
    let mut outcome = Ok(());
    // Records may be left in the ring that it does not wake us for any more.
    let mut more = agent.ring.has_backlog();
    loop {
        let (look_at, snapshot_at) = (agent.losses.due(), agent.snapshots.due());
        let tell_at = agent.stages.throttle.due().map(Instant::from_std);
        tokio::select! {
            biased;
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            () = sleep_until(stop_at), if stop_after_seconds.is_some() => break,
            // Other outputs go on without it; their alerts would be the last ones that anybody sees.
            () = agent.stages.outputs.stdout_leaves(), if agent.stages.outputs.only_stdout() => {
                outcome = Err(PipelineError::StdoutClosed);
                break;
            }
            _ = reopen.recv() => agent.stages.outputs.reopen(),
            _ = hang_up.recv() => {
                service.reloading();
                reload.start();
            }
            read = reload.next() => {
                if agent.reload(read) {
                    reload.watch(&agent.configuration);
                }
                service.ready(&status);
            }
            () = sleep_until(alive_at.unwrap_or(stop_at)), if alive_at.is_some() => {
                service.alive();
                alive_at = service.alive_every().map(|every| Instant::now() + every);
            }
            Some(question) = questions.recv(), if web.is_some() => agent.answer(question),
            () = sleep_until(look_at.unwrap_or(stop_at)), if look_at.is_some() => agent.look_for_losses()?,
            () = sleep_until(snapshot_at.unwrap_or(stop_at)), if snapshot_at.is_some() => agent.take_snapshot(),
            () = sleep_until(tell_at.unwrap_or(stop_at)), if tell_at.is_some() => {
                agent.stages.tell_held_back(false);
            }
            moment = agent.stages.selftest.next() => agent.go_on_with_selftest(moment),
            event = agent.stages.enricher.next(), if agent.stages.enricher.waiting() > 0 => {
                agent.stages.judge(&event)?;
            }
            ready = agent.ring.ready(), if !more => ready?,
            () = tokio::task::yield_now(), if more => {}
        }
        more = agent.take()?;
        // Only when the ring is empty: each record of the test was in it before its file ran.
        if !more {
            agent.stages.selftest.ring_is_empty();
            if agent.stages.selftest.is_over() {
                agent.conclude_selftest();
            }
        }
    }
    // Nobody is told any more that all is well.
    drop(web);
    service.stopping();

    // First no more records, then the last ones of them, then the lines.
    let Agent { configuration, kernel, log_task, counters, mut ring, mut stages, .. } = agent;
    let missed = kernel.recursion_misses();
    let missed_beside = kernel.missed_beside();
    kernel.set_told(&counters);
    // Pinned hooks go on, and what they send from now on is for the next agent; it must not begin before we have ended.
    let pinned = kernel.outlives_us().then_some(kernel);
    if pinned.is_none() {
        while stages.take(&mut ring)? > 0 {}
    }
    while stages.enricher.waiting() > 0 {
        let event = stages.enricher.next().await;
        stages.judge(&event)?;
    }
    stages.tell_held_back(true);
    stages.flush()?;
    let late = stages.outputs.flush(configuration.settings.outputs.timeout).dropped;
    if late > 0 {
        let end = if pinned.is_some() { "wait for the next agent" } else { "are lost" };
        error!("{late} alerts were not delivered within output_timeout, and {end}");
    }
    if let Some(task) = log_task {
        task.abort();
    }
    stages.report(&counters.read(), missed, ring.duplicates(), &missed_beside);
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

fn kernel_settings(filter: &KernelFilter) -> KernelSettings {
    KernelSettings::of(&filter.terms, &filter.mappings, filter.environment)
}

/// What the rules want to see beyond execs.
fn sights(filter: &KernelFilter) -> Sights {
    Sights { scripts: filter.scripts, mappings: !filter.mappings.is_empty(), writers: filter.writers }
}

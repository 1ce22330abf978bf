//! The running agent: the kernel side, the stages behind it, and what is told about both.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use detector_common::counters::Counter;
use log::{error, info, warn};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};

use super::{
    Configuration, PipelineError, figures, kernel_settings,
    loss_watch::{self, Counted, LossWatch},
    reload::Fresh,
    selftest::Moment,
    sights,
    snapshots::Snapshots,
    stages::{BATCH, Stages},
    versions::versions,
};
use crate::{
    alert::Priority,
    doctor,
    format::InternalAlert,
    kernel::{Counters, Host, Kernel, LoadOptions, Loss, RingReader, Sight, Sights},
    privileges::give_up,
    rules::Engine,
    selftest::Keeper,
    settings::Settings,
    telemetry::{
        SelftestHealth, logging,
        web::{Question, WebServer},
    },
};

/// Falco's name of the alert that says that a reload failed.
const RELOAD_FAILED: &str = "Falco internal: hot restart failure";

/// The running agent.
pub(super) struct Agent {
    pub(super) configuration: Configuration,
    pub(super) host: Host,
    pub(super) kernel: Kernel,
    /// What was asked for beyond execs at the start.
    sights: Sights,
    /// Forwards the kernel side's debug log.
    pub(super) log_task: Option<JoinHandle<()>>,
    pub(super) counters: Counters,
    pub(super) ring: RingReader,
    pub(super) stages: Stages,
    pub(super) losses: LossWatch,
    pub(super) snapshots: Snapshots,
    pub(super) health: Arc<SelftestHealth>,
    pub(super) started_ns: u64,
    /// When rules and configuration were last loaded.
    pub(super) loaded_ns: u64,
    /// Reloads that were applied, and that failed.
    pub(super) reloads: (u64, u64),
}

impl Agent {
    /// Arms the hooks and starts the stages behind them.
    pub(super) fn start(configuration: Configuration, engine: Engine) -> Result<Self, PipelineError> {
        let settings = &configuration.settings;
        let host = Host::look()?.with_btf(&settings.btf);
        let options = LoadOptions {
            settings: kernel_settings(engine.filter()),
            sights: sights(engine.filter()),
            kernel_log: settings.kernel_log,
            pins: settings.pins.enabled.then(|| settings.pins.folder.clone()),
        };
        let mut kernel = Kernel::arm(&host, &options)?;
        for outcome in kernel.sights() {
            if outcome.hook.is_ok() { info!("{outcome}") } else { warn!("{outcome}") }
        }
        let counters = kernel.take_counters()?;
        let ring = kernel.take_reader()?;
        // It asks for rights that go now.
        let log_task = kernel.spawn_log()?;
        let restrictions = settings.restrictions();
        let keeper = restrictions.keeps_from_mounting().then(Keeper::start);
        let keeper = keeper.transpose().map_err(PipelineError::Keeper)?.map(Arc::new);
        // Before any other thread is started: those have the rights of the one that starts them.
        let given_up = give_up(&restrictions, || counters.can_be_read())?;
        info!("rights: {given_up}");
        let health = Arc::<SelftestHealth>::default();
        let stages = Stages::new(settings, engine, Arc::clone(&health), keeper)?;
        let now = now_ns();
        Ok(Self {
            losses: LossWatch::new(settings.losses.clone(), Instant::now()),
            snapshots: Snapshots::new(settings.metrics.clone()),
            configuration,
            host,
            sights: options.sights,
            kernel,
            log_task,
            counters,
            ring,
            stages,
            health,
            started_ns: now,
            loaded_ns: now,
            reloads: (0, 0),
        })
    }

    /// Starts the web server, if there shall be one.
    pub(super) fn web_server(&self, ask: mpsc::Sender<Question>) -> Result<Option<WebServer>, PipelineError> {
        let settings = self.configuration.settings.webserver.as_ref();
        settings
            .map(|settings| {
                WebServer::start(settings, versions(), ask, Arc::new(doctor::running_by_coverage))
            })
            .transpose()
            .map_err(PipelineError::Web)
    }

    /// Takes a batch of records through all stages; the answer is whether there may be more.
    pub(super) fn take(&mut self) -> Result<bool, PipelineError> {
        let taken = self.stages.take(&mut self.ring)?;
        if taken > 0 {
            self.losses.records_came();
        }
        Ok(taken == BATCH)
    }

    /// Somebody wants to know how it goes.
    pub(super) fn answer(&self, question: Question) {
        // Whoever asked may have given up.
        let _ = question.send(figures::of(self));
    }

    /// What was read anew takes over, or is reported and forgotten. The answer is whether it took over.
    pub(super) fn reload(&mut self, read: Result<Fresh, String>) -> bool {
        match read.and_then(|fresh| self.apply(fresh)) {
            Ok(()) => {
                self.reloads.0 += 1;
                self.loaded_ns = now_ns();
                info!("reloaded: rules and configuration are the new ones");
                true
            }
            Err(reason) => {
                self.reloads.1 += 1;
                error!("the reload failed, and what ran before still runs: {reason}");
                let output = format!("{RELOAD_FAILED}: {}", reason.lines().next().unwrap_or_default());
                let alert = InternalAlert::new(RELOAD_FAILED, Priority::Critical, output, now_ns());
                self.stages.tell(&alert.with("reason", reason));
                false
            }
        }
    }

    /// Without a gap: the hooks stay attached, no record is taken meanwhile, and those that wait in the ring are judged
    /// by the new rules.
    fn apply(&mut self, fresh: Fresh) -> Result<(), String> {
        let Fresh { configuration, engine } = fresh;
        let settings = &configuration.settings;
        // The only step that can fail comes first.
        self.stages.outputs.change(&settings.outputs).map_err(|error| error.to_string())?;
        let (now, wanted) = (self.sights, sights(engine.filter()));
        if wanted.beyond(now) {
            warn!(
                "the new rules ask for more than execs (scripts, mappings, writers): that is seen only after a restart"
            );
        }
        self.kernel.set_filter(&kernel_settings(engine.filter()));
        self.stages.change(settings, engine);
        self.losses.change(settings.losses.clone(), Instant::now());
        self.snapshots.change(settings.metrics.clone());
        logging::set(settings.log.clone());
        for key in needing_restart(&self.configuration.settings, settings) {
            warn!("`{key}` has changed, which takes a restart; the old value holds until then");
        }
        self.configuration = configuration;
        Ok(())
    }

    /// Tells the figures, when it is time to.
    pub(super) fn take_snapshot(&mut self) {
        const RULE: &str = "Falco internal: metrics snapshot";
        let figures = figures::of(self);
        let Some(fields) = self.snapshots.take(&figures) else { return };
        let alert =
            InternalAlert::new(RULE, Priority::Informational, "Falco metrics snapshot", figures.now_ns);
        self.stages.tell(&fields.into_iter().fold(alert, |alert, (name, value)| alert.with(name, value)));
    }

    /// Says what was lost, when it is time to.
    pub(super) fn look_for_losses(&mut self) -> Result<(), PipelineError> {
        let counters = self.counters.read();
        let all: u64 = self.lost(&counters).iter().map(|(_, count)| count).sum();
        let ring_full = counters.of(Counter::RingFull);
        let counted =
            Counted { sent: counters.of(Counter::Sent), ring_full, other: all.saturating_sub(ring_full) };
        let news = self.losses.look(Instant::now(), counted);
        self.kernel.set_told(&self.counters);
        let Some(news) = news else { return Ok(()) };
        let settings = self.losses.settings();
        let alert = loss_watch::alert(&news, now_ns());
        if settings.log {
            error!("{}", alert.output);
        }
        if settings.alert {
            self.stages.tell(&alert);
        }
        if settings.exit { Err(PipelineError::Lost) } else { Ok(()) }
    }

    /// Goes on with the self-test.
    pub(super) fn go_on_with_selftest(&mut self, moment: Moment) {
        let lost = self.lost_in_all();
        self.stages.selftest.go_on(moment, lost);
    }

    /// Tells what came of a self-test that is over.
    pub(super) fn conclude_selftest(&mut self) {
        let lost = self.lost_in_all();
        if let Some(alert) = self.stages.selftest.conclude(lost, &self.host.kernel_release) {
            self.stages.tell(&alert);
        }
    }

    fn lost_in_all(&self) -> u64 {
        self.lost(&self.counters.read()).iter().map(|(_, count)| count).sum()
    }

    /// Execs that should have been seen and were not, by reason.
    pub(super) fn lost(&self, loss: &Loss) -> Vec<(&'static str, u64)> {
        let kernel =
            [Counter::RingFull, Counter::NoScratch].map(|counter| (counter.name(), loss.of(counter)));
        let mut all = kernel.to_vec();
        let missed = self.kernel.recursion_misses();
        all.extend(missed.map(|missed| ("recursion", missed.unseen(loss, self.ring.duplicates()))));
        // Of scripts and writers less is known then, but nothing goes unseen.
        let mappings = self.kernel.missed_beside().into_iter().filter(|(sight, _)| *sight == Sight::Mappings);
        all.extend(mappings.map(|(sight, count)| (sight.missed(), count)));
        all
    }
}

/// Keys that differ and are only read at the start.
fn needing_restart(old: &Settings, new: &Settings) -> Vec<&'static str> {
    let changed = [
        ("kernel_log", old.kernel_log != new.kernel_log),
        ("metadata.wait", old.metadata_wait != new.metadata_wait),
        ("pin", old.pins != new.pins),
        ("privileges", old.privileges != new.privileges),
        ("record_to", old.record_to != new.record_to),
        ("samples", old.samples != new.samples),
        ("webserver", old.webserver != new.webserver),
    ];
    changed.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key).collect()
}

/// The time of day, nanoseconds since the epoch.
pub(super) fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

//! `metrics`: snapshots of the figures, as alerts of the agent about itself and as lines of a file.

use std::{fs::OpenOptions, io::Write as _, path::Path};

use log::error;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::{
    settings::MetricsSettings,
    telemetry::{Figures, ProcessFigures},
};

/// The snapshots.
pub(super) struct Snapshots {
    settings: Option<MetricsSettings>,
    due: Option<Instant>,
    number: u64,
    /// Records and time of the one before.
    before: (u64, u64),
}

impl Snapshots {
    pub(super) fn new(settings: Option<MetricsSettings>) -> Self {
        let due = settings.as_ref().map(|settings| Instant::now() + settings.interval);
        Self { settings, due, number: 0, before: (0, 0) }
    }

    pub(super) fn change(&mut self, settings: Option<MetricsSettings>) {
        if self.settings != settings {
            let (number, before) = (self.number, self.before);
            *self = Self { number, before, ..Self::new(settings) };
        }
    }

    /// When the next one is due; `None` when there are none.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Makes the one that is due; the answer is its fields, if they shall go to the outputs.
    pub(super) fn take(&mut self, figures: &Figures) -> Option<Map<String, Value>> {
        let settings = self.settings.as_ref()?;
        self.due = Some(Instant::now() + settings.interval);
        self.number += 1;
        let mut fields = fields(figures, &ProcessFigures::now(), self.before);
        self.before = (figures.sent, figures.now_ns);
        if !settings.include_zeros {
            fields.retain(|_, value| value.as_f64() != Some(0.0));
        }
        if let Some(path) = &settings.output_file {
            let line = json!({ "output_fields": fields, "sample": self.number });
            if let Err(error) = append(path, &line) {
                error!("cannot write a metrics snapshot to {}: {error}", path.display());
            }
        }
        settings.output_rule.then_some(fields)
    }
}

fn append(path: &Path, line: &Value) -> std::io::Result<()> {
    OpenOptions::new().append(true).create(true).open(path)?.write_all(format!("{line}\n").as_bytes())
}

/// Falco's names where there is such a thing here.
fn fields(
    figures: &Figures,
    process: &ProcessFigures,
    (before, before_ns): (u64, u64),
) -> Map<String, Value> {
    let seconds = |ns: u64| ns / 1_000_000_000;
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    set("evt.time", figures.now_ns.into());
    set("evt.hostname", figures.hostname.clone().into());
    set("evt.source", "syscall".into());
    set("falco.version", figures.version.into());
    set("falco.start_ts", figures.started_ns.into());
    set("falco.duration_sec", seconds(figures.now_ns.saturating_sub(figures.started_ns)).into());
    set("falco.kernel_release", figures.kernel_release.clone().into());
    set("falco.host_boot_ts", figures.booted_ns.into());
    set(
        "falco.outputs_queue_num_drops",
        figures.outputs.iter().map(|output| output.overflowed).sum::<u64>().into(),
    );
    set("falco.num_evts", figures.records.into());
    set("falco.num_evts_prev", before.into());
    let passed = seconds(figures.now_ns.saturating_sub(before_ns)).max(1);
    set("falco.evts_rate_sec", (figures.sent.saturating_sub(before) / passed).into());
    set("falco.memory_rss", process.rss_bytes.into());
    set("falco.memory_vsz", process.vsz_bytes.into());
    set("falco.rules.matches_total", figures.rules.iter().map(|rule| rule.alerts).sum::<u64>().into());
    for rule in &figures.rules {
        let name: String =
            rule.name.chars().map(|one| if one.is_ascii_alphanumeric() { one } else { '_' }).collect();
        set(&format!("falco.rules.{name}"), rule.alerts.into());
    }
    set("scap.engine_name", "modern_bpf".into());
    set("scap.n_evts", figures.sent.into());
    set("scap.n_drops", figures.all_lost().into());
    set("scap.n_drops_buffer_total", figures.ring_full.into());
    for (reason, count) in &figures.held_back {
        set(&format!("detector.held_back.{reason}"), (*count).into());
    }
    for output in &figures.outputs {
        for (outcome, count) in &output.outcomes {
            set(&format!("detector.output.{}.{outcome}", output.name), (*count).into());
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Snapshots;
    use crate::{
        settings::MetricsSettings,
        telemetry::{Figures, RuleFigures},
    };

    #[test]
    fn a_snapshot_has_falcos_names_and_leaves_out_what_is_zero() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("metrics");
        let mut snapshots = Snapshots::new(Some(MetricsSettings {
            interval: Duration::from_secs(3600),
            output_rule: true,
            output_file: Some(file.clone()),
            include_zeros: false,
        }));
        let rule = RuleFigures { name: "A rule: x".to_owned(), alerts: 3, ..RuleFigures::default() };
        let fields = snapshots.take(&Figures { sent: 7, rules: vec![rule], ..Figures::default() }).unwrap();
        assert_eq!((&fields["scap.n_evts"], &fields["falco.rules.A_rule__x"]), (&7.into(), &3.into()));
        assert!(!fields.contains_key("scap.n_drops"), "zero is left out");
        let line: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!((&line["sample"], &line["output_fields"]["scap.n_evts"]), (&1.into(), &7.into()));
    }

    #[test]
    fn without_metrics_there_is_no_timer() {
        let mut snapshots = Snapshots::new(None);
        assert_eq!(snapshots.due(), None);
        assert_eq!(snapshots.take(&Figures::default()), None);
    }
}

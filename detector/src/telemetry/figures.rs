//! The agent's figures at one moment, as plain data, and as metrics.

use super::{
    exposition::{Exposition, label_name},
    metric_names as names,
    selftest::Snapshot as Selftest,
};

/// Alerts of one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleFigures {
    /// Its name.
    pub name: String,
    /// Its priority, 0 = emergency.
    pub priority: u8,
    /// Its source.
    pub source: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// How many.
    pub alerts: u64,
}

/// What kept one rule silent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SilencedFigures {
    /// The rule's name.
    pub rule: String,
    /// Name of the exception, or the condition as text.
    pub by: String,
    /// It is an exception.
    pub is_exception: bool,
    /// How many events.
    pub events: u64,
    /// The same by value of the exception or item of the list.
    pub items: Vec<(String, u64)>,
}

/// One output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputFigures {
    /// Its name.
    pub name: &'static str,
    /// What became of its alerts: name and count.
    pub outcomes: Vec<(&'static str, u64)>,
    /// Alerts that found no room; one of the outcomes, too.
    pub overflowed: u64,
    /// Tries after the first one.
    pub retries: u64,
    /// Alerts that wait in memory.
    pub depth: u64,
    /// Alerts that wait on disk.
    pub spooled: u64,
}

/// All figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Version of the agent.
    pub version: &'static str,
    /// Kernel release.
    pub kernel_release: String,
    /// Name of the host.
    pub hostname: String,
    /// Nanoseconds since the epoch.
    pub now_ns: u64,
    /// When the agent started.
    pub started_ns: u64,
    /// When rules and configuration were last loaded.
    pub loaded_ns: u64,
    /// When the host started.
    pub booted_ns: u64,
    /// Records that reached the agent.
    pub records: u64,
    /// Records that could not be decoded.
    pub undecodable: u64,
    /// Records that were dropped because their exec had come already.
    pub duplicates: u64,
    /// Alerts by rule.
    pub rules: Vec<RuleFigures>,
    /// What kept rules silent.
    pub silenced: Vec<SilencedFigures>,
    /// Records that the kernel side has sent.
    pub sent: u64,
    /// Records lost because the ring buffer was full.
    pub ring_full: u64,
    /// What the kernel side counts.
    pub kernel: Vec<(&'static str, u64)>,
    /// Execs that should have been seen and were not, by reason.
    pub lost: Vec<(&'static str, u64)>,
    /// Runs of the hook and their time in nanoseconds, when the kernel keeps such statistics.
    pub bpf: Option<(u64, u64)>,
    /// The outputs.
    pub outputs: Vec<OutputFigures>,
    /// Events of containers with all their metadata.
    pub metadata_complete: u64,
    /// Events without, by reason.
    pub metadata_partial: Vec<(&'static str, u64)>,
    /// What went wrong while they were looked up.
    pub metadata_trouble: Vec<(&'static str, u64)>,
    /// Running containers by coverage. Empty until the web server has counted them: that takes a look at every process,
    /// for which the main loop has no time.
    pub containers: Vec<(&'static str, u64)>,
    /// Events that wait for metadata.
    pub waiting: u64,
    /// Alerts that were held back and told as a count, by reason.
    pub held_back: Vec<(&'static str, u64)>,
    /// Reloads that were applied, and that failed.
    pub reloads: (u64, u64),
    /// The self-test.
    pub selftest: Selftest,
}

impl Figures {
    /// Execs that should have been seen and were not.
    #[must_use]
    pub fn all_lost(&self) -> u64 {
        self.lost.iter().map(|(_, count)| count).sum()
    }

    /// As Prometheus reads them.
    #[must_use]
    pub fn exposition(&self, process: &ProcessFigures) -> String {
        let mut text = Exposition::default();
        self.agent(&mut text, process);
        self.kernel(&mut text);
        self.alerts(&mut text);
        self.health(&mut text);
        text.end()
    }

    fn agent(&self, text: &mut Exposition, process: &ProcessFigures) {
        let seconds = seconds(self.now_ns.saturating_sub(self.started_ns));
        text.info(&names::VERSION, &[("version", self.version)]);
        text.info(&names::KERNEL_RELEASE, &[("kernel_release", &self.kernel_release)]);
        text.info(&names::HOSTNAME, &[("hostname", &self.hostname)]);
        text.info(&names::ENGINE_NAME, &[("engine_name", "modern_bpf"), ("evt_source", "syscall")]);
        text.one(&names::START, float(self.started_ns));
        text.one(&names::RELOAD, float(self.loaded_ns));
        text.one(&names::DURATION, seconds);
        text.one(&names::HOST_BOOT, float(self.booted_ns));
        if seconds > 0.0 {
            text.one(&names::CPU_USAGE, process.cpu_seconds / seconds);
        }
        text.one(&names::MEMORY_RSS, float(process.rss_bytes));
        text.one(&names::MEMORY_VSZ, float(process.vsz_bytes));
        text.head(&names::RELOADS);
        for (outcome, count) in [("applied", self.reloads.0), ("failed", self.reloads.1)] {
            text.sample(names::RELOADS.name, &[("outcome", outcome)], float(count));
        }
    }

    fn kernel(&self, text: &mut Exposition) {
        text.one(&names::EVENTS, float(self.sent));
        text.one(&names::DROPS, float(self.all_lost()));
        let buffer = [("dir", "exit"), ("drop", "execve")];
        text.many(&names::DROPS_BUFFER, [(&buffer[..], float(self.ring_full))]);
        text.one(&names::RECORDS, float(self.records));
        text.one(&names::UNDECODABLE, float(self.undecodable));
        text.one(&names::DUPLICATES, float(self.duplicates));
        by_reason(text, &names::KERNEL_COUNTERS, &self.kernel);
        by_reason(text, &names::LOST, &self.lost);
        if let Some((runs, ns)) = self.bpf {
            text.one(&names::BPF_RUNS, float(runs));
            text.one(&names::BPF_TIME, seconds(ns));
        }
        text.head(&names::METADATA);
        text.sample(
            names::METADATA.name,
            &[("state", "complete"), ("reason", "")],
            float(self.metadata_complete),
        );
        for (reason, count) in &self.metadata_partial {
            text.sample(names::METADATA.name, &[("state", "partial"), ("reason", reason)], float(*count));
        }
        text.head(&names::METADATA_TROUBLE);
        for (what, count) in &self.metadata_trouble {
            text.sample(names::METADATA_TROUBLE.name, &[("what", what)], float(*count));
        }
        for (number, (covered, count)) in self.containers.iter().enumerate() {
            if number == 0 {
                text.head(&names::CONTAINERS);
            }
            text.sample(names::CONTAINERS.name, &[("coverage", covered)], float(*count));
        }
        text.one(&names::WAITING, float(self.waiting));
    }

    fn alerts(&self, text: &mut Exposition) {
        if !self.rules.is_empty() {
            text.head(&names::RULE_MATCHES);
        }
        for rule in &self.rules {
            let priority = rule.priority.to_string();
            let tags: Vec<String> = rule.tags.iter().map(|tag| format!("tag_{}", label_name(tag))).collect();
            let mut labels = vec![
                ("priority", priority.as_str()),
                ("rule_name", rule.name.as_str()),
                ("source", rule.source.as_str()),
            ];
            for tag in &tags {
                // Two tags can differ in a character that labels do not have.
                if !labels.iter().any(|(label, _)| label == tag) {
                    labels.push((tag, "true"));
                }
            }
            text.sample(names::RULE_MATCHES.name, &labels, float(rule.alerts));
        }
        self.silenced(text);
        by_reason(text, &names::HELD_BACK, &self.held_back);
        text.one(&names::QUEUE_DROPS, float(self.outputs.iter().map(|output| output.overflowed).sum()));
        let of = |text: &mut Exposition, metric: &names::Metric, value: fn(&OutputFigures) -> u64| {
            for (number, output) in self.outputs.iter().enumerate() {
                if number == 0 {
                    text.head(metric);
                }
                text.sample(metric.name, &[("output", output.name)], float(value(output)));
            }
        };
        if !self.outputs.is_empty() {
            text.head(&names::OUTPUT_ALERTS);
        }
        for output in &self.outputs {
            for (outcome, count) in &output.outcomes {
                let labels = [("output", output.name), ("outcome", outcome)];
                text.sample(names::OUTPUT_ALERTS.name, &labels, float(*count));
            }
        }
        of(text, &names::OUTPUT_RETRIES, |output| output.retries);
        of(text, &names::OUTPUT_DEPTH, |output| output.depth);
        of(text, &names::OUTPUT_SPOOLED, |output| output.spooled);
    }

    fn silenced(&self, text: &mut Exposition) {
        if !self.silenced.is_empty() {
            text.head(&names::SILENCED);
        }
        for one in &self.silenced {
            let kind = if one.is_exception { "exception" } else { "condition" };
            let labels = [("rule_name", one.rule.as_str()), ("by", &one.by), ("kind", kind)];
            text.sample(names::SILENCED.name, &labels, float(one.events));
        }
        let items = self
            .silenced
            .iter()
            .flat_map(|one| one.items.iter().map(move |(item, count)| (one, item, count)));
        for (number, (one, item, count)) in items.enumerate() {
            if number == 0 {
                text.head(&names::SILENCED_ITEMS);
            }
            let labels = [("rule_name", one.rule.as_str()), ("by", &one.by), ("item", item)];
            text.sample(names::SILENCED_ITEMS.name, &labels, float(*count));
        }
    }

    fn health(&self, text: &mut Exposition) {
        text.one(&names::BLIND, f64::from(u8::from(self.selftest.is_blind())));
        text.one(&names::SELFTESTS, float(self.selftest.runs));
        text.one(&names::SELFTEST_FAILURES, float(self.selftest.failures));
        if let Some(time) = self.selftest.last_success {
            text.one(&names::SELFTEST_SUCCESS, float(time));
        }
        if let Some(time) = self.selftest.last_run {
            text.one(&names::SELFTEST_RUN, float(time));
        }
    }
}

fn by_reason(text: &mut Exposition, metric: &names::Metric, counts: &[(&'static str, u64)]) {
    for (number, (reason, count)) in counts.iter().enumerate() {
        if number == 0 {
            text.head(metric);
        }
        text.sample(metric.name, &[("reason", reason)], float(*count));
    }
}

/// What the agent's process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessFigures {
    /// CPU time, user and system.
    pub cpu_seconds: f64,
    /// Memory in use.
    pub rss_bytes: u64,
    /// Address space.
    pub vsz_bytes: u64,
}

impl ProcessFigures {
    /// Of this process, now; what cannot be read is 0.
    #[must_use]
    pub fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // Behind the name, which may have blanks.
        let fields: Vec<u64> = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect())
            .unwrap_or_default();
        let field = |number: usize| fields.get(number - 3).copied().unwrap_or(0);
        let per_second =
            |name| nix::unistd::sysconf(name).ok().flatten().and_then(|value| u64::try_from(value).ok());
        let ticks = per_second(nix::unistd::SysconfVar::CLK_TCK).unwrap_or(100);
        let page = per_second(nix::unistd::SysconfVar::PAGE_SIZE).unwrap_or(4096);
        Self {
            cpu_seconds: float(field(14) + field(15)) / float(ticks),
            rss_bytes: field(24) * page,
            vsz_bytes: field(23),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows no other numbers; whole up to 2^53")]
const fn float(number: u64) -> f64 {
    number as f64
}

fn seconds(ns: u64) -> f64 {
    float(ns) / 1e9
}

#[cfg(test)]
mod tests {
    use super::{Figures, OutputFigures, ProcessFigures, RuleFigures, SilencedFigures};
    use crate::telemetry::metric_names::ALL;

    /// Figures in which every metric appears.
    fn figures() -> Figures {
        let mut figures = Figures {
            now_ns: 2_000_000_000,
            kernel: vec![("sent", 1)],
            lost: vec![("ring_full", 2)],
            held_back: vec![("repeat", 8)],
            containers: vec![("yes", 9)],
            bpf: Some((3, 4)),
            metadata_partial: vec![("late", 5)],
            metadata_trouble: vec![("labels_cut", 8)],
            rules: vec![RuleFigures {
                tags: vec!["A.1".to_owned(), "A_1".to_owned()],
                ..RuleFigures::default()
            }],
            silenced: vec![SilencedFigures {
                items: vec![("a".to_owned(), 1)],
                ..SilencedFigures::default()
            }],
            outputs: vec![OutputFigures {
                name: "http",
                outcomes: vec![("failed", 6)],
                ..OutputFigures::default()
            }],
            ..Figures::default()
        };
        figures.selftest.last_run = Some(7);
        figures.selftest.last_success = Some(7);
        figures
    }

    #[test]
    fn every_metric_is_exposed_once_with_help_and_type() {
        let text = figures().exposition(&ProcessFigures::now());
        for metric in ALL {
            let help = format!("# HELP {} ", metric.name);
            assert_eq!(text.matches(&help).count(), 1, "{}", metric.name);
        }
        assert!(
            text.contains("detector_output_alerts_total{output=\"http\",outcome=\"failed\"} 6\n"),
            "{text}"
        );
        assert_eq!(text.matches("tag_A_1=").count(), 1, "a label stands once");
    }

    #[test]
    fn this_process_uses_memory() {
        let process = ProcessFigures::now();
        assert!(process.rss_bytes > 0 && process.vsz_bytes >= process.rss_bytes, "{process:?}");
    }
}

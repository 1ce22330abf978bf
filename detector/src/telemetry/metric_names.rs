//! Every metric there is: its name, its type and what it means. Dashboards and alerting rules are held against this
//! file. Names that Falco has keep Falco's meaning; ours begin with `detector_`.

/// How a metric moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only up, since the start of the agent.
    Counter,
    /// Up and down.
    Gauge,
}

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// As scraped.
    pub name: &'static str,
    /// How it moves.
    pub kind: Kind,
    /// What it means.
    pub help: &'static str,
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, help }
}

macro_rules! metrics {
    ($($constant:ident = $make:ident($name:literal, $help:literal);)+) => {
        $(
            #[doc = $help]
            pub const $constant: Metric = $make($name, $help);
        )+
        /// All of them.
        pub const ALL: &[Metric] = &[$($constant),+];
    };
}

metrics! {
    // Falco's.
    VERSION = gauge("falcosecurity_falco_version_info", "Version of the agent.");
    KERNEL_RELEASE = gauge("falcosecurity_falco_kernel_release_info", "Release of the running kernel.");
    HOSTNAME = gauge("falcosecurity_evt_hostname_info", "Name of the host, as alerts have it.");
    ENGINE_NAME = gauge("falcosecurity_scap_engine_name_info", "What sees the events.");
    START = gauge("falcosecurity_falco_start_timestamp_nanoseconds", "When the agent started.");
    RELOAD = gauge("falcosecurity_falco_reload_timestamp_nanoseconds", "When rules and configuration were last loaded.");
    DURATION = counter("falcosecurity_falco_duration_seconds_total", "For how long the agent runs.");
    HOST_BOOT = gauge("falcosecurity_falco_host_boot_timestamp_nanoseconds", "When the host started.");
    QUEUE_DROPS = counter("falcosecurity_falco_outputs_queue_num_drops_total", "Alerts that found no room in the queue of an output.");
    RULE_MATCHES = counter("falcosecurity_falco_rules_matches_total", "Alerts by rule.");
    CPU_USAGE = gauge("falcosecurity_falco_cpu_usage_ratio", "CPU time of the agent for each second since its start; 1 is one CPU.");
    MEMORY_RSS = gauge("falcosecurity_falco_memory_rss_bytes", "Memory of the agent that is in use.");
    MEMORY_VSZ = gauge("falcosecurity_falco_memory_vsz_bytes", "Address space of the agent.");
    EVENTS = counter("falcosecurity_scap_n_evts_total", "Records that the kernel side has sent.");
    DROPS = counter("falcosecurity_scap_n_drops_total", "Execs that should have been seen and were not, for any reason.");
    DROPS_BUFFER = counter("falcosecurity_scap_n_drops_buffer_total", "Records lost because the ring buffer was full.");
    // Ours.
    RECORDS = counter("detector_records_total", "Records that reached the agent.");
    UNDECODABLE = counter("detector_records_undecodable_total", "Records that could not be understood.");
    DUPLICATES = counter("detector_records_duplicate_total", "Records of an exec that both copies of the hook had sent; one of each pair is dropped.");
    KERNEL_COUNTERS = counter("detector_kernel_total", "What the kernel side counts, by reason.");
    LOST = counter("detector_lost_total", "Execs that should have been seen and were not, by reason.");
    BPF_RUNS = counter("detector_bpf_runs_total", "Runs of the hook; only while `kernel.bpf_stats_enabled` is 1.");
    BPF_TIME = counter("detector_bpf_run_time_seconds_total", "Time that the hook took; only while `kernel.bpf_stats_enabled` is 1.");
    SILENCED = counter("detector_rule_silenced_total", "Events that a rule would have matched but for an exception or a `not` at the end of its condition, by rule and by what it was.");
    SILENCED_ITEMS = counter("detector_rule_silenced_items_total", "The same by the value of the exception or the item of the list that did it.");
    HELD_BACK = counter("detector_alerts_held_back_total", "Alerts that were held back and told as a count, by reason.");
    OUTPUT_ALERTS = counter("detector_output_alerts_total", "Alerts by output and by what became of them.");
    OUTPUT_RETRIES = counter("detector_output_retries_total", "Tries after the first one, by output.");
    OUTPUT_DEPTH = gauge("detector_output_queue_alerts", "Alerts that wait in memory, by output.");
    OUTPUT_SPOOLED = gauge("detector_output_spooled_alerts", "Alerts that wait on disk, by output.");
    METADATA = counter("detector_metadata_events_total", "Events of containers, by whether their metadata was complete and why not.");
    METADATA_TROUBLE = counter("detector_metadata_trouble_total", "What went wrong while metadata and names were looked up, by what it was.");
    CONTAINERS = gauge("detector_containers", "Running containers, by how well execs of files that their image does not have are seen.");
    WAITING = gauge("detector_events_waiting", "Events that wait for metadata.");
    RELOADS = counter("detector_reloads_total", "Reloads of rules and configuration, by outcome.");
    BLIND = gauge("detector_selftest_blind", "1 when the last self-test found that the agent does not see.");
    SELFTESTS = counter("detector_selftest_runs_total", "Self-tests that have ended.");
    SELFTEST_FAILURES = counter("detector_selftest_failures_total", "Self-tests that found the agent blind.");
    SELFTEST_SUCCESS = gauge("detector_selftest_last_success_timestamp_seconds", "When a self-test last passed; absent before the first.");
    SELFTEST_RUN = gauge("detector_selftest_last_run_timestamp_seconds", "When a self-test last ended; absent before the first.");
}

#[cfg(test)]
mod tests {
    use super::{ALL, Kind};

    #[test]
    fn names_are_valid_and_used_once() {
        for (at, metric) in ALL.iter().enumerate() {
            let valid =
                metric.name.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '_');
            assert!(valid, "{}", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
            assert!(ALL[..at].iter().all(|earlier| earlier.name != metric.name), "{}", metric.name);
        }
    }
}

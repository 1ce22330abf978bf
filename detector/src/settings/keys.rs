//! The keys of the configuration: those that this program acts on, and those of Falco that do not concern it. The one
//! list that the check for unknown keys, the JSON schema and the test of the shipped configuration are made from.

/// What stands at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// true or false.
    Bool,
    /// A whole number.
    Number,
    /// Text.
    Text,
    /// A number with a fraction.
    Fraction,
    /// `250ms`, `10s`, `1h 30m`.
    Duration,
    /// The same, or a whole number of milliseconds.
    Interval,
    /// Bytes, or `64 MiB`.
    Size,
    /// One of these.
    Word(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// A list or map with a shape of its own.
    Structure,
}

/// A key that this program acts on.
pub(super) struct Key {
    /// Its path, with dots.
    pub(super) path: &'static str,
    /// What it takes.
    pub(super) takes: Takes,
    /// What it does, for the schema.
    pub(super) about: &'static str,
}

const fn key(path: &'static str, takes: Takes, about: &'static str) -> Key {
    Key { path, takes, about }
}

/// Falco's words for severities.
pub(super) const PRIORITIES: &[&str] =
    &["emergency", "alert", "critical", "error", "warning", "notice", "informational", "info", "debug"];

use Takes::{Bool, Duration, Fraction, Interval, Number, Size, Structure, Text, Texts, Word};

/// All keys that this program acts on.
pub(super) fn known() -> impl Iterator<Item = &'static Key> {
    ALONE.iter().chain(HTTP).chain(OTLP)
}

/// Keys of an output that posts to a receiver.
macro_rules! receiver_keys {
    ($section:literal, $enabled:literal) => {
        &[
            key(
                concat!($section, ".ca_bundle"),
                Text,
                "file with the certificates to trust, if ca_cert is not set",
            ),
            key(concat!($section, ".ca_cert"), Text, "file with the certificates to trust"),
            key(
                concat!($section, ".ca_path"),
                Text,
                "folder with the certificates to trust, if neither file is set",
            ),
            key(concat!($section, ".client_cert"), Text, "file with our certificate"),
            key(concat!($section, ".client_key"), Text, "file with its key"),
            key(concat!($section, ".enabled"), Bool, $enabled),
            key(concat!($section, ".insecure"), Bool, "the receiver may be anybody"),
            key(
                concat!($section, ".max_refusals"),
                Number,
                "how often a receiver may refuse an alert for now before it is given up",
            ),
            key(concat!($section, ".mtls"), Bool, "we show a certificate"),
            key(
                concat!($section, ".retry_initial"),
                Duration,
                "wait before the second try; doubles with each further one",
            ),
            key(concat!($section, ".retry_max"), Duration, "the longest wait between two tries"),
            key(concat!($section, ".spool.max_size"), Size, "what may wait on disk"),
            key(concat!($section, ".spool.overflow"), Word(OVERFLOW), "what goes when the spool is full"),
            key(
                concat!($section, ".spool.path"),
                Text,
                "folder in which alerts wait until the receiver has them",
            ),
            key(concat!($section, ".timeout"), Duration, "for one request with its answer"),
            key(concat!($section, ".url"), Text, "http:// or https:// address"),
        ]
    };
}

const HTTP: &[Key] = receiver_keys!("http_output", "each alert is posted to an address");
const OTLP: &[Key] = receiver_keys!("otlp_output", "each alert is exported as a log record of OpenTelemetry");

/// Those that stand alone, sorted.
const ALONE: &[Key] = &[
    key(
        "append_output",
        Structure,
        "what is added to the outputs of rules: match, extra_output, extra_fields, suggested_output",
    ),
    key("btf_dir", Text, "folder of BTF files that is searched when the kernel shows no BTF"),
    key("btf_file", Text, "BTF of this kernel, instead of the kernel's own"),
    key("buffered_outputs", Bool, "stdout, and the file with keep_alive, wait until a buffer is full"),
    key(
        "config_files",
        Structure,
        "further files: paths, or maps with path and strategy (append, override, add-only)",
    ),
    key("file_output.enabled", Bool, "alerts go to a file"),
    key("file_output.filename", Text, "the file"),
    key("file_output.keep_alive", Bool, "the file stays open; SIGUSR1 opens it anew"),
    key("http_output.compress_uploads", Bool, "accepted, without effect"),
    key("http_output.echo", Bool, "answers are printed to standard output"),
    key("http_output.keep_alive", Bool, "idle connections are kept for minutes"),
    key("http_output.max_consecutive_timeouts", Number, "accepted, without effect: see max_refusals"),
    key("http_output.user_agent", Text, "what we call ourselves"),
    key("json_include_message_property", Bool, "JSON has the output without time and priority"),
    key("json_include_output_fields_property", Bool, "JSON has the fields"),
    key("json_include_output_property", Bool, "JSON has the text of the alert"),
    key("json_include_tags_property", Bool, "JSON has the tags of the rule"),
    key("json_output", Bool, "alerts are JSON objects, one a line"),
    key("kernel_log", Bool, "the debug log of the kernel side goes to the log"),
    key("libs_logger.enabled", Bool, "the library that loads the hooks may log"),
    key("libs_logger.severity", Word(LIBRARY_LEVELS), "how much of it"),
    key("log_level", Word(LOG_LEVELS), "the least severe message that is logged"),
    key("log_stderr", Bool, "the log goes to standard error"),
    key("log_syslog", Bool, "the log goes to the system's log"),
    key("metadata.wait", Duration, "the longest that an alert waits for what is asked about its container"),
    key("metrics.convert_memory_to_mb", Bool, "accepted, without effect: memory is in bytes"),
    key("metrics.enabled", Bool, "figures of the agent are told"),
    key("metrics.include_empty_values", Bool, "snapshots have figures that are 0"),
    key("metrics.interval", Interval, "time between two snapshots"),
    key("metrics.jemalloc_stats_enabled", Bool, "accepted, without effect"),
    key("metrics.kernel_event_counters_enabled", Bool, "accepted: always on"),
    key("metrics.kernel_event_counters_per_cpu_enabled", Bool, "accepted, without effect"),
    key("metrics.libbpf_stats_enabled", Bool, "accepted: told whenever the kernel keeps them"),
    key("metrics.output_file", Text, "snapshots are appended to this file"),
    key("metrics.output_rule", Bool, "snapshots go to the outputs"),
    key("metrics.plugins_metrics_enabled", Bool, "accepted, without effect"),
    key("metrics.resource_utilization_enabled", Bool, "accepted: always on"),
    key("metrics.rules_counters_enabled", Bool, "accepted: always on"),
    key("metrics.state_counters_enabled", Bool, "accepted, without effect"),
    key("otlp_output.headers", Structure, "names and values of headers that each request has"),
    key("otlp_output.resource", Structure, "names and values that the resource of each record has, too"),
    key("output_style", Word(STYLES), "output of rules as Falco 0.41 and later, or as before"),
    key(
        "output_timeout",
        Number,
        "milliseconds after which a blocked output is reported; at stop: the time to deliver what waits",
    ),
    key("outputs_queue.capacity", Number, "alerts that each output holds back; 0 = 4096"),
    key("outputs_queue.overflow", Word(OVERFLOW), "what goes when a queue is full"),
    key(
        "pin.enabled",
        Bool,
        "hooks stay armed when the agent ends, and the next one goes on where it stopped",
    ),
    key("pin.path", Text, "folder of the pinned hooks, on a bpffs"),
    key("priority", Word(PRIORITIES), "rules that are less severe do not run"),
    key(
        "privileges.best_effort",
        Bool,
        "rights that cannot be given up are kept, instead of ending the agent",
    ),
    key("privileges.drop_capabilities", Bool, "only the capabilities that are still needed are kept"),
    key("privileges.keep_capabilities", Texts, "further capabilities that are kept, for what outputs do"),
    key("privileges.landlock", Bool, "files are changed only in the usual places and where outputs write"),
    key("privileges.no_new_privs", Bool, "programs that are started get no more rights than the agent has"),
    key("privileges.seccomp", Bool, "system calls that nobody needs are refused"),
    key("privileges.writable", Texts, "further folders in which files may be changed"),
    key("program_output.enabled", Bool, "alerts go to a program"),
    key("program_output.keep_alive", Bool, "one program for all alerts"),
    key("program_output.program", Text, "command for /bin/sh -c"),
    key("record_to", Text, "file that records are written to, for `detector replay`"),
    key("rule_matching", Word(MATCHING), "the first rule that matches gives an alert, or all do"),
    key("rules", Structure, "rules switched on and off, in order: enable or disable, each with rule or tag"),
    key("rules_file", Texts, "old name of rules_files"),
    key("rules_files", Texts, "rule files, and folders of rule files; none = the rules that are built in"),
    key(
        "samples.folder",
        Text,
        "folder in which copies of what was executed are kept, each named by its SHA-256",
    ),
    key("samples.max_bytes", Number, "bytes of all copies; what comes later is not kept"),
    key("samples.max_files", Number, "copies that are kept; what comes later is not"),
    key("selftest.interval", Duration, "time between two self-tests; 0 = only at the start"),
    key("static_fields", Structure, "names with texts that all alerts have"),
    key("stdout_output.enabled", Bool, "alerts go to standard output"),
    key("syscall_event_drops.actions", Texts, "what is done when execs are lost: ignore, log, alert, exit"),
    key("syscall_event_drops.max_burst", Fraction, "reports of losses in a row"),
    key("syscall_event_drops.rate", Fraction, "reports of losses for each second, in the long run"),
    key("syscall_event_drops.simulate_drops", Bool, "each second looks as if one exec was lost"),
    key(
        "syscall_event_drops.threshold",
        Fraction,
        "lost part of the execs of a second that is not worth a report",
    ),
    key("syslog_output.enabled", Bool, "alerts go to the system's log"),
    key("throttle.max_burst", Fraction, "alerts of one rule in a row, with throttle.rate"),
    key("throttle.rate", Fraction, "alerts of one rule for each second in the long run; 0 = no limit"),
    key(
        "throttle.window",
        Duration,
        "how long alerts of one rule about the same file in the same container count as repeats; 0s = none does",
    ),
    key("time_format_iso_8601", Bool, "times in UTC with their date"),
    key("watch_config_files", Bool, "rules and configuration are loaded anew when their files change"),
    key("webserver.enabled", Bool, "health, versions and metrics over http"),
    key("webserver.k8s_healthz_endpoint", Text, "path of the answer about the agent's health"),
    key("webserver.listen_address", Text, "IP address to listen at"),
    key("webserver.listen_port", Number, "port to listen at"),
    key("webserver.prometheus_metrics_enabled", Bool, "/metrics is answered, if metrics.enabled"),
    key("webserver.ssl_certificate", Text, "PEM file with key and certificate"),
    key("webserver.ssl_enabled", Bool, "https instead of http"),
    key("webserver.threadiness", Number, "accepted, without effect: one thread is enough"),
];

pub(super) const LOSS_ACTIONS: &[&str] = &["ignore", "log", "alert", "exit"];
pub(super) const OVERFLOW: &[&str] = &["drop_newest", "drop_oldest"];
pub(super) const STYLES: &[&str] = &["current", "classic"];
pub(super) const MATCHING: &[&str] = &["first", "all"];
pub(super) const LOG_LEVELS: &[&str] =
    &["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];
pub(super) const LIBRARY_LEVELS: &[&str] =
    &["fatal", "critical", "error", "warning", "notice", "info", "debug", "trace"];

/// Keys of Falco's configuration that steer what this program does not have. They are accepted with all that is
/// below them, and listed once.
pub(super) const IGNORED: &[&str] = &[
    "base_syscalls",
    "buffer_format_base64",
    "capture",
    "engine",
    "falco_libs",
    "grpc",
    "grpc_output",
    "load_plugins",
    "outputs",
    "plugins",
    "plugins_hostinfo",
    "syscall_buf_size_preset",
    "syscall_drop_failed_exit",
    "syscall_event_timeouts",
];

#[cfg(test)]
mod tests {
    use super::{ALONE, IGNORED, known};

    #[test]
    fn the_keys_are_sorted_and_said_once() {
        assert!(ALONE.is_sorted_by(|one, other| one.path < other.path));
        let mut all: Vec<&str> = known().map(|key| key.path).collect();
        all.sort_unstable();
        assert!(all.is_sorted_by(|one, other| one < other));
        assert!(IGNORED.is_sorted_by(|one, other| one < other));
        assert!(known().all(|key| !IGNORED.contains(&key.path)));
    }
}

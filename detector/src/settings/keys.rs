//! The keys of the configuration: those that this program acts on, and those of Falco that do not concern it.

/// Top-level keys that this program acts on.
pub(super) const KNOWN: [&str; 20] = [
    "append_output",
    "buffered_outputs",
    "config_files",
    "file_output",
    "json_include_message_property",
    "json_include_output_fields_property",
    "json_include_output_property",
    "json_include_tags_property",
    "json_output",
    "kernel_log",
    "output_style",
    "priority",
    "record_to",
    "rule_matching",
    "rules",
    "rules_file",
    "rules_files",
    "static_fields",
    "stdout_output",
    "time_format_iso_8601",
];

/// Keys of Falco's configuration that steer what this program does not have, or does not have yet. They are
/// accepted, and listed once.
pub(super) const IGNORED: [&str; 23] = [
    "base_syscalls",
    "buffer_format_base64",
    "capture",
    "engine",
    "falco_libs",
    "grpc",
    "grpc_output",
    "http_output",
    "libs_logger",
    "load_plugins",
    "log_level",
    "log_stderr",
    "log_syslog",
    "metrics",
    "output_timeout",
    "outputs_queue",
    "plugins",
    "program_output",
    "syscall_event_drops",
    "syscall_event_timeouts",
    "syslog_output",
    "watch_config_files",
    "webserver",
];

//! Compares an alert with what the executed file saw of itself.

use std::time::{SystemTime, UNIX_EPOCH};

use detector_common::limits::ANCESTORS;
use serde_json::Value;

use crate::{Alert, Facts, alert_schema};

/// `/proc` tells starts in clock ticks (10 ms), and user space converts clocks a moment apart.
const CLOCK_SLACK: i128 = 50_000_000;

/// Checks the alert's shape and each field that the witness knows, for an alert whose arguments were not cut.
///
/// Only the chain of ancestors may be cut: how deep the host starts its containers is not the test's choice.
#[track_caller]
pub fn check(alert: &Alert, facts: &Facts, container: &str) {
    check_all_but_arguments(alert, facts, container);
    let arguments = facts.arguments_lossy();
    assert_eq!(alert.text("proc.exe"), arguments.first().map_or("", String::as_str), "proc.exe in {alert}");
    let rest = arguments.get(1..).unwrap_or_default().join(" ");
    let line = if arguments.len() > 1 { format!("{} {rest}", facts.comm) } else { facts.comm.clone() };
    assert_eq!(alert.text("proc.cmdline"), line, "proc.cmdline in {alert}");
    let cut = if facts.ancestors.len() > ANCESTORS { Value::from("ancestors") } else { Value::Null };
    assert_eq!(alert.field("drop.truncated"), &cut, "what was cut or not read of {facts:?}, in {alert}");
}

/// As [`check`], without the command line.
#[track_caller]
pub fn check_all_but_arguments(alert: &Alert, facts: &Facts, container: &str) {
    alert_schema::check(alert);
    let same = |field: &str, expected: &str| assert_eq!(alert.text(field), expected, "{field} in {alert}");
    same("evt.type", "execve");
    same("drop.kind", "exec");
    same("container.id", container);
    same("proc.name", &facts.comm);
    same("proc.exepath", facts.exe.trim_end_matches(" (deleted)"));
    let slash = if facts.cwd.ends_with('/') { "" } else { "/" };
    same("proc.cwd", &format!("{}{slash}", facts.cwd));
    same("proc.sname", facts.session_name.as_deref().unwrap_or_default());
    let ancestor =
        |index: usize| facts.ancestors.get(index).map_or(Value::Null, |name| Value::from(name.as_str()));
    assert_eq!(alert.field("proc.pname"), &ancestor(0), "proc.pname in {alert}");
    assert_eq!(alert.field("proc.aname[2]"), &ancestor(1), "proc.aname[2] in {alert}");

    assert_eq!(alert.integer("proc.exe_ino.ctime"), facts.ctime, "proc.exe_ino.ctime in {alert}");
    assert_eq!(alert.integer("proc.exe_ino.mtime"), facts.mtime, "proc.exe_ino.mtime in {alert}");
    assert_eq!(alert.integer("user.uid"), i128::from(facts.euid), "user.uid in {alert}");
    let loginuid = facts.loginuid.filter(|uid| *uid != u32::MAX).map_or(-1, i128::from);
    assert_eq!(alert.integer("user.loginuid"), loginuid, "user.loginuid in {alert}");
    assert_eq!(alert.integer("proc.tty"), i128::from(facts.tty), "proc.tty in {alert}");

    check_times(alert, facts);
}

#[track_caller]
fn check_times(alert: &Alert, facts: &Facts) {
    let near = |what: &str, found: i128, expected: i128| {
        let off = found - expected;
        assert!(
            off.abs() <= CLOCK_SLACK,
            "{what} is {found}, {off} ns from the expected {expected}, in {alert}"
        );
    };
    near("container.start_ts", alert.integer("container.start_ts"), facts.namespace_start);
    // Falco's unsigned 64 bits: a file that changed after the fork wraps around.
    let duration = alert.integer("proc.exe_ino.ctime_duration_proc_start");
    let signed = if duration > i128::from(i64::MAX) { duration - (1 << 64) } else { duration };
    near("proc.exe_ino.ctime_duration_proc_start", signed, facts.start - facts.ctime);
    let time = alert.integer("evt.time");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().cast_signed();
    let possible = facts.start - CLOCK_SLACK..=now + CLOCK_SLACK;
    assert!(possible.contains(&time), "evt.time {time} is not within {possible:?}, in {alert}");
}

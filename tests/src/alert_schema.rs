//! The shape of an alert as Falco (0.39 and newer) writes it: order of keys, types, nulls, times, text.

use serde_json::Value;

use crate::Alert;
use crate::agent::TIME_ZONE_SECONDS;

/// The rule that all cases are about.
pub const RULE: &str = "Drop and execute new binary in container";
const MESSAGE: &str = "Executing binary not part of base image";
const TAGS: [&str; 6] =
    ["PCI_DSS_11.5.1", "TA0003", "container", "maturity_stable", "mitre_persistence", "process"];
const KEYS: [&str; 8] = ["hostname", "output", "output_fields", "priority", "rule", "source", "tags", "time"];

/// What a field may be.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    TextOrNull,
    Unsigned,
    UnsignedOrNull,
    Signed,
}

/// The labels of the stock rule's message with their fields, in the message's order.
const LABELS: [(&str, &str, Kind); 18] = [
    ("proc_exe", "proc.exe", Kind::Text),
    ("proc_sname", "proc.sname", Kind::Text),
    ("gparent", "proc.aname[2]", Kind::TextOrNull),
    ("proc_exe_ino_ctime", "proc.exe_ino.ctime", Kind::Unsigned),
    ("proc_exe_ino_mtime", "proc.exe_ino.mtime", Kind::Unsigned),
    (
        "proc_exe_ino_ctime_duration_proc_start",
        "proc.exe_ino.ctime_duration_proc_start",
        Kind::UnsignedOrNull,
    ),
    ("proc_cwd", "proc.cwd", Kind::Text),
    ("container_start_ts", "container.start_ts", Kind::UnsignedOrNull),
    ("evt_type", "evt.type", Kind::Text),
    ("user", "user.name", Kind::Text),
    ("user_uid", "user.uid", Kind::Unsigned),
    ("user_loginuid", "user.loginuid", Kind::Signed),
    ("process", "proc.name", Kind::Text),
    ("proc_exepath", "proc.exepath", Kind::Text),
    ("parent", "proc.pname", Kind::TextOrNull),
    ("command", "proc.cmdline", Kind::Text),
    ("terminal", "proc.tty", Kind::Unsigned),
    ("exe_flags", "evt.arg.flags", Kind::Text),
];
/// What comes on top of the message's own fields.
const OTHERS: [(&str, Kind); 7] = [
    ("evt.time", Kind::Unsigned),
    ("container.id", Kind::Text),
    ("container.name", Kind::TextOrNull),
    ("container.image.repository", Kind::TextOrNull),
    ("container.image.tag", Kind::TextOrNull),
    ("k8s.ns.name", Kind::TextOrNull),
    ("k8s.pod.name", Kind::TextOrNull),
];
/// Those of [`OTHERS`] that must be there.
const REQUIRED_OTHERS: [&str; 3] = ["evt.time", "container.id", "container.name"];

/// Checks all that holds for every alert of the rule, whatever it is about.
#[track_caller]
pub fn check(alert: &Alert) {
    assert_eq!(alert.keys(), KEYS, "keys or their order, in {alert}");
    assert!(!alert.line.contains(['\r', '\n']), "more than one line: {alert}");
    assert_eq!(alert.part_text("rule"), RULE, "in {alert}");
    assert_eq!(alert.part_text("priority"), "Critical", "in {alert}");
    assert_eq!(alert.part_text("source"), "syscall", "in {alert}");
    assert_eq!(alert.part("tags"), &Value::from(TAGS.to_vec()), "tags, sorted bytewise, in {alert}");
    let hostname = nix::unistd::gethostname().unwrap_or_else(|error| panic!("no host name: {error}"));
    let hostname =
        std::env::var("FALCO_HOSTNAME").unwrap_or_else(|_| hostname.to_string_lossy().into_owned());
    assert_eq!(alert.part_text("hostname"), hostname, "in {alert}");
    check_fields(alert);
    check_times(alert);
    check_output(alert);
}

fn check_fields(alert: &Alert) {
    let keys = alert.field_keys();
    let mut sorted = keys.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(keys, sorted, "order or repetition of output_fields, in {alert}");
    let rule_fields = LABELS.iter().map(|(_, field, kind)| (*field, *kind));
    for (field, kind) in rule_fields.clone().chain(OTHERS) {
        let known = keys.iter().any(|key| key == field);
        if !known && OTHERS.iter().any(|(other, _)| *other == field) && !REQUIRED_OTHERS.contains(&field) {
            continue;
        }
        check_kind(alert, field, kind);
    }
    for key in &keys {
        let known = rule_fields.clone().chain(OTHERS).any(|(field, _)| field == key);
        assert!(known || key.starts_with("drop."), "`{key}` is no field of this rule, in {alert}");
    }
}

#[track_caller]
fn check_kind(alert: &Alert, field: &str, kind: Kind) {
    let value = alert.field(field);
    let good = match kind {
        Kind::Text => value.is_string(),
        Kind::TextOrNull => value.is_string() || value.is_null(),
        Kind::Unsigned => value.is_u64(),
        Kind::UnsignedOrNull => value.is_u64() || value.is_null(),
        Kind::Signed => value.is_i64() || value.is_u64(),
    };
    assert!(good, "`{field}` has the wrong type: {value}, in {alert}");
}

fn check_times(alert: &Alert) {
    let time = alert.integer("evt.time");
    assert_eq!(alert.part_text("time"), format!("{}T{}Z", date(time), clock(time)), "in {alert}");
}

fn check_output(alert: &Alert) {
    let output = alert.part_text("output");
    let local = clock(alert.integer("evt.time") + TIME_ZONE_SECONDS * 1_000_000_000);
    let start = format!("{local}: Critical {MESSAGE} ");
    assert!(output.starts_with(&start), "expected the text to start with `{start}`, in {alert}");
    let control = output.chars().find(|character| character.is_control());
    assert!(control.is_none(), "a control character {control:?} reached the text: {alert}");
    let mut rest = &output[start.len()..];
    for (label, field, _) in LABELS {
        let value = match alert.field(field) {
            Value::Null => "<NA>".to_owned(),
            // How odd characters are written in the text is a matter of its own.
            Value::String(text) if text.chars().any(|c| c.is_control() || "\"\\\u{fffd}".contains(c)) => {
                String::new()
            }
            Value::String(text) => text.clone(),
            number => number.to_string(),
        };
        let pair = format!("{label}={value}");
        let Some(found) = rest.find(&pair) else {
            panic!("`{pair}` is not in the text, or not in its place: {alert}");
        };
        rest = &rest[found + pair.len()..];
    }
}

/// `YYYY-MM-DD` of a time in nanoseconds since the epoch, UTC.
fn date(time: i128) -> String {
    // Years from March on, in eras of 400 years (Gregorian calendar).
    let days = time.div_euclid(86_400 * 1_000_000_000) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i128::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `HH:MM:SS.nnnnnnnnn` of a time in nanoseconds since the epoch.
fn clock(time: i128) -> String {
    let of_day = time.rem_euclid(86_400 * 1_000_000_000);
    let (seconds, nanoseconds) = (of_day / 1_000_000_000, of_day % 1_000_000_000);
    format!("{:02}:{:02}:{:02}.{nanoseconds:09}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        // As printed by `date -u -d @SECONDS`.
        for (seconds, expected_date, expected_clock) in [
            (0, "1970-01-01", "00:00:00.000000005"),
            (951_782_400, "2000-02-29", "00:00:00.000000005"),
            (1_728_129_802, "2024-10-05", "12:03:22.000000005"),
            (4_107_542_399, "2100-02-28", "23:59:59.000000005"),
            (4_107_542_400, "2100-03-01", "00:00:00.000000005"),
        ] {
            let time = seconds * 1_000_000_000 + 5;
            assert_eq!((date(time).as_str(), clock(time).as_str()), (expected_date, expected_clock));
        }
    }

    fn alert(time: &str, tags: &str, extra: &str) -> Alert {
        let fields = format!(
            r#""container.id":"0123456789ab","container.name":null,"container.start_ts":1,{extra}"evt.arg.flags":"EXE_WRITABLE|EXE_UPPER_LAYER","evt.time":1728129802123456789,"evt.type":"execve","proc.aname[2]":null,"proc.cmdline":"x","proc.cwd":"/","proc.exe":"./x","proc.exe_ino.ctime":1,"proc.exe_ino.ctime_duration_proc_start":18446744073709551615,"proc.exe_ino.mtime":1,"proc.exepath":"/x","proc.name":"x","proc.pname":"sh","proc.sname":"sh","proc.tty":0,"user.loginuid":-1,"user.name":"root","user.uid":0"#
        );
        let text = "17:48:22.123456789: Critical Executing binary not part of base image (proc_exe=./x proc_sname=sh gparent=<NA> proc_exe_ino_ctime=1 proc_exe_ino_mtime=1 proc_exe_ino_ctime_duration_proc_start=18446744073709551615 proc_cwd=/ container_start_ts=1 evt_type=execve user=root user_uid=0 user_loginuid=-1 process=x proc_exepath=/x parent=sh command=x terminal=0 exe_flags=EXE_WRITABLE|EXE_UPPER_LAYER)";
        let hostname = nix::unistd::gethostname().expect("a host name");
        let line = format!(
            r#"{{"hostname":"{}","output":"{text}","output_fields":{{{fields}}},"priority":"Critical","rule":"{RULE}","source":"syscall","tags":{tags},"time":"{time}"}}"#,
            hostname.to_string_lossy()
        );
        Alert::parse(line.as_bytes()).expect("an alert")
    }

    const TIME: &str = "2024-10-05T12:03:22.123456789Z";
    const TAG_LIST: &str =
        r#"["PCI_DSS_11.5.1","TA0003","container","maturity_stable","mitre_persistence","process"]"#;

    #[test]
    fn a_good_alert_passes() {
        check(&alert(TIME, TAG_LIST, ""));
    }

    #[test]
    #[should_panic(expected = "2024-10-05T12:03:22")]
    fn a_time_that_differs_from_the_event_fails() {
        check(&alert("2024-10-05T12:03:23.123456789Z", TAG_LIST, ""));
    }

    #[test]
    #[should_panic(expected = "tags, sorted")]
    fn unsorted_tags_fail() {
        check(&alert(TIME, &TAG_LIST.replace("TA0003", "ZA"), ""));
    }

    #[test]
    #[should_panic(expected = "`drip.origin` is no field")]
    fn an_unknown_field_fails() {
        check(&alert(TIME, TAG_LIST, r#""drip.origin":"new","#));
    }

    #[test]
    #[should_panic(expected = "order or repetition")]
    fn unsorted_fields_fail() {
        check(&alert(TIME, TAG_LIST, r#""drop.origin":"new","drop.kind":"exec","#));
    }
}

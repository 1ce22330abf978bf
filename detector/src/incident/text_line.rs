//! Alerts as text: `<time>: <Priority> <message>`. The message of the stock rule is a row of `label=value`; values come
//! from attackers and may look like labels, so values are only taken out when there is one way to do so.

use chrono::DateTime;
use serde_json::Value;

use super::{Fields, PastAlert, Written};

/// Priorities as alerts write them.
const PRIORITIES: [&str; 8] =
    ["Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"];

/// How the stock rule's message begins.
const STOCK_MESSAGE: &str = "Executing binary not part of base image";

/// Labels of the stock rule's message, in order, with their fields.
const LABELS: [(&str, &str); 18] = [
    ("proc_exe", "proc.exe"),
    ("proc_sname", "proc.sname"),
    ("gparent", "proc.aname[2]"),
    ("proc_exe_ino_ctime", "proc.exe_ino.ctime"),
    ("proc_exe_ino_mtime", "proc.exe_ino.mtime"),
    ("proc_exe_ino_ctime_duration_proc_start", "proc.exe_ino.ctime_duration_proc_start"),
    ("proc_cwd", "proc.cwd"),
    ("container_start_ts", "container.start_ts"),
    ("evt_type", "evt.type"),
    ("user", "user.name"),
    ("user_uid", "user.uid"),
    ("user_loginuid", "user.loginuid"),
    ("process", "proc.name"),
    ("proc_exepath", "proc.exepath"),
    ("parent", "proc.pname"),
    ("command", "proc.cmdline"),
    ("terminal", "proc.tty"),
    ("exe_flags", "evt.arg.flags"),
];

/// What may follow, in the order of 0.40 (`-pc`, `-pk`) and of 0.41 and later.
const TAILS: [&[(&str, &str)]; 2] = [
    &[
        ("container_id", "container.id"),
        ("container_image", "container.image.repository"),
        ("container_image_tag", "container.image.tag"),
        ("container_name", "container.name"),
        ("k8s_ns", "k8s.ns.name"),
        ("k8s_pod_name", "k8s.pod.name"),
    ],
    &[
        ("container_id", "container.id"),
        ("container_name", "container.name"),
        ("container_image_repository", "container.image.repository"),
        ("container_image_tag", "container.image.tag"),
        ("k8s_pod_name", "k8s.pod.name"),
        ("k8s_ns_name", "k8s.ns.name"),
    ],
];

/// The alert of a line; `None` when it is none.
pub(super) fn read(text: &str, line: u64) -> Option<PastAlert> {
    let (time, priority, message) = split(text)?;
    let (written, fields) = values(message);
    let time_ns = time_ns(time);
    Some(PastAlert {
        written,
        line,
        time_ns,
        time_text: time_ns.is_none().then(|| time.to_owned()),
        hostname: None,
        rule: None,
        priority: Some(priority.to_owned()),
        source: None,
        tags: Vec::new(),
        output: Some(text.to_owned()),
        fields,
    })
}

/// Time, priority and message. A syslog daemon may have put something in front.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    PRIORITIES.iter().find_map(|priority| {
        let at = text.find(&format!(": {priority} "))?;
        let time = text[..at].rsplit(' ').next()?;
        let digits = time.bytes().filter(u8::is_ascii_digit).count();
        let plausible = digits >= 12
            && time
                .bytes()
                .all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'-' | b'+' | b'T' | b'Z'));
        plausible.then(|| (time, *priority, &text[at + priority.len() + 3..]))
    })
}

/// The message of an `output`: what follows time and priority, if they are there.
pub(super) fn message(output: &str) -> &str {
    split(output).map_or(output, |(_, _, message)| message)
}

/// A point in time in nanoseconds since the epoch, if it has a date.
pub(super) fn time_ns(text: &str) -> Option<u64> {
    let time = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .ok()?;
    u64::try_from(time.timestamp_nanos_opt()?).ok()
}

/// The values of the stock rule's message. Other messages have no layout that could be known.
pub(super) fn values(message: &str) -> (Written, Fields) {
    let Some(rest) = message.strip_prefix(STOCK_MESSAGE) else {
        return (Written::AmbiguousText, Fields::default());
    };
    let row = match (rest.strip_prefix(" | "), rest.strip_prefix(" (")) {
        (Some(row), _) => Some(row),
        (_, Some(row)) => row.strip_suffix(')'),
        _ => None,
    };
    match row.and_then(|row| TAILS.iter().find_map(|tail| take_apart(row, tail))) {
        Some(fields) => (Written::Text, fields),
        None => (Written::AmbiguousText, Fields::default()),
    }
}

/// `None` unless every label stands exactly once and in order.
fn take_apart(row: &str, tail: &[(&'static str, &'static str)]) -> Option<Fields> {
    let all: Vec<(&str, &str)> = LABELS.iter().chain(tail).copied().collect();
    let padded = format!(" {row}");
    let mut found: Vec<(usize, usize, &str)> = Vec::new();
    for (index, (label, field)) in all.iter().enumerate() {
        let wanted = format!(" {label}=");
        let mut places = padded.match_indices(&wanted);
        match (places.next(), places.next()) {
            (Some((at, _)), None) => found.push((at, at + wanted.len(), field)),
            (None, _) if index >= LABELS.len() => {}
            _ => return None,
        }
    }
    if found.windows(2).any(|pair| pair[0].0 >= pair[1].0) || found.first()?.0 != 0 {
        return None;
    }
    let mut fields = Fields::default();
    let ends: Vec<usize> = found.iter().skip(1).map(|next| next.0).chain([padded.len()]).collect();
    for ((_, start, field), end) in found.iter().zip(ends) {
        let value = padded.get(*start..end)?;
        fields.set(field, if value == "<NA>" { Value::Null } else { Value::from(value) });
    }
    // A label of the other tail inside a value means that this is not the layout.
    let foreign = TAILS.iter().flat_map(|tail| tail.iter()).any(|(label, _)| {
        !all.iter().any(|(known, _)| known == label) && padded.contains(&format!(" {label}="))
    });
    (!foreign).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::{super::Written, read};

    fn message(command: &str, tail: &str) -> String {
        format!(
            "proc_exe=./x proc_sname=sh gparent=containerd-shim proc_exe_ino_ctime=1728129802000000000 \
             proc_exe_ino_mtime=1728129802000000000 proc_exe_ino_ctime_duration_proc_start=100 proc_cwd=/tmp/ \
             container_start_ts=1728129700000000000 evt_type=execve user=root user_uid=0 user_loginuid=-1 process=x \
             proc_exepath=/tmp/x parent=sh command={command} terminal=34816 exe_flags=EXE_WRITABLE|EXE_UPPER_LAYER{tail}"
        )
    }

    #[test]
    fn the_three_layouts_of_the_stock_rule() {
        let row = message("x -a b", " container_id=0123456789ab container_name=web");
        let newest = message(
            "x -a b",
            " container_id=0123456789ab container_name=web container_image_repository=nginx container_image_tag=1 k8s_pod_name=<NA> k8s_ns_name=<NA>",
        );
        for line in [
            format!("14:03:22.123456789: Critical Executing binary not part of base image ({row})"),
            format!(
                "2024-10-05T12:03:22.123456789+0000: Critical Executing binary not part of base image | {row}"
            ),
            format!(
                "Oct  5 12:03:22 host falco[1]: 14:03:22.123456789: Critical Executing binary not part of base image | {newest}"
            ),
        ] {
            let alert = read(&line, 3).unwrap();
            assert_eq!(alert.written, Written::Text, "{line}");
            assert_eq!(alert.priority.as_deref(), Some("Critical"));
            assert_eq!(alert.fields.text("proc.cmdline"), Some("x -a b"));
            assert_eq!(alert.fields.text("container.name"), Some("web"));
            assert_eq!(alert.fields.signed("user.loginuid"), Some(-1));
            assert_eq!(alert.fields.text("k8s.pod.name"), None);
        }
        let iso = read("2024-10-05T12:03:22.123456789+0000: Critical x", 1).unwrap();
        assert_eq!(iso.time_ns, Some(1_728_129_802_123_456_789));
        let local = read("14:03:22.123456789: Critical x", 1).unwrap();
        assert_eq!((local.time_ns, local.time_text.as_deref()), (None, Some("14:03:22.123456789")));
    }

    #[test]
    fn a_value_that_looks_like_a_label_makes_all_values_unknown() {
        for command in [
            "x user=nobody",
            "x terminal=0 exe_flags=0 container_id=host",
            "x k8s_pod_name=a",
            "x container_name=a",
        ] {
            let row = message(command, " container_id=0123456789ab container_name=web");
            let line =
                format!("14:03:22.123456789: Critical Executing binary not part of base image | {row}");
            let alert = read(&line, 1).unwrap();
            assert_eq!(alert.written, Written::AmbiguousText, "{command}");
            assert!(alert.fields.all().is_empty(), "{command}");
        }
    }

    #[test]
    fn other_lines_are_no_alerts() {
        for line in ["", "hello", "Critical x", "a: Critical x", "Mon Oct 5 12:00:00 2024: Falco initialized"]
        {
            assert!(read(line, 1).is_none(), "{line}");
        }
    }
}

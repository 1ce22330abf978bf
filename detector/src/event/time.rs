//! Times as Falco writes them: always nine digits behind the second.

use chrono::{DateTime, Datelike, Local, TimeZone, Timelike, Utc};

fn utc(ns: u64) -> DateTime<Utc> {
    let seconds = i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX);
    let nanoseconds = u32::try_from(ns % 1_000_000_000).unwrap_or(0);
    DateTime::from_timestamp(seconds, nanoseconds).unwrap_or_default()
}

fn at_home(ns: u64) -> DateTime<Local> {
    Local.from_utc_datetime(&utc(ns).naive_utc())
}

// Put together by hand: alerts have up to three of these, and a format that is read anew each time is slower.

fn clock(time: &impl Timelike) -> String {
    format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())
}

fn exact_clock(time: &impl Timelike) -> String {
    format!("{:02}:{:02}:{:02}.{:09}", time.hour(), time.minute(), time.second(), time.nanosecond())
}

fn date(time: &impl Datelike) -> String {
    format!("{:04}-{:02}-{:02}", time.year(), time.month(), time.day())
}

/// `HH:MM:SS.nnnnnnnnn` in the local time zone.
#[must_use]
pub fn local(ns: u64) -> String {
    exact_clock(&at_home(ns))
}

/// `HH:MM:SS` in the local time zone.
#[must_use]
pub fn local_seconds(ns: u64) -> String {
    clock(&at_home(ns))
}

/// `YYYY-MM-DD HH:MM:SS.nnnnnnnnn` in the local time zone.
#[must_use]
pub fn date_time(ns: u64) -> String {
    let time = at_home(ns);
    format!("{} {}", date(&time), exact_clock(&time))
}

/// `YYYY-MM-DD HH:MM:SS` in the local time zone.
#[must_use]
pub fn date_time_seconds(ns: u64) -> String {
    let time = at_home(ns);
    format!("{} {}", date(&time), clock(&time))
}

/// `YYYY-MM-DDTHH:MM:SS.nnnnnnnnn+0000`, UTC.
#[must_use]
pub fn iso8601(ns: u64) -> String {
    let time = utc(ns);
    format!("{}T{}+0000", date(&time), exact_clock(&time))
}

/// `YYYY-MM-DDTHH:MM:SS.nnnnnnnnnZ`: the `time` of a JSON line.
#[must_use]
pub fn rfc3339(ns: u64) -> String {
    let time = utc(ns);
    format!("{}T{}Z", date(&time), exact_clock(&time))
}

#[cfg(test)]
mod tests {
    use super::{date_time, date_time_seconds, iso8601, local, local_seconds, rfc3339};

    #[test]
    fn local_forms_agree_with_each_other() {
        let ns = 1_728_129_802_000_000_007;
        assert_eq!(local(ns), format!("{}.000000007", local_seconds(ns)));
        assert_eq!(date_time(ns), format!("{}.000000007", date_time_seconds(ns)));
        assert!(date_time_seconds(ns).ends_with(&format!(" {}", local_seconds(ns))));
        assert_eq!(date_time_seconds(ns).len(), "2024-10-05 12:03:22".len());
    }

    #[test]
    fn nine_digits_always() {
        assert_eq!(rfc3339(1_728_129_802_000_000_007), "2024-10-05T12:03:22.000000007Z");
        assert_eq!(iso8601(1_728_129_802_120_000_000), "2024-10-05T12:03:22.120000000+0000");
    }
}

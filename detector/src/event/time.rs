//! Times as Falco writes them: always nine digits behind the second.

use chrono::{DateTime, Local, TimeZone, Utc};

fn utc(ns: u64) -> DateTime<Utc> {
    let seconds = i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX);
    let nanoseconds = u32::try_from(ns % 1_000_000_000).unwrap_or(0);
    DateTime::from_timestamp(seconds, nanoseconds).unwrap_or_default()
}

/// `HH:MM:SS.nnnnnnnnn` in the local time zone.
#[must_use]
pub fn local(ns: u64) -> String {
    Local.from_utc_datetime(&utc(ns).naive_utc()).format("%H:%M:%S%.9f").to_string()
}

/// `YYYY-MM-DDTHH:MM:SS.nnnnnnnnn+0000`, UTC.
#[must_use]
pub fn iso8601(ns: u64) -> String {
    utc(ns).format("%Y-%m-%dT%H:%M:%S%.9f+0000").to_string()
}

/// `YYYY-MM-DDTHH:MM:SS.nnnnnnnnnZ`: the `time` of a JSON line.
#[must_use]
pub fn rfc3339(ns: u64) -> String {
    utc(ns).format("%Y-%m-%dT%H:%M:%S%.9fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::{iso8601, rfc3339};

    #[test]
    fn nine_digits_always() {
        assert_eq!(rfc3339(1_728_129_802_000_000_007), "2024-10-05T12:03:22.000000007Z");
        assert_eq!(iso8601(1_728_129_802_120_000_000), "2024-10-05T12:03:22.120000000+0000");
    }
}

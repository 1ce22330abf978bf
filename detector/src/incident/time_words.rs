//! Times and spans as people say them.

/// A span of nanoseconds, two units at most.
#[must_use]
pub fn span(ns: u64) -> String {
    const MS: u64 = 1_000_000;
    const S: u64 = 1_000 * MS;
    match ns {
        0..MS => "less than 1 ms".to_owned(),
        MS..S => format!("{} ms", ns / MS),
        _ if ns < 60 * S => {
            let tenths = ns / (S / 10);
            if tenths.is_multiple_of(10) {
                format!("{} s", tenths / 10)
            } else {
                format!("{}.{} s", tenths / 10, tenths % 10)
            }
        }
        _ => {
            let seconds = ns / S;
            let two = |large: u64, unit: &str, rest: u64, small: &str| {
                if rest == 0 { format!("{large} {unit}") } else { format!("{large} {unit} {rest} {small}") }
            };
            match seconds {
                60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
                3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
                _ => {
                    let days = seconds / 86_400;
                    two(days, if days == 1 { "day" } else { "days" }, seconds % 86_400 / 3_600, "h")
                }
            }
        }
    }
}

/// `2024-10-05 12:03:22.123 UTC`
#[must_use]
pub fn moment(ns: u64) -> String {
    let full = crate::event::time::rfc3339(ns);
    format!("{} {} UTC", full.get(..10).unwrap_or_default(), full.get(11..23).unwrap_or_default())
}

/// `2024-10-05T12:03:22.123Z`, as HTML takes it.
#[must_use]
pub fn machine(ns: u64) -> String {
    format!("{}Z", crate::event::time::rfc3339(ns).get(..23).unwrap_or_default())
}

/// `12:03:22.123`
#[must_use]
pub fn clock(ns: u64) -> String {
    crate::event::time::rfc3339(ns).get(11..23).unwrap_or_default().to_owned()
}

/// `2024-10-05T12:03:22Z`, as command lines take it.
#[must_use]
pub fn argument(ns: u64) -> String {
    format!("{}Z", crate::event::time::rfc3339(ns).get(..19).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{argument, clock, moment, span};

    #[test]
    fn spans_have_two_units_at_most() {
        for (ns, expected) in [
            (0, "less than 1 ms"),
            (4_200_000, "4 ms"),
            (1_000_000_000, "1 s"),
            (2_340_000_000, "2.3 s"),
            (200_000_000_000, "3 min 20 s"),
            (7_500_000_000_000, "2 h 5 min"),
            (86_400_000_000_000, "1 day"),
            (400_000_000_000_000, "4 days 15 h"),
        ] {
            assert_eq!(span(ns), expected);
        }
    }

    #[test]
    fn moments() {
        let ns = 1_728_129_802_123_456_789;
        assert_eq!(moment(ns), "2024-10-05 12:03:22.123 UTC");
        assert_eq!((clock(ns).as_str(), argument(ns).as_str()), ("12:03:22.123", "2024-10-05T12:03:22Z"));
    }
}

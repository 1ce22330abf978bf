//! Times of the event. Where the text form is not the number, JSON shows the number.

use std::borrow::Cow;

use super::{Entry, ValueType};
use crate::event::{ExecEvent, Value, time};

const SECOND: u64 = 1_000_000_000;

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    time("evt.time", "time of the event, local, with nanoseconds", |event, _| {
        Some(shown(event, time::local))
    }),
    time("evt.time.s", "time of the event, local, without a fraction", |event, _| {
        Some(shown(event, time::local_seconds))
    }),
    time("evt.time.iso8601", "time of the event, UTC, ISO 8601 with nanoseconds", |event, _| {
        Some(shown(event, time::iso8601))
    }),
    time("evt.datetime", "date and time of the event, local, with nanoseconds", |event, _| {
        Some(shown(event, time::date_time))
    }),
    time("evt.datetime.s", "date and time of the event, local, without a fraction", |event, _| {
        Some(shown(event, time::date_time_seconds))
    }),
    Entry::unsigned("evt.rawtime", "time of the event, nanoseconds since the epoch", |event, _| {
        Some(Value::Unsigned(event.time_ns))
    }),
    Entry::unsigned("evt.rawtime.s", "time of the event, whole seconds since the epoch", |event, _| {
        Some(Value::Unsigned(event.time_ns / SECOND))
    }),
    Entry::unsigned("evt.rawtime.ns", "time of the event, nanoseconds behind the second", |event, _| {
        Some(fraction(event.time_ns))
    }),
    Entry::unsigned("evt.reltime", "nanoseconds since the first event", |event, _| {
        Some(Value::Unsigned(since_first(event)))
    }),
    Entry::unsigned("evt.reltime.s", "whole seconds since the first event", |event, _| {
        Some(Value::Unsigned(since_first(event) / SECOND))
    }),
    Entry::unsigned(
        "evt.reltime.ns",
        "fraction of the time since the first event, nanoseconds",
        |event, _| Some(fraction(since_first(event))),
    ),
    Entry::unsigned("evt.deltatime", "nanoseconds since the event before", |event, _| {
        Some(Value::Unsigned(since_previous(event)))
    }),
    Entry::unsigned("evt.deltatime.s", "whole seconds since the event before", |event, _| {
        Some(Value::Unsigned(since_previous(event) / SECOND))
    }),
    Entry::unsigned(
        "evt.deltatime.ns",
        "fraction of the time since the event before, nanoseconds",
        |event, _| Some(fraction(since_previous(event))),
    ),
    Entry::unsigned("evt.latency", "always 0: calls are seen when they return", |_, _| {
        Some(Value::Unsigned(0))
    })
    .deprecated(),
    Entry::unsigned("evt.latency.s", "always 0: calls are seen when they return", |_, _| {
        Some(Value::Unsigned(0))
    })
    .deprecated(),
    Entry::unsigned("evt.latency.ns", "always 0: calls are seen when they return", |_, _| {
        Some(Value::Unsigned(0))
    })
    .deprecated(),
    Entry::text("evt.latency.human", "always 0ns: calls are seen when they return", |_, _| {
        Some(Value::text("0ns"))
    })
    .deprecated(),
    Entry::unsigned("evt.wait_latency", "always 0: calls are seen when they return", |_, _| {
        Some(Value::Unsigned(0))
    })
    .deprecated(),
];

const fn time(name: &'static str, description: &'static str, extract: super::entry::Extract) -> Entry {
    Entry::new(name, ValueType::Time, description, extract)
}

fn shown(event: &ExecEvent, form: fn(u64) -> String) -> Value<'_> {
    Value::Time { ns: event.time_ns, text: Cow::Owned(form(event.time_ns)) }
}

/// The part below a second: padded with zeros in text, a plain number in JSON.
fn fraction(ns: u64) -> Value<'static> {
    let ns = ns % SECOND;
    Value::Time { ns, text: Cow::Owned(format!("{ns:09}")) }
}

/// The clock can be set back between two events.
fn since_first(event: &ExecEvent) -> u64 {
    event.time_ns.saturating_sub(event.stream.first_ns)
}

fn since_previous(event: &ExecEvent) -> u64 {
    event.time_ns.saturating_sub(event.stream.previous_ns)
}

#[cfg(test)]
mod tests {
    use crate::{
        event::{Value, example, time},
        rules::fields::{
            example::{assert_values, value},
            lookup,
        },
    };

    #[test]
    fn values_of_an_exec() {
        let ns = example::TIME_NS;
        assert_values(&[
            ("evt.time", &time::local(ns)),
            ("evt.time.s", &time::local_seconds(ns)),
            ("evt.time.iso8601", "2024-10-05T12:03:22.000456789+0000"),
            ("evt.datetime", &time::date_time(ns)),
            ("evt.datetime.s", &time::date_time_seconds(ns)),
            ("evt.rawtime", "1728129802000456789"),
            ("evt.rawtime.s", "1728129802"),
            ("evt.rawtime.ns", "000456789"),
            ("evt.reltime", "5000000001"),
            ("evt.reltime.s", "5"),
            ("evt.reltime.ns", "000000001"),
            ("evt.deltatime", "2000"),
            ("evt.deltatime.s", "0"),
            ("evt.deltatime.ns", "000002000"),
            ("evt.latency", "0"),
            ("evt.latency.s", "0"),
            ("evt.latency.ns", "0"),
            ("evt.latency.human", "0ns"),
            ("evt.wait_latency", "0"),
        ]);
    }

    #[test]
    fn times_are_numbers_whatever_their_text() {
        let event = example::exec();
        for name in ["evt.time", "evt.time.s", "evt.time.iso8601", "evt.datetime", "evt.datetime.s"] {
            let value = lookup(name).field().unwrap().extract(&event);
            assert!(matches!(value, Some(Value::Time { ns: example::TIME_NS, .. })), "{name}");
        }
        let fraction = lookup("evt.rawtime.ns").field().unwrap().extract(&event);
        assert!(matches!(fraction, Some(Value::Time { ns: 456_789, .. })));
    }

    #[test]
    fn a_clock_that_was_set_back_gives_no_negative_time() {
        let mut event = example::exec();
        event.stream.first_ns = event.time_ns + 1;
        assert_eq!(value(&event, "evt.reltime").as_deref(), Some("0"));
    }
}

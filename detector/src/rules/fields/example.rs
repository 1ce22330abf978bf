//! Checks of the values that fields have in an event.

use super::lookup;
use crate::event::{ExecEvent, example, lossy};

/// Text of a field's value; the field must exist.
pub(super) fn value(event: &ExecEvent, name: &str) -> Option<String> {
    let field = lookup(name).field().unwrap_or_else(|| panic!("{name} is not a field"));
    field.extract(event).map(|value| lossy(&value.to_text()).into_owned())
}

/// Whether the field has no value in this event.
pub(super) fn null_in(event: &ExecEvent, name: &str) -> bool {
    value(event, name).is_none()
}

/// Whether the field has no value in the example.
pub(super) fn null(name: &str) -> bool {
    null_in(&example::exec(), name)
}

/// Checks values in the example.
pub(super) fn assert_values(expected: &[(&str, &str)]) {
    let event = example::exec();
    for (name, expected) in expected {
        assert_eq!(value(&event, name).as_deref(), Some(*expected), "{name}");
    }
}

/// Checks that these have no value in the example.
pub(super) fn assert_null(names: &[&str]) {
    for name in names {
        assert!(null(name), "{name} has a value");
    }
}

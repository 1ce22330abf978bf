//! `static.*`: what the configuration says about the host (`static_fields`), the same in every event.

use super::{Argument, Entry, Takes};
use crate::event::Value;

/// Name of the field without the part that the configuration gives.
pub(super) const STATIC: &str = "static";

/// The family's entries.
pub(super) static FIELDS: &[Entry] =
    &[Entry::text(STATIC, "a field of the configuration's static_fields: static.NAME", |event, argument| {
        match argument {
            Argument::Name(name) => event.host.static_fields.get(name).map(Value::text),
            _ => None,
        }
    })
    .takes(Takes::Name)];

//! `user.*`: who.

use super::{Entry, Takes};
use crate::event::Value;

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry {
        name: "user.uid",
        takes: Takes::Nothing,
        description: "effective uid, as the host counts",
        extract: |event, _| Some(Value::Unsigned(event.credentials.euid.into())),
    },
    Entry {
        name: "user.name",
        takes: Takes::Nothing,
        description: "name of the effective uid",
        extract: |event, _| Some(Value::text(if event.credentials.euid == 0 { "root" } else { "<NA>" })),
    },
    Entry {
        name: "user.loginuid",
        takes: Takes::Nothing,
        description: "audit login uid, -1 when not set",
        extract: |event, _| {
            let uid = event.process.loginuid?;
            Some(Value::Signed(if uid == u32::MAX { -1 } else { uid.into() }))
        },
    },
];

//! `container.*` and `k8s.*`: where.

use super::{Entry, Takes};
use crate::event::Value;

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry {
        name: "container.id",
        takes: Takes::Nothing,
        description: "first 12 characters of the container's id; host for a process of the host",
        extract: |event, _| event.container.id.short().map(Value::owned),
    },
    Entry {
        name: "container.start_ts",
        takes: Takes::Nothing,
        description: "start of the pid namespace's first process, nanoseconds since the epoch",
        extract: |event, _| event.process.pidns_start_ns.map(Value::Unsigned),
    },
    Entry {
        name: "container.name",
        takes: Takes::Nothing,
        description: "name of the container",
        extract: |_, _| None,
    },
    Entry {
        name: "container.image.repository",
        takes: Takes::Nothing,
        description: "image without tag and digest",
        extract: |_, _| None,
    },
    Entry {
        name: "container.image.tag",
        takes: Takes::Nothing,
        description: "tag of the image",
        extract: |_, _| None,
    },
    Entry {
        name: "k8s.ns.name",
        takes: Takes::Nothing,
        description: "Kubernetes namespace",
        extract: |_, _| None,
    },
    Entry {
        name: "k8s.pod.name",
        takes: Takes::Nothing,
        description: "Kubernetes pod",
        extract: |_, _| None,
    },
];

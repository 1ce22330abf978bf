//! `k8s.*`: which pod.

use std::collections::BTreeMap;

use super::{Argument, Entry, Takes, ValueType};
use crate::event::{ExecEvent, Pod, Value};

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry::text("k8s.ns.name", "Kubernetes namespace of the pod", |event, _| {
        pod(event)?.namespace.as_ref().map(Value::text)
    }),
    Entry::text("k8s.pod.name", "name of the pod", |event, _| pod(event)?.name.as_ref().map(Value::text)),
    Entry::text("k8s.pod.uid", "unique id of the pod", |event, _| pod(event)?.uid.as_ref().map(Value::text))
        .alias(&["k8s.pod.id"]),
    Entry::text("k8s.pod.sandbox_id", "first 12 characters of the id of the pod's sandbox", |event, _| {
        let id = pod(event)?.sandbox_id.as_ref()?;
        Some(Value::text(id.get(..12).unwrap_or(id)))
    }),
    Entry::text("k8s.pod.full_sandbox_id", "whole id of the pod's sandbox", |event, _| {
        pod(event)?.sandbox_id.as_ref().map(Value::text)
    }),
    Entry::text("k8s.pod.label", "value of a label of the pod", |event, argument| {
        let Argument::Name(name) = argument else {
            return None;
        };
        pod(event)?.labels.as_ref()?.get(name).map(Value::text)
    })
    .takes(Takes::Name),
    Entry::text("k8s.pod.labels", "labels of the pod as name:value, joined by commas", |event, _| {
        pod(event)?.labels.as_ref().map(joined)
    }),
    Entry::text("k8s.pod.ip", "primary address of the pod", |event, _| {
        pod(event)?.ip.as_ref().map(Value::text)
    }),
    Entry::text("k8s.pod.cni.json", "what the network plugins answered for the pod, JSON", |event, _| {
        pod(event)?;
        event.container.facts()?.cni_json.as_ref().map(Value::text)
    }),
];

/// What needed a client of the Kubernetes server, which Falco had long ago.
pub(super) static DEPRECATED: &[Entry] = &[
    gone("k8s.ns.id"),
    gone("k8s.ns.label").takes(Takes::Name),
    gone("k8s.ns.labels"),
    gone("k8s.rc.name"),
    gone("k8s.rc.id"),
    gone("k8s.rc.label").takes(Takes::Name),
    gone("k8s.rc.labels"),
    gone("k8s.svc.name"),
    gone("k8s.svc.id"),
    gone("k8s.svc.label").takes(Takes::Name),
    gone("k8s.svc.labels"),
    gone("k8s.rs.name"),
    gone("k8s.rs.id"),
    gone("k8s.rs.label").takes(Takes::Name),
    gone("k8s.rs.labels"),
    gone("k8s.deployment.name"),
    gone("k8s.deployment.id"),
    gone("k8s.deployment.label").takes(Takes::Name),
    gone("k8s.deployment.labels"),
];

const fn gone(name: &'static str) -> Entry {
    Entry::never(name, ValueType::Text, "never has a value: kept for old rules").deprecated()
}

fn pod(event: &ExecEvent) -> Option<&Pod> {
    event.container.facts()?.pod.as_ref()
}

/// `name:value` each, joined by a comma and a space, without what Kubernetes notes for itself.
pub(super) fn joined(labels: &BTreeMap<String, String>) -> Value<'static> {
    let shown = labels
        .iter()
        .filter(|(name, _)| !name.starts_with("io.kubernetes.") && !name.starts_with("annotation."))
        .map(|(name, value)| format!("{name}:{value}"));
    Value::owned(shown.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{DEPRECATED, FIELDS};
    use crate::{
        event::example,
        rules::fields::{
            Takes,
            example::{assert_null, assert_values, null_in},
        },
    };

    #[test]
    fn values_of_a_known_pod() {
        assert_values(&[
            ("k8s.ns.name", "shop"),
            ("k8s.pod.name", "web-7"),
            ("k8s.pod.uid", "11-22"),
            ("k8s.pod.id", "11-22"),
            ("k8s.pod.sandbox_id", "0123456789ab"),
            ("k8s.pod.full_sandbox_id", "0123456789abcdef"),
            ("k8s.pod.label.app", "web"),
            ("k8s.pod.labels", "app:web"),
            ("k8s.pod.ip", "10.0.0.7"),
        ]);
        assert_null(&["k8s.pod.label.none", "k8s.pod.cni.json"]);
    }

    #[test]
    fn outside_of_a_pod_nothing_has_a_value() {
        let mut event = example::exec();
        let mut facts = event.container.facts().unwrap().clone();
        facts.pod = None;
        event.container.metadata.facts = Some(Arc::new(facts));
        for entry in FIELDS {
            let argument = if entry.takes == Takes::Name { "[app]" } else { "" };
            assert!(null_in(&event, &format!("{}{argument}", entry.name)), "{}", entry.name);
        }
    }

    #[test]
    fn old_fields_are_known_and_have_no_value() {
        let event = example::exec();
        for entry in DEPRECATED {
            let argument = if entry.takes == Takes::Name { "[app]" } else { "" };
            assert!(null_in(&event, &format!("{}{argument}", entry.name)), "{}", entry.name);
        }
    }
}

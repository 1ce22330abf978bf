//! `container.*`: where. A process of the host has its own word for most of it; of a container that nothing is known
//! about but its id there is no value, and what a container is known not to have is the empty text.

use std::borrow::Cow;

use super::{Argument, Entry, Takes, ValueType};
use crate::event::{ContainerId, ContainerMetadata, ExecEvent, Value};

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry::text(
        "container.id",
        "first 12 characters of the container's id; host for a process of the host",
        |event, _| event.container.id.short().map(id),
    ),
    Entry::text(
        "container.full_id",
        "the container's whole id; host for a process of the host",
        |event, _| event.container.id.full().map(id),
    ),
    Entry::text("container.name", "name of the container; host for a process of the host", |event, _| {
        on_host(event, "host", |facts| facts.name.as_deref())
    }),
    Entry::text(
        "container.type",
        "what runs the container: docker, podman, containerd, cri-o, ...; or host",
        |event, _| event.container.id.runtime_name().map(Value::text),
    ),
    Entry::text("container.image", "reference of the image as it was configured", |event, _| {
        on_host(event, "", |facts| facts.image.as_deref())
    }),
    Entry::text("container.image.id", "id of the image, hexadecimal", |event, _| {
        on_host(event, "", |facts| facts.image_id.as_deref())
    }),
    Entry::text("container.image.repository", "reference of the image without tag and digest", |event, _| {
        on_host(event, "", |facts| facts.image_repository.as_deref())
    }),
    Entry::text("container.image.tag", "tag of the image", |event, _| {
        on_host(event, "", |facts| facts.image_tag.as_deref())
    }),
    Entry::text("container.image.digest", "digest of the image's manifest", |event, _| {
        on_host(event, "", |facts| facts.image_digest.as_deref())
    }),
    Entry::bool("container.privileged", "whether the container runs with all privileges", |event, _| {
        truth(event, |facts| facts.privileged)
    }),
    Entry::text("container.ip", "primary IPv4 address of the container", |event, _| {
        on_host(event, "", |facts| facts.ip.as_deref())
    }),
    Entry::text("container.cni.json", "what the network plugins answered, JSON", |event, _| {
        on_host(event, "", |facts| facts.cni_json.as_deref())
    }),
    Entry::bool("container.host_pid", "whether the container shares the host's pid namespace", |event, _| {
        truth(event, |facts| facts.host_pid)
    }),
    Entry::bool("container.host_network", "whether the container shares the host's network namespace", {
        |event, _| truth(event, |facts| facts.host_network)
    }),
    Entry::bool("container.host_ipc", "whether the container shares the host's IPC namespace", |event, _| {
        truth(event, |facts| facts.host_ipc)
    }),
    Entry::text("container.label", "value of a label of the container", |event, argument| {
        let Argument::Name(name) = argument else {
            return None;
        };
        event.container.facts()?.labels.as_ref()?.get(name).map(Value::text)
    })
    .takes(Takes::Name),
    Entry::text("container.labels", "labels of the container as name:value, joined by commas", |event, _| {
        if is_host(event) {
            return Some(Value::text(""));
        }
        event.container.facts()?.labels.as_ref().map(super::kubernetes::joined)
    }),
    Entry::unsigned(
        "container.start_ts",
        "start of the pid namespace's first process, nanoseconds since the epoch; of the host its boot",
        |event, _| start(event).map(Value::Unsigned),
    ),
    Entry::unsigned("container.duration", "nanoseconds since container.start_ts", |event, _| {
        Some(Value::Unsigned(event.time_ns.saturating_sub(start(event)?)))
    }),
    Entry::never("container.healthcheck", ValueType::Text, "never has a value: kept for old rules")
        .deprecated(),
    Entry::never("container.liveness_probe", ValueType::Text, "never has a value: kept for old rules")
        .deprecated(),
    Entry::never("container.readiness_probe", ValueType::Text, "never has a value: kept for old rules")
        .deprecated(),
];

/// Borrowed where it can be: conditions ask for it in every event.
pub(super) fn id(text: Cow<'_, str>) -> Value<'_> {
    match text {
        Cow::Borrowed(text) => Value::text(text),
        Cow::Owned(text) => Value::owned(text),
    }
}

pub(super) fn is_host(event: &ExecEvent) -> bool {
    event.container.id == ContainerId::Host
}

fn on_host<'e>(
    event: &'e ExecEvent,
    host: &'static str,
    item: fn(&'e ContainerMetadata) -> Option<&'e str>,
) -> Option<Value<'e>> {
    if is_host(event) {
        return Some(Value::text(host));
    }
    item(event.container.facts()?).map(Value::text)
}

fn truth(event: &ExecEvent, item: fn(&ContainerMetadata) -> Option<bool>) -> Option<Value<'_>> {
    item(event.container.facts()?).map(Value::Bool)
}

fn start(event: &ExecEvent) -> Option<u64> {
    event.process.pidns_start_ns.filter(|start| *start != 0)
}

#[cfg(test)]
mod tests {
    use crate::{
        event::{Container, ContainerId, example},
        rules::fields::example::{assert_null, assert_values, null_in, value},
    };

    #[test]
    fn values_of_a_known_container() {
        assert_values(&[
            ("container.id", "3b2c1d4e5f60"),
            ("container.full_id", example::CONTAINER),
            ("container.name", "web"),
            ("container.type", "docker"),
            ("container.image", "registry.example/shop/web:1.2"),
            ("container.image.id", "6855583b1b19"),
            ("container.image.repository", "registry.example/shop/web"),
            ("container.image.tag", "1.2"),
            ("container.image.digest", ""),
            ("container.privileged", "false"),
            ("container.ip", "172.17.0.2"),
            ("container.host_pid", "false"),
            ("container.host_network", "true"),
            ("container.host_ipc", "false"),
            ("container.label.tier", "front"),
            ("container.label[tier]", "front"),
            ("container.labels", "owner:shop, tier:front"),
            ("container.start_ts", &(example::TIME_NS - 752_631_383).to_string()),
            ("container.duration", "752631383"),
        ]);
        assert_null(&[
            "container.cni.json",
            "container.label.none",
            "container.healthcheck",
            "container.liveness_probe",
            "container.readiness_probe",
        ]);
    }

    const OF_METADATA: [&str; 14] = [
        "container.name",
        "container.image",
        "container.image.id",
        "container.image.repository",
        "container.image.tag",
        "container.image.digest",
        "container.privileged",
        "container.ip",
        "container.cni.json",
        "container.host_pid",
        "container.host_network",
        "container.host_ipc",
        "container.label.tier",
        "container.labels",
    ];

    #[test]
    fn without_metadata_only_the_id_is_known() {
        let mut event = example::exec();
        event.container.metadata.facts = None;
        assert_eq!(value(&event, "container.id").as_deref(), Some("3b2c1d4e5f60"));
        for name in OF_METADATA {
            assert!(null_in(&event, name), "{name}");
        }
    }

    #[test]
    fn a_process_of_the_host() {
        let mut event = example::exec();
        event.container = Container { id: ContainerId::Host, ..Container::default() };
        for name in ["container.id", "container.full_id", "container.name", "container.type"] {
            assert_eq!(value(&event, name).as_deref(), Some("host"), "{name}");
        }
        for name in ["container.image", "container.image.repository", "container.ip", "container.labels"] {
            assert_eq!(value(&event, name).as_deref(), Some(""), "{name}");
        }
        for name in ["container.privileged", "container.host_pid", "container.label.tier"] {
            assert!(null_in(&event, name), "{name}");
        }
        assert!(!null_in(&event, "container.start_ts"));
    }

    #[test]
    fn what_could_not_be_told_has_no_value() {
        let mut event = example::exec();
        event.container = Container::default();
        event.process.pidns_start_ns = Some(0);
        for name in ["container.type", "container.start_ts", "container.duration"] {
            assert!(null_in(&event, name), "{name}");
        }
    }

    #[test]
    fn a_container_that_could_not_be_told_is_unknown_and_not_the_host() {
        let mut event = example::exec();
        event.container = Container::default();
        for name in ["container.id", "container.full_id"] {
            assert!(!null_in(&event, name), "{name}: null would read as innocent in `container.id != host`");
        }
    }
}

//! Which container a process is in: what the record tells, and what enrichment adds.

use serde::{Deserialize, Serialize};

mod image_reference;
mod metadata;
mod runtime;

use std::borrow::Cow;

pub use image_reference::ImageReference;
pub use metadata::{ContainerMetadata, Healthcheck, Metadata, MetadataState, MissingReason, Mount, Pod};
pub use runtime::Runtime;

/// A cgroup path and the hierarchy it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroup {
    /// Name of the hierarchy: empty for the unified one, else the controller (`cpuset`, `memory`, ...).
    pub controller: &'static str,
    /// The path as the host sees it, with a leading `/`.
    pub path: Vec<u8>,
    /// Whether the walk reached the top of the hierarchy.
    pub complete: bool,
}

/// The cgroups of a process, the unified hierarchy first; missing ones could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cgroups(pub Vec<Cgroup>);

/// Whose process it is.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ContainerId {
    /// A process of the host.
    Host,
    /// The container's id as its runtime names it.
    Named {
        /// The whole id.
        id: String,
        /// Who gave it.
        runtime: Runtime,
    },
    /// In namespaces and on a root file system of its own, but nothing tells an id: the number of its mount namespace
    /// stands for it.
    Namespace(u32),
    /// Not looked at yet, or could not be told.
    #[default]
    Unknown,
}

impl ContainerId {
    /// A container by its full id.
    #[must_use]
    pub fn named(id: impl Into<String>, runtime: Runtime) -> Self {
        Self::Named { id: id.into(), runtime }
    }

    /// `container.id`: the first 12 characters (the whole name where ids are names), `host`, or `mnt` and the
    /// namespace number for a container that no runtime has named. Always has a value: rules tell containers by
    /// `container.id != host`, and a missing value would make what could not be told innocent.
    #[must_use]
    pub fn short(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Host => Some("host".into()),
            // A container may not pass for the host by its name.
            Self::Named { id, .. } if id == "host" => Some("named:host".into()),
            Self::Named { id, runtime } if runtime.shortens_ids() => Some(first_12(id).into()),
            Self::Named { id, .. } => Some(id.into()),
            Self::Namespace(number) => Some(format!("mnt-{number:08x}").into()),
            Self::Unknown => Some("unknown".into()),
        }
    }

    /// `container.full_id`.
    #[must_use]
    pub fn full(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Named { id, .. } => Some(id.into()),
            other => other.short(),
        }
    }

    /// `container.type`.
    #[must_use]
    pub const fn runtime_name(&self) -> Option<&'static str> {
        match self {
            Self::Host => Some("host"),
            Self::Named { runtime, .. } => Some(runtime.name()),
            Self::Namespace(_) => Some(""),
            Self::Unknown => None,
        }
    }
}

/// The first 12 characters.
fn first_12(id: &str) -> &str {
    id.char_indices().nth(12).map_or(id, |(end, _)| &id[..end])
}

/// The container of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its identity.
    pub id: ContainerId,
    /// What its runtime says about it.
    pub metadata: Metadata,
}

impl Container {
    /// What is known beyond the id.
    #[must_use]
    pub fn facts(&self) -> Option<&ContainerMetadata> {
        self.metadata.facts.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::{ContainerId, Runtime};

    #[test]
    fn ids_are_cut_to_12_characters_but_names_are_not() {
        let id = "3b2c1d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff001";
        let docker = ContainerId::named(id, Runtime::Docker);
        assert_eq!(docker.short().as_deref(), Some("3b2c1d4e5f60"));
        assert_eq!(docker.full().as_deref(), Some(id));
        let lxc = ContainerId::named("a-long-name-of-a-container", Runtime::Lxc);
        assert_eq!(lxc.short().as_deref(), Some("a-long-name-of-a-container"));
    }

    #[test]
    fn the_host_is_not_a_container_and_unknown_is_neither() {
        assert_eq!(ContainerId::Host.short().as_deref(), Some("host"));
        assert_eq!(ContainerId::Host.runtime_name(), Some("host"));
        assert_eq!(ContainerId::Unknown.short().as_deref(), Some("unknown"));
        assert_eq!(ContainerId::named("host", Runtime::Lxc).short().as_deref(), Some("named:host"));
        assert_eq!(ContainerId::Namespace(0xf000_0001).short().as_deref(), Some("mnt-f0000001"));
    }
}

//! What is known about a container beyond its id, and whether that is all there is to know.

use std::{collections::BTreeMap, fmt, sync::Arc};

use super::Runtime;

/// A container as its runtime describes it. `None` = not known; an empty text or list = known to be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerMetadata {
    /// Full id.
    pub id: String,
    /// Who runs it.
    pub runtime: Runtime,
    /// Name without a leading `/`; under Kubernetes the container's name in the pod.
    pub name: Option<String>,
    /// Image reference as configured; may be an id.
    pub image: Option<String>,
    /// Id of the image's configuration, hexadecimal, without `sha256:`.
    pub image_id: Option<String>,
    /// Image reference without tag and digest.
    pub image_repository: Option<String>,
    /// Tag of the image.
    pub image_tag: Option<String>,
    /// `sha256:…` of the image's manifest.
    pub image_digest: Option<String>,
    /// Runs with all privileges.
    pub privileged: Option<bool>,
    /// Mounts that were asked for.
    pub mounts: Option<Vec<Mount>>,
    /// Labels; long ones are left out, see `cut_labels`.
    pub labels: Option<BTreeMap<String, String>>,
    /// Labels that were left out because they or all of them together were too long.
    pub cut_labels: usize,
    /// Primary IPv4 address; empty for a container without one.
    pub ip: Option<String>,
    /// When it was started, or created where that is all that is known; nanoseconds since the epoch.
    pub started_ns: Option<u64>,
    /// The health check.
    pub healthcheck: Option<Healthcheck>,
    /// Shares the pid namespace of the host.
    pub host_pid: Option<bool>,
    /// Shares the network namespace of the host.
    pub host_network: Option<bool>,
    /// Shares the IPC namespace of the host.
    pub host_ipc: Option<bool>,
    /// Result of the network plugins (CRI), JSON.
    pub cni_json: Option<String>,
    /// The Kubernetes pod; `None` where the container is in none.
    pub pod: Option<Pod>,
    /// First process, as the host counts.
    pub init_pid: Option<u32>,
}

/// A mount of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// Path on the host, or name of the volume.
    pub source: String,
    /// Path in the container.
    pub destination: String,
    /// Mode as written by the user (`z`, `ro`).
    pub mode: String,
    /// Writable.
    pub writable: bool,
    /// Propagation (`rprivate`).
    pub propagation: String,
}

impl fmt::Display for Mount {
    /// `source:dest:mode:rdrw:propagation`, as in `container.mounts`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, destination, mode, writable, propagation } = self;
        write!(f, "{source}:{destination}:{mode}:{writable}:{propagation}")
    }
}

/// The health check of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Healthcheck {
    /// There is none.
    None,
    /// The command, argument by argument.
    Command(Vec<String>),
}

/// The Kubernetes pod of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Name.
    pub name: Option<String>,
    /// Kubernetes namespace.
    pub namespace: Option<String>,
    /// Unique id.
    pub uid: Option<String>,
    /// Full id of the sandbox.
    pub sandbox_id: Option<String>,
    /// Labels of the pod.
    pub labels: Option<BTreeMap<String, String>>,
    /// Primary address.
    pub ip: Option<String>,
}

/// How much of a container's metadata an event has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MetadataState {
    /// Nobody has looked yet.
    #[default]
    Pending,
    /// All that its runtime can tell.
    Complete,
    /// Something is missing.
    Partial {
        /// Names of the missing items; empty = all of them.
        missing: Vec<&'static str>,
        /// Why.
        why: MissingReason,
    },
}

/// Why metadata is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MissingReason {
    /// It did not come within the bound that an alert waits.
    Timeout,
    /// Too many alerts were waiting already.
    Overflow,
    /// No runtime on this host knows the container.
    NotFound,
    /// A container that no runtime has named.
    Unnamed,
    /// A runtime's socket or files could not be read.
    Unreadable,
    /// A runtime answered what cannot be understood.
    Garbage,
    /// An answer was longer than its bound.
    TooLarge,
    /// The source that answered does not have these items.
    Source,
}

impl MissingReason {
    /// The word that users see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Overflow => "overflow",
            Self::NotFound => "not_found",
            Self::Unnamed => "unnamed",
            Self::Unreadable => "unreadable",
            Self::Garbage => "garbage",
            Self::TooLarge => "too_large",
            Self::Source => "source",
        }
    }
}

/// What an event carries: the facts, shared by all events of a container, and how complete they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// What is known.
    pub facts: Option<Arc<ContainerMetadata>>,
    /// Whether that is all.
    pub state: MetadataState,
}

impl Metadata {
    /// Nothing is known, and why.
    #[must_use]
    pub fn missing(why: MissingReason) -> Self {
        Self { facts: None, state: MetadataState::Partial { missing: Vec::new(), why } }
    }
}

impl fmt::Display for MetadataState {
    /// `drop.metadata`: `complete`, `partial:REASON`, or `partial:REASON:ITEM,ITEM` when only these are missing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending => f.write_str("partial:pending"),
            Self::Complete => f.write_str("complete"),
            Self::Partial { missing, why } if missing.is_empty() => write!(f, "partial:{}", why.name()),
            Self::Partial { missing, why } => write!(f, "partial:{}:{}", why.name(), missing.join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Metadata, MetadataState, MissingReason, Mount};

    #[test]
    fn the_state_says_what_is_missing_and_why() {
        assert_eq!(MetadataState::Complete.to_string(), "complete");
        assert_eq!(Metadata::missing(MissingReason::Timeout).state.to_string(), "partial:timeout");
        let some = MetadataState::Partial { missing: vec!["ip", "labels"], why: MissingReason::Source };
        assert_eq!(some.to_string(), "partial:source:ip,labels");
    }

    #[test]
    fn a_mount_is_written_as_falco_does() {
        let mount = Mount {
            source: "/proc".into(),
            destination: "/host/proc".into(),
            mode: "ro".into(),
            writable: false,
            propagation: "rprivate".into(),
        };
        assert_eq!(mount.to_string(), "/proc:/host/proc:ro:false:rprivate");
    }
}

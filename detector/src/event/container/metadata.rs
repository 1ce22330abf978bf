//! What is known about a container beyond its id, and whether that is all there is to know.

use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

use super::{ImageReference, Runtime};

/// A container as its runtime describes it. `None` = not known; an empty text or list = known to be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

impl ContainerMetadata {
    /// A container of which only this is known.
    #[must_use]
    pub fn new(id: impl Into<String>, runtime: Runtime) -> Self {
        Self { id: id.into(), runtime, ..Self::default() }
    }

    /// Sets the image as it was written, and what can be read from that: its repository, tag and digest, or its id.
    /// What is known already (from a better source) stays.
    pub fn set_image(&mut self, written: &str) {
        self.image = Some(written.to_owned());
        match ImageReference::parse(written) {
            Some(ImageReference::Name { repository, tag, digest }) => {
                self.image_repository.get_or_insert_with(|| repository.to_owned());
                if let Some(tag) = tag {
                    self.image_tag.get_or_insert_with(|| tag.to_owned());
                }
                if let Some(digest) = digest {
                    self.image_digest.get_or_insert_with(|| digest.to_owned());
                }
            }
            Some(ImageReference::Id(id)) => {
                self.image_id.get_or_insert_with(|| id.to_owned());
            }
            None => {}
        }
    }

    /// Takes over what is known by `other` and not here.
    pub fn fill_from(&mut self, other: Self) {
        fn fill<T>(here: &mut Option<T>, there: Option<T>) {
            if here.is_none() {
                *here = there;
            }
        }
        if matches!(self.runtime, Runtime::Unknown | Runtime::Cri) && other.runtime != Runtime::Unknown {
            self.runtime = other.runtime;
        }
        fill(&mut self.name, other.name);
        fill(&mut self.image, other.image);
        fill(&mut self.image_id, other.image_id);
        fill(&mut self.image_repository, other.image_repository);
        fill(&mut self.image_tag, other.image_tag);
        fill(&mut self.image_digest, other.image_digest);
        fill(&mut self.privileged, other.privileged);
        fill(&mut self.mounts, other.mounts);
        if self.labels.is_none() {
            self.cut_labels = other.cut_labels;
        }
        fill(&mut self.labels, other.labels);
        fill(&mut self.ip, other.ip);
        fill(&mut self.started_ns, other.started_ns);
        fill(&mut self.healthcheck, other.healthcheck);
        fill(&mut self.host_pid, other.host_pid);
        fill(&mut self.host_network, other.host_network);
        fill(&mut self.host_ipc, other.host_ipc);
        fill(&mut self.cni_json, other.cni_json);
        fill(&mut self.init_pid, other.init_pid);
        match (&mut self.pod, other.pod) {
            (Some(here), Some(there)) => {
                fill(&mut here.name, there.name);
                fill(&mut here.namespace, there.namespace);
                fill(&mut here.uid, there.uid);
                fill(&mut here.sandbox_id, there.sandbox_id);
                fill(&mut here.labels, there.labels);
                fill(&mut here.ip, there.ip);
            }
            (here, there) => fill(here, there),
        }
    }

    /// The items that its runtime keeps of each container and that are not known here, by the names of their fields.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        use Runtime::{Bpm, Containerd, Cri, CriO, Docker, LibvirtLxc, Lxc, Nspawn, Oci, Podman, Unknown};
        let engine = matches!(self.runtime, Docker | Podman | Containerd | Cri | CriO);
        // These keep no images, labels or mounts in this sense: a name is all there is.
        let bare = matches!(self.runtime, Lxc | LibvirtLxc | Nspawn | Bpm | Oci | Unknown);
        let mut missing = Vec::new();
        let mut need = |absent: bool, name| {
            if absent {
                missing.push(name);
            }
        };
        need(self.name.is_none(), "name");
        if bare {
            return missing;
        }
        need(self.image.is_none(), "image");
        need(self.image_id.is_none() && !matches!(self.runtime, Containerd), "image.id");
        need(self.image_repository.is_none(), "image.repository");
        need(self.image_tag.is_none(), "image.tag");
        need(self.image_digest.is_none(), "image.digest");
        need(engine && self.privileged.is_none(), "privileged");
        need(self.mounts.is_none(), "mounts");
        need(self.labels.is_none(), "labels");
        need(self.ip.is_none(), "ip");
        if let Some(pod) = &self.pod {
            need(pod.name.is_none(), "pod.name");
            need(pod.namespace.is_none(), "pod.namespace");
            need(pod.uid.is_none(), "pod.uid");
            need(pod.sandbox_id.is_none(), "pod.sandbox_id");
            need(pod.labels.is_none(), "pod.labels");
        } else {
            need(matches!(self.runtime, Cri | CriO), "pod");
        }
        missing
    }

    /// The state that follows from what is missing; `why` says why it is.
    #[must_use]
    pub fn state(&self, why: MissingReason) -> MetadataState {
        let missing: Vec<Cow<'static, str>> = self.missing().into_iter().map(Cow::Borrowed).collect();
        if missing.is_empty() { MetadataState::Complete } else { MetadataState::Partial { missing, why } }
    }
}

/// A mount of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Healthcheck {
    /// There is none.
    None,
    /// The command, argument by argument.
    Command(Vec<String>),
}

/// The Kubernetes pod of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MetadataState {
    /// Nobody has looked yet.
    #[default]
    Pending,
    /// All that its runtime can tell.
    Complete,
    /// Something is missing.
    Partial {
        /// Names of the missing items; empty = all of them.
        missing: Vec<Cow<'static, str>>,
        /// Why.
        why: MissingReason,
    },
}

/// Why metadata is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    use super::{ContainerMetadata, Metadata, MetadataState, MissingReason, Mount, Pod};
    use crate::event::Runtime;

    #[test]
    fn an_image_gives_what_can_be_read_from_it() {
        let mut container = ContainerMetadata::new("x", Runtime::Docker);
        container.set_image("registry.example:5000/a/b:1");
        assert_eq!(container.image_repository.as_deref(), Some("registry.example:5000/a/b"));
        assert_eq!(container.image_tag.as_deref(), Some("1"));
        assert_eq!(container.image_digest, None);
        let mut by_id = ContainerMetadata::new("x", Runtime::Docker);
        by_id.set_image("sha256:3b2c1d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff001");
        assert!(by_id.image_id.is_some_and(|id| id.starts_with("3b2c")));
        assert_eq!(by_id.image_repository, None);
    }

    #[test]
    fn a_second_source_fills_gaps_and_changes_nothing() {
        let mut first = ContainerMetadata::new("x", Runtime::Cri);
        first.name = Some("web".into());
        first.pod = Some(Pod { name: Some("web-1".into()), ..Pod::default() });
        let mut second = ContainerMetadata::new("x", Runtime::Containerd);
        second.name = Some("other".into());
        second.ip = Some("192.0.2.1".into());
        second.pod =
            Some(Pod { name: Some("other".into()), namespace: Some("shop".into()), ..Pod::default() });
        first.fill_from(second);
        assert_eq!((first.name.as_deref(), first.ip.as_deref()), (Some("web"), Some("192.0.2.1")));
        assert_eq!(first.runtime, Runtime::Containerd);
        let pod = first.pod.unwrap();
        assert_eq!((pod.name.as_deref(), pod.namespace.as_deref()), (Some("web-1"), Some("shop")));
    }

    #[test]
    fn complete_means_all_that_the_runtime_keeps() {
        let mut lxc = ContainerMetadata::new("web", Runtime::Lxc);
        assert_eq!(lxc.state(MissingReason::Source).to_string(), "partial:source:name");
        lxc.name = Some("web".into());
        assert_eq!(lxc.state(MissingReason::Source), MetadataState::Complete);
        let docker = ContainerMetadata::new("x", Runtime::Docker);
        let missing = docker.missing();
        for item in ["name", "image", "image.digest", "privileged", "mounts", "labels", "ip"] {
            assert!(missing.contains(&item), "{item}");
        }
        assert!(ContainerMetadata::new("x", Runtime::CriO).missing().contains(&"pod"));
        assert!(!missing.contains(&"pod"));
    }

    #[test]
    fn the_state_says_what_is_missing_and_why() {
        assert_eq!(MetadataState::Complete.to_string(), "complete");
        assert_eq!(Metadata::missing(MissingReason::Timeout).state.to_string(), "partial:timeout");
        let some = MetadataState::Partial {
            missing: vec!["ip".into(), "labels".into()],
            why: MissingReason::Source,
        };
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

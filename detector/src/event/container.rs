//! Which container a process is in: what the record tells, and what enrichment adds.

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
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum ContainerId {
    /// A process of the host.
    Host,
    /// The container's id as its runtime names it, from the cgroup.
    Named(String),
    /// In namespaces and on a root file system of its own, but no cgroup name tells an id: the number of its mount
    /// namespace stands for it.
    Namespace(u32),
    /// Not looked at yet, or could not be told.
    #[default]
    Unknown,
}

impl ContainerId {
    /// `container.id`: the first 12 characters, `host`, or `mnt` and the namespace number for a container that no
    /// runtime has named.
    #[must_use]
    pub fn short(&self) -> Option<String> {
        match self {
            Self::Host => Some("host".to_owned()),
            Self::Named(id) => Some(id.chars().take(12).collect()),
            Self::Namespace(number) => Some(format!("mnt-{number:08x}")),
            Self::Unknown => None,
        }
    }
}

/// The container of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// Its identity.
    pub id: ContainerId,
}

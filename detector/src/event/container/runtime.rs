//! What makes and runs containers: the value of `container.type`.

use serde::{Deserialize, Serialize};

/// The engine that a container belongs to, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Runtime {
    /// Docker or something that names its cgroups like it.
    Docker,
    /// Podman, root or rootless.
    Podman,
    /// A Kubernetes runtime, but it is not known which.
    Cri,
    /// containerd, by CRI, ctr or nerdctl.
    Containerd,
    /// CRI-O.
    CriO,
    /// LXC, LXD, Incus.
    Lxc,
    /// libvirt's LXC driver.
    LibvirtLxc,
    /// systemd-nspawn and what machinectl starts.
    Nspawn,
    /// BOSH process manager.
    Bpm,
    /// runc, crun or youki without an engine above it.
    Oci,
    /// A container, but nothing tells by whom.
    #[default]
    Unknown,
}

impl Runtime {
    /// The word that users see. Falco's where Falco has one; `""` for a container of unknown make, as there.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Cri => "cri",
            Self::Containerd => "containerd",
            Self::CriO => "cri-o",
            Self::Lxc => "lxc",
            Self::LibvirtLxc => "libvirt-lxc",
            Self::Nspawn => "systemd-nspawn",
            Self::Bpm => "bpm",
            Self::Oci => "oci",
            Self::Unknown => "",
        }
    }

    /// Whether `container.id` shows the first 12 characters of an id. The others name containers by words that people
    /// chose, which Falco shows whole.
    #[must_use]
    pub const fn shortens_ids(self) -> bool {
        !matches!(self, Self::Lxc | Self::LibvirtLxc | Self::Nspawn | Self::Bpm)
    }
}

//! What is booted: a kernel and the kind of guest around it, as a person types it and as the whole matrix has it.
use std::fmt;
use std::str::FromStr;

use anyhow::{Result, bail};

use super::kernel_choice::Wanted;
use super::machine::{self, Machine};

/// One machine of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(super) kernel: Wanted,
    pub(super) kind: Kind,
}

/// How the guest differs from a plain one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// runc, and no engine above it.
    Plain,
    /// A Docker engine as well.
    Docker,
    /// The kernel is locked down for confidentiality: the agent cannot start, and must say why.
    LockedDown,
    /// `bpf` is among the active security modules, where Debian does not switch it on.
    BpfLsm,
    /// `bpf` is not among them, where Debian switches it on: BPF LSM programs load there, and never run.
    NoBpfLsm,
    /// Another processor; runc, and no engine above it.
    Arm64,
}

const fn series(major: u32, minor: u32, kind: Kind) -> Target {
    Target { kernel: Wanted::Series(major, minor), kind }
}

/// The kernels that users run: long-term ones of the distributions since 5.10, and what comes next.
pub(super) const ALL: [Target; 9] = [
    series(5, 10, Kind::Plain),
    series(6, 1, Kind::Plain),
    series(6, 12, Kind::Docker),
    series(6, 18, Kind::Plain),
    Target { kernel: Wanted::Newest, kind: Kind::Plain },
    series(6, 12, Kind::LockedDown),
    series(5, 10, Kind::BpfLsm),
    series(6, 12, Kind::NoBpfLsm),
    series(6, 12, Kind::Arm64),
];

impl Kind {
    const NAMED: [Self; 5] = [Self::Docker, Self::LockedDown, Self::BpfLsm, Self::NoBpfLsm, Self::Arm64];

    /// What stands behind the kernel; nothing for a plain guest.
    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Docker => "docker",
            Self::LockedDown => "lockdown",
            Self::BpfLsm => "bpf-lsm",
            Self::NoBpfLsm => "no-bpf-lsm",
            Self::Arm64 => "arm64",
        }
    }

    /// The machine that is emulated.
    pub(super) const fn machine(self) -> &'static Machine {
        match self {
            Self::Arm64 => &machine::ARM64,
            Self::Plain | Self::Docker | Self::LockedDown | Self::BpfLsm | Self::NoBpfLsm => &machine::AMD64,
        }
    }

    /// Kernel parameters of this kind alone.
    pub(super) const fn parameters(self) -> &'static str {
        match self {
            Self::Plain | Self::Arm64 => "",
            // With AppArmor switched on, Docker wants its compiler of profiles.
            Self::Docker => "apparmor=0",
            Self::LockedDown => "lockdown=confidentiality",
            Self::BpfLsm => "lsm=lockdown,capability,yama,bpf",
            Self::NoBpfLsm => "lsm=lockdown,capability,yama",
        }
    }

    /// Megabytes: an engine's programs lie in memory, too.
    pub(super) const fn memory(self) -> u32 {
        match self {
            Self::Docker => 3072,
            Self::Plain | Self::LockedDown | Self::BpfLsm | Self::NoBpfLsm | Self::Arm64 => 1024,
        }
    }

    /// The programs that its guest has: runtimes, engines, and what images are made with. Cases that
    /// need another one do not run there.
    pub(super) const fn has(self) -> &'static [&'static str] {
        match self {
            // `true` is there for its dynamic loader and its library.
            Self::Docker => {
                &["true", "runc", "dockerd", "docker", "containerd", "containerd-shim-runc-v2", "tar"]
            }
            Self::Plain | Self::BpfLsm | Self::NoBpfLsm | Self::Arm64 => &["true", "runc"],
            // Nothing runs there that could be a container.
            Self::LockedDown => &[],
        }
    }

    /// Whether the agent can start there.
    pub(super) const fn agent_starts(self) -> bool {
        !matches!(self, Self::LockedDown)
    }

    /// Whether it is booted for its security modules alone.
    pub(super) const fn is_about_security_modules(self) -> bool {
        matches!(self, Self::BpfLsm | Self::NoBpfLsm)
    }

    /// What is wrong with a guest of this kind that came up with these security modules and this lockdown: a parameter
    /// that the kernel does not take must not pass for one that changes nothing.
    pub(super) fn not_as_meant(self, modules: &str, lockdown: &str) -> Option<String> {
        let has_bpf = modules.split(',').any(|module| module == "bpf");
        let is_meant = match self {
            Self::LockedDown => lockdown == "confidentiality",
            Self::BpfLsm => has_bpf,
            Self::NoBpfLsm => !has_bpf && modules != "-",
            Self::Plain | Self::Docker | Self::Arm64 => true,
        };
        (!is_meant).then(|| {
            format!("`{}` had no effect: security modules {modules}, lockdown {lockdown}", self.parameters())
        })
    }
}

impl Target {
    /// The name under which the verifier's figures are kept: what differs there is the kernel and the processor.
    pub(super) fn budget(&self) -> String {
        match self.kind {
            // Programs that live on other hooks than those of the plain guest's.
            Kind::Arm64 | Kind::BpfLsm | Kind::NoBpfLsm => self.to_string(),
            Kind::Plain | Kind::Docker | Kind::LockedDown => self.kernel.to_string(),
        }
    }

    /// Whether it is the oldest kernel, the newest, or the one between that stands for the others.
    pub(super) fn is_end_or_middle(&self) -> bool {
        match self.kind {
            Kind::Docker => true,
            Kind::Plain => {
                ALL.first().is_some_and(|oldest| oldest.kernel == self.kernel)
                    || self.kernel == Wanted::Newest
            }
            Kind::LockedDown | Kind::BpfLsm | Kind::NoBpfLsm | Kind::Arm64 => false,
        }
    }

    /// Whether it takes longer than most.
    pub(super) fn is_long(&self) -> bool {
        self.is_end_or_middle()
    }

    /// The machines of which the verifier's figures are kept: each kernel and processor once.
    pub(super) fn with_figures() -> Vec<Self> {
        let starts = ALL.into_iter().filter(|target| target.kind.agent_starts());
        starts
            .map(|target| match target.kind {
                Kind::Docker => Self { kind: Kind::Plain, ..target },
                _ => target,
            })
            .collect()
    }
}

impl FromStr for Target {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (kernel, kind) = text.split_once('/').unwrap_or((text, ""));
        let kernel = kernel.parse()?;
        if kind.is_empty() && !text.contains('/') {
            return Ok(Self { kernel, kind: Kind::Plain });
        }
        match Kind::NAMED.into_iter().find(|known| known.name() == kind) {
            Some(kind) => Ok(Self { kernel, kind }),
            None => bail!(
                "`{kind}` is no kind of guest: write `{kernel}`, or `{kernel}/` with one of {}",
                Kind::NAMED.map(Kind::name).join(", ")
            ),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.kind == Kind::Plain { "" } else { "/" };
        write!(f, "{}{separator}{}", self.kernel, self.kind.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_typed() {
        for target in ALL {
            assert_eq!(target.to_string().parse::<Target>().unwrap(), target);
        }
        for wrong in ["6.12/", "6.12/podman", "six", "/docker"] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_kernel_and_processor_and_set_of_hooks_has_figures_once() {
        let names: Vec<String> = Target::with_figures().iter().map(Target::budget).collect();
        let expected =
            ["5.10", "6.1", "6.12", "6.18", "newest", "5.10/bpf-lsm", "6.12/no-bpf-lsm", "6.12/arm64"];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_parameter_without_effect_is_told() {
        let table = [
            (Kind::LockedDown, "-", "confidentiality", true),
            (Kind::LockedDown, "-", "integrity", false),
            (Kind::BpfLsm, "yama,bpf", "none", true),
            (Kind::BpfLsm, "yama,bpfx", "none", false),
            (Kind::NoBpfLsm, "lockdown,yama", "none", true),
            (Kind::NoBpfLsm, "lockdown,bpf", "none", false),
            (Kind::NoBpfLsm, "-", "none", false),
            (Kind::Plain, "-", "-", true),
        ];
        for (kind, modules, lockdown, meant) in table {
            assert_eq!(
                kind.not_as_meant(modules, lockdown).is_none(),
                meant,
                "{kind:?} {modules} {lockdown}"
            );
        }
    }
}

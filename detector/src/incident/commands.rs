//! Commands for exactly this container: built only from facts that are known, quoted for a shell, and left out where a
//! value could not be shown as what it is.

mod cluster;
mod engine;
mod host;

use serde::Serialize;

use super::{Fact, Facts, Sentence, shell};

/// What runs the container, as far as commands go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// `docker`
    Docker,
    /// `podman`
    Podman,
    /// `crictl`, for CRI-O and containerd under Kubernetes.
    Crictl,
    /// `ctr`
    Ctr,
    /// `nerdctl`
    Nerdctl,
    /// `lxc-*`
    Lxc,
    /// `machinectl`
    Nspawn,
}

impl Engine {
    /// The engine that a `container.type` or a command's name stands for.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Some(match word {
            "docker" => Self::Docker,
            "podman" => Self::Podman,
            "cri" | "cri-o" | "crictl" => Self::Crictl,
            "containerd" | "ctr" => Self::Ctr,
            "nerdctl" => Self::Nerdctl,
            "lxc" => Self::Lxc,
            "systemd-nspawn" | "machinectl" => Self::Nspawn,
            _ => return None,
        })
    }

    /// The command's name.
    #[must_use]
    pub const fn command(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Crictl => "crictl",
            Self::Ctr => "ctr",
            Self::Nerdctl => "nerdctl",
            Self::Lxc => "lxc",
            Self::Nspawn => "machinectl",
        }
    }
}

/// A command with what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What it is for, with the fields that it was built from.
    pub purpose: Sentence,
    /// The command, for a POSIX shell.
    pub command: String,
}

/// Commands for one execution.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Commands {
    /// What stands in the way of better ones.
    pub notes: Vec<Sentence>,
    /// To look without changing anything.
    pub check: Vec<Step>,
    /// To keep evidence before it is gone.
    pub keep: Vec<Step>,
    /// To stop it.
    pub contain: Vec<Step>,
}

impl Commands {
    /// Commands for an execution. `told` is the engine that the user names, where the alert does not.
    #[must_use]
    pub fn of(facts: &Facts<'_>, told: Option<Engine>) -> Self {
        let mut commands = Self::default();
        cluster::add(facts, &mut commands);
        engine::add(facts, told, &mut commands);
        host::add(facts, &mut commands);
        commands
    }

    fn note(&mut self, note: Sentence) {
        self.notes.push(note);
    }
}

/// Collects the steps of one kind.
fn step(steps: &mut Vec<Step>, purpose: Sentence, from: &[&[String]], command: String) {
    let purpose = from.iter().fold(purpose, |purpose, from| purpose.because(from));
    steps.push(Step { purpose, command });
}

/// The container's id, when it is made of the letters that ids have.
fn container(facts: &Facts<'_>) -> Option<Fact<String>> {
    let id = facts.container_id()?;
    shell::name(&id.value).is_some().then_some(id)
}

#[cfg(test)]
mod tests;

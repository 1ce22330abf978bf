//! How much of the verifier's patience each program may use on each kernel. It processes a million instructions and
//! then refuses; growth must be seen long before, on the kernel where it is worst.
use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::console::Program;
use super::target::Target;
use crate::workspace::Workspace;

/// Recorded figures get so much room (percent): patch releases of one series differ a little.
const HEADROOM: u32 = 20;

/// Instructions that the verifier may process: series, then program.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Budget(BTreeMap<String, BTreeMap<String, u32>>);

impl Budget {
    /// The recorded budget.
    pub(super) fn read(workspace: &Workspace) -> Result<Self> {
        let path = path(workspace);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}, the verifier budget", workspace.short(&path)))?;
        toml::from_str(&text).with_context(|| format!("{} is not understood", workspace.short(&path)))
    }

    /// Writes the budget back.
    pub(super) fn write(&self, workspace: &Workspace) -> Result<()> {
        let path = path(workspace);
        let text = toml::to_string(self).context("cannot write the budget as TOML")?;
        let text = format!(
            "# Written by `cargo xtask verifier-stats --record`: instructions processed, and {HEADROOM} %.\n\n{text}"
        );
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", workspace.short(&path)))
    }

    /// Sets the figures of one kernel anew.
    pub(super) fn record(&mut self, target: &Target, programs: &[Program]) {
        let figures = programs
            .iter()
            .filter_map(|program| Some((program.name.clone(), program.verified?)))
            .map(|(name, verified)| (name, verified.saturating_add(verified / 100 * HEADROOM)));
        self.0.insert(target.budget(), figures.collect());
    }

    /// What is above the budget, or has none. Kernels that do not tell the figure (before 5.16) cannot be held to one.
    pub(super) fn faults(&self, target: &Target, programs: &[Program]) -> Vec<String> {
        // A guest with other hooks loads most programs of the plain one, too.
        let tables = [target.budget(), target.kernel.to_string()];
        let limit = |name: &str| tables.iter().find_map(|table| self.0.get(table)?.get(name));
        let judge = |program: &Program| {
            let verified = program.verified?;
            let name = &program.name;
            match limit(name) {
                Some(limit) if verified <= *limit => None,
                Some(limit) => Some(format!(
                    "the verifier processes {verified} instructions of {name}, the budget is {limit}: find out why, \
                     or record anew with `cargo xtask verifier-stats --record`"
                )),
                None => Some(format!(
                    "{name} has no verifier budget for {target}: `cargo xtask verifier-stats --record`"
                )),
            }
        };
        programs.iter().filter_map(judge).collect()
    }
}

fn path(workspace: &Workspace) -> PathBuf {
    workspace.root().join("detector-ebpf/verifier-budget.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(verified: Option<u32>) -> Program {
        Program { name: "exec".to_owned(), verified, machine_code: 1 }
    }

    #[test]
    fn growth_above_the_headroom_is_a_fault() {
        let (mut budget, series) = (Budget::default(), "6.1".parse::<Target>().unwrap());
        assert_eq!(budget.faults(&series, &[program(Some(1))]).len(), 1, "no budget yet");
        budget.record(&series, &[program(Some(1000))]);
        assert_eq!(budget.faults(&series, &[program(Some(1200))]), Vec::<String>::new());
        assert_eq!(budget.faults(&series, &[program(Some(1201))]).len(), 1);
        assert_eq!(budget.faults(&"newest".parse().unwrap(), &[program(Some(1))]).len(), 1, "another kernel");
        assert_eq!(budget.faults(&series, &[program(None)]), Vec::<String>::new());
        let other_hooks = "6.1/no-bpf-lsm".parse().unwrap();
        assert_eq!(budget.faults(&other_hooks, &[program(Some(1200))]), Vec::<String>::new());
        assert_eq!(budget.faults(&other_hooks, &[program(Some(1201))]).len(), 1);
        let text = toml::to_string(&budget).unwrap();
        assert_eq!(toml::from_str::<Budget>(&text).unwrap(), budget);
    }
}

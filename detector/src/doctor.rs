//! `detector doctor`: what this host allows, what follows from it, and what would enable the rest.

mod checks;
mod coverage;
mod render;

use std::path::PathBuf;

pub use checks::{Check, Status, checks};
pub use coverage::{Coverage, Covered, CoveredContainer, counts, coverage};

use crate::{
    enrich::{RunningRoot, running_roots},
    kernel::attach_plan::{Feature, plan},
    preflight::Facts,
    selftest::Sandbox,
    settings::Settings,
};

/// Everything that was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// Line by line.
    pub checks: Vec<Check>,
    /// What the agent sees here, and through which hook.
    pub features: Vec<Feature>,
    /// What would be missed of each container that runs.
    pub containers: Vec<CoveredContainer>,
    /// Whether the main hook can be armed: nothing else decides whether the agent runs.
    pub can_run: bool,
}

impl Diagnosis {
    /// Looks at the host and at the rules.
    #[must_use]
    pub fn make(settings: &Settings) -> Self {
        // Starting the test's process is enough to see whether it may live apart; nothing is mounted or run.
        let selftest = Sandbox::start().map(drop).map_err(|error| error.to_string());
        let roots = running_roots(&host_root().join("proc"));
        Self::of(&Facts::look(&settings.btf), &selftest, &kernel_filter(settings), roots)
    }

    /// Judges what was found. `selftest` is why a process with these rights cannot run the self-test, `filter` what the
    /// rules make the kernel send, or why they do not load; `roots` are the containers that run.
    #[must_use]
    pub fn of(
        facts: &Facts,
        selftest: &Result<(), String>,
        filter: &Result<String, String>,
        roots: Vec<RunningRoot>,
    ) -> Self {
        let features = plan(&facts.hooks);
        let covered = |container: RunningRoot| CoveredContainer {
            coverage: coverage(&features, container.file_system.as_deref()),
            container,
        };
        let containers = roots.into_iter().map(covered).collect();
        Self { checks: checks(facts, selftest, filter), features, containers, can_run: facts.armed.is_ok() }
    }
}

/// How many containers run, by how well an agent that runs covers them.
#[must_use]
pub fn running_by_coverage() -> Vec<(&'static str, u64)> {
    // What hooks it lacks beside the main one says nothing about execs, and is not counted.
    let covered = |container: RunningRoot| CoveredContainer {
        coverage: coverage(&[], container.file_system.as_deref()),
        container,
    };
    let roots = running_roots(&host_root().join("proc"));
    counts(&roots.into_iter().map(covered).collect::<Vec<_>>()).to_vec()
}

/// Where the host's root is seen: `HOST_ROOT`, as with Falco, or `/`.
fn host_root() -> PathBuf {
    std::env::var_os("HOST_ROOT")
        .filter(|root| !root.is_empty())
        .map_or_else(|| PathBuf::from("/"), PathBuf::from)
}

fn kernel_filter(settings: &Settings) -> Result<String, String> {
    let report = settings.rules.load();
    let engine = settings.rules.engine(report, settings.time_format.field());
    engine.map(|engine| engine.filter().describe()).map_err(|error| error.to_string())
}

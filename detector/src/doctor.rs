//! `detector doctor`: what this host allows, what follows from it, and what would enable the rest.

mod checks;
mod render;

pub use checks::{Check, Status, checks};

use crate::{
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
    /// Whether the main hook can be armed: nothing else decides whether the agent runs.
    pub can_run: bool,
}

impl Diagnosis {
    /// Looks at the host and at the rules.
    #[must_use]
    pub fn make(settings: &Settings) -> Self {
        // Starting the test's process is enough to see whether it may live apart; nothing is mounted or run.
        let selftest = Sandbox::start().map(drop).map_err(|error| error.to_string());
        Self::of(&Facts::look(&settings.btf), &selftest, &kernel_filter(settings))
    }

    /// Judges what was found. `selftest` is why a process with these rights cannot run the self-test, `filter` what the
    /// rules make the kernel send, or why they do not load.
    #[must_use]
    pub fn of(facts: &Facts, selftest: &Result<(), String>, filter: &Result<String, String>) -> Self {
        Self {
            checks: checks(facts, selftest, filter),
            features: plan(&facts.hooks),
            can_run: facts.armed.is_ok(),
        }
    }
}

fn kernel_filter(settings: &Settings) -> Result<String, String> {
    let report = settings.rules.load();
    let engine = settings.rules.engine(report, settings.time_format.field());
    engine.map(|engine| engine.filter().describe()).map_err(|error| error.to_string())
}

//! Commands that work on alerts after the fact: they need no root and no kernel, and a running agent does not know of
//! them. Here flags meet files; the work is done in the rooms `incident`, `report` and their neighbours.

mod alerts;
mod clock;
mod explain;
mod last;
mod live;
mod metrics;
mod progress;
mod report;
mod stale;
mod suggest;
mod test_rules;

use std::process::ExitCode;

use crate::{cli::Command, settings::Settings};

/// Does what a command asks for; `None` for a command that is not of this kind.
#[must_use]
pub fn run(command: &Command, settings: &Settings) -> Option<anyhow::Result<ExitCode>> {
    match command {
        Command::Report(args) => Some(report::run(args, settings)),
        Command::Suggest(args) => Some(suggest::run(args, settings)),
        Command::Explain(args) => Some(explain::run(args, settings)),
        Command::TestRules(args) => Some(test_rules::run(args, settings)),
        _ => None,
    }
}

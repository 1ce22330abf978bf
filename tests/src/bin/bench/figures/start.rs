//! How long after its start the agent sees everything, beside the same program only telling its version.

use std::process::Command;
use std::time::Instant;

use detector_tests::process;

use crate::Outcome;
use crate::results::{Report, Row};
use crate::stage::Stage;
use crate::statistics::Series;

/// Milliseconds.
const GOAL: f64 = 100.0;
/// More starts tell nothing new.
const SHARE: f64 = 0.5;

pub(crate) fn take(stage: &Stage) -> Outcome<Report> {
    let (mut version, mut armed) = (Series::default(), Series::default());
    stage.rounds(SHARE, |_| {
        let mut command = Command::new(stage.agent());
        command.arg("--version");
        let start = Instant::now();
        let _ = process::run(command).ok();
        version.push_one(start.elapsed().as_secs_f64() * 1000.0);
        let mut agent = stage.start_agent()?;
        armed.push_one(agent.armed_after.as_secs_f64() * 1000.0);
        agent.stop()?;
        Ok(())
    })?;
    let rows = vec![
        Row::of("`detector --version`, start to end", "ms", &version),
        Row::of("start to hooks armed", "ms", &armed).against("--version", &armed, &version).at_most(GOAL),
    ];
    Ok(Report { rows, notes: Vec::new() })
}

//! How long after its start the agent sees everything, and how long rules take to load, beside the same program only telling
//! its version.

use std::process::Command;
use std::time::Instant;

use detector_tests::process;

use crate::Outcome;
use crate::results::{Report, Row};
use crate::rule_sets;
use crate::stage::Stage;
use crate::statistics::Series;

/// Milliseconds.
const GOAL: f64 = 100.0;
/// More starts tell nothing new.
const SHARE: f64 = 0.5;

pub(crate) fn take(stage: &Stage) -> Outcome<Report> {
    let (sets, notes) = rule_sets::all()?;
    let (mut version, mut armed) = (Series::default(), Series::default());
    let mut loaded: Vec<Series> = sets.iter().map(|_| Series::default()).collect();
    let lasts = |arguments: &[&str]| {
        let mut command = Command::new(stage.agent());
        command.args(arguments);
        let start = Instant::now();
        let _ = process::run(command).ok();
        start.elapsed().as_secs_f64() * 1000.0
    };
    stage.rounds(SHARE, |_| {
        version.push_one(lasts(&["--version"]));
        for (set, series) in sets.iter().zip(&mut loaded) {
            series.push_one(lasts(&[&set.arguments()[..], &["-L"]].concat()));
        }
        let mut agent = stage.start_agent()?;
        armed.push_one(agent.armed_after.as_secs_f64() * 1000.0);
        agent.stop()?;
        Ok(())
    })?;
    let against = |row: Row, series: &Series| row.against("--version", series, &version);
    let mut rows = vec![
        Row::of("`detector --version`, start to end", "ms", &version),
        against(Row::of("start to hooks armed", "ms", &armed), &armed).at_most(GOAL),
    ];
    for (set, series) in sets.iter().zip(&loaded) {
        let what = format!("load {} and list them (-L), start to end", set.name);
        rows.push(against(Row::of(what, "ms", series), series));
    }
    Ok(Report { rows, notes })
}

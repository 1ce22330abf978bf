//! What the hook itself takes, as the kernel counts it. The agent's program and an empty one are on the hook at the
//! same time, so both see the same execs; the statistics' own cost is in both.

use detector_tests::BareContainer;

use crate::Outcome;
use crate::results::{Report, Row};
use crate::spawner::{Drops, Job};
use crate::stage::{IMAGE_NO_OP, Stage, container, in_container};
use crate::statistics::Series;
use detector_tests::bpf::{Counts, Program, Statistics, attach_empty_program, programs_of};

/// Execs between two looks at the statistics.
const EXECS: u64 = 250;
/// A look that saw more than so many execs of others is thrown away.
const FOREIGN: u64 = EXECS / 20;
/// What an exec may take in the agent's program, nanoseconds.
const QUIET_GOAL: f64 = 500.0;
const ALERT_GOAL: f64 = 10_000.0;
/// And compared with the empty program.
const QUIET_RATIO: f64 = 3.0;

const PATHS: [&str; 4] = [
    "host file (quiet)",
    "image file in a container (quiet)",
    "dropped file (alert)",
    // The first record wakes the agent, and it cannot come: the others find it awake, as in a burst. What this is
    // cheaper than the path above is the wake-up, an interrupt that the CPU sends itself; hypervisors make it dear.
    "dropped file (alert), no wake-up",
];
const ALERTS_FROM: usize = 2;

pub(crate) fn take(stage: &Stage) -> Outcome<Report> {
    let container = container()?;
    let mut agent = stage.start_agent()?;
    let empty = attach_empty_program()?;
    let programs = programs_of(agent.pid())?;
    let mut report = Report::default();
    for program in &programs {
        let (name, instructions, bytes) = program.description()?;
        report.notes.push(format!(
            "program {name}: the verifier looked at {instructions} instructions, {bytes} bytes of machine code"
        ));
    }
    let mut watched = vec![&empty.program];
    watched.extend(&programs);
    let statistics = Statistics::enable()?;
    // By path, then by program: mean nanoseconds per exec of each look.
    let mut series = PATHS.map(|_| vec![Series::default(); watched.len()]);
    let mut thrown_away = 0;
    stage.rounds(1.0, |_| {
        for (path, series) in series.iter_mut().enumerate() {
            let before = look(&watched)?;
            let held = if path == PATHS.len() - 1 { Some(agent.hold()?) } else { None };
            execute(stage, &container, path)?;
            drop(held);
            let after = look(&watched)?;
            if after[0].runs - before[0].runs > EXECS + FOREIGN {
                thrown_away += 1;
                continue;
            }
            for ((series, before), after) in series.iter_mut().zip(before).zip(after) {
                series.push_one(per_exec(before, after));
            }
        }
        Ok(())
    })?;
    drop(statistics);
    agent.stop()?;

    for (index, (path, series)) in PATHS.into_iter().zip(&series).enumerate() {
        let row = |what: &str, of: &Series| Row::of(format!("{path}: {what}"), "ns", of);
        report.rows.push(row("empty program", &series[0]));
        for (program, ours) in programs.iter().zip(&series[1..]) {
            let (name, ..) = program.description()?;
            let row = row(&name, ours).against("empty program", ours, &series[0]);
            report.rows.push(if index >= ALERTS_FROM {
                row.at_most(ALERT_GOAL)
            } else {
                row.at_most(QUIET_GOAL).ratio_at_most(QUIET_RATIO)
            });
        }
    }
    report.notes.push(format!(
        "each sample is the mean of {EXECS} execs; {thrown_away} looks with more than {FOREIGN} execs of others thrown away"
    ));
    Ok(report)
}

fn look(programs: &[&Program]) -> Outcome<Vec<Counts>> {
    programs.iter().map(|program| program.counts()).collect()
}

fn execute(stage: &Stage, container: &BareContainer, path: usize) -> Outcome<()> {
    let job = Job::quiet(IMAGE_NO_OP, EXECS, stage.cpu()).alone();
    match path {
        0 => Stage::on_host(&Job { file: stage.no_op(), ..job })?,
        1 => in_container(container, &job)?,
        _ => in_container(container, &job.drops(Drops::One("/tmp/dropped".into())))?,
    };
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn per_exec(before: Counts, after: Counts) -> f64 {
    (after.nanoseconds - before.nanoseconds) as f64 / (after.runs - before.runs) as f64
}

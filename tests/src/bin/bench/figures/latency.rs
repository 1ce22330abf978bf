//! How long an alert is on its way: from the time stamp that the kernel's hook took to the line in the hands of the
//! reader of the agent's standard output. On an idle machine, and with a busy spawner on every CPU.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::Outcome;
use crate::agent::Agent;
use crate::results::{Report, Row};
use crate::spawner::{Drops, Job};
use crate::stage::{IMAGE_NO_OP, Stage, container, in_container};
use crate::statistics::Series;

/// Drops per second: each finds the agent asleep.
const RATE: f64 = 100.0;
/// Of one life of the container.
const SECONDS: f64 = 2.0;
/// Neighbouring samples that make a round.
const TOGETHER: usize = 50;
const MEDIAN_GOAL: f64 = 300.0;
const P99_GOAL: f64 = 2000.0;

pub(crate) fn take(stage: &Stage) -> Outcome<Report> {
    let mut agent = stage.start_agent()?;
    let idle = measure(stage, &agent, "idle", 0.45)?;
    let stop = AtomicBool::new(false);
    let busy = thread::scope(|scope| -> Outcome<Vec<f64>> {
        for cpu in &stage.cpus {
            let job = Job::quiet(stage.no_op(), u64::MAX, *cpu).seconds(0.5);
            let stop = &stop;
            scope.spawn(move || while !stop.load(Ordering::Relaxed) && Stage::on_host(&job).is_ok() {});
        }
        let busy = measure(stage, &agent, "busy", 0.45);
        stop.store(true, Ordering::Relaxed);
        busy
    })?;
    let ended = agent.stop()?;
    let of = |what: &str, samples: &[f64]| Row::of(what, "us", &Series::from_run(samples, TOGETHER));
    let rows = vec![
        of("idle", &idle).at_most(MEDIAN_GOAL).p99_at_most(P99_GOAL),
        of("a spawner as fast as it can on every CPU", &busy),
    ];
    let notes = vec![
        format!("{RATE} drops per second; includes the wake-up of the reader"),
        format!("the agent: {}", ended.loss),
    ];
    Ok(Report { rows, notes })
}

/// Microseconds of each alert, in order.
fn measure(stage: &Stage, agent: &Agent, name: &str, share: f64) -> Outcome<Vec<f64>> {
    let container = container()?;
    let prefix = format!("/tmp/{name}");
    let job = Job::quiet(IMAGE_NO_OP, u64::MAX, stage.cpu())
        .drops(Drops::Each { prefix: prefix.clone().into(), nth: 1 })
        .rate(RATE)
        .seconds(if stage.quick { 0.5 } else { SECONDS });
    let mut expected = 0;
    stage.rounds(share, |_| {
        expected += in_container(&container, &job)?.len();
        Ok(())
    })?;
    let lines = agent.wait_for_lines(expected, |line| line.file.starts_with(&prefix))?;
    Ok(lines.iter().map(|line| agent.latency(line) / 1000.0).collect())
}

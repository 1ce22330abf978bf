//! Nothing may be lost: as many drops as the CPUs can make, and a few drops hidden in a flood of quiet execs. Each
//! dropped file has its own name, and each name must come back in an alert.

use std::collections::BTreeSet;
use std::thread;
use std::time::Instant;

use detector_tests::BareContainer;

use crate::Outcome;
use crate::results::{Report, Row};
use crate::spawner::{Drops, Job};
use crate::stage::{IMAGE_NO_OP, Stage, container, in_container};
use crate::statistics::{Series, counted};

/// One spawner on each of so many CPUs, each in a container of its own.
const SPAWNERS: usize = 2;
/// One life of a container; the harness takes half a minute for hung.
const LIFE_SECONDS: f64 = 4.0;
/// Lives with one agent, after one without any.
const LIVES: u64 = 2;
const TURNS: u64 = 3;
/// Quiet execs to one drop in the flood.
const HIDDEN_EACH: u64 = 100;
/// Execs of one life in the flood.
const FLOOD_LIFE: u64 = 5_000;

pub(crate) fn take(stage: &Stage) -> Outcome<Report> {
    let containers = [container()?, container()?];
    let (mut off, mut on) = (Series::default(), Series::default());
    let mut report = Report::default();

    let burst = |name: String| -> Outcome<(f64, usize)> {
        let start = Instant::now();
        let files = both(stage, &containers, |cpu, place| {
            let drops = Drops::Each { prefix: format!("{name}-{place}").into(), nth: 1 };
            Job::quiet(IMAGE_NO_OP, u64::MAX, cpu).drops(drops).seconds(if stage.quick {
                1.0
            } else {
                LIFE_SECONDS
            })
        })?;
        Ok((rate(files, start), files))
    };
    let (mut dropped, mut found, mut lost) = (0, 0, 0);
    for turn in 0..stage.amount(TURNS, 1) {
        off.push_one(burst(format!("/tmp/without-{turn}"))?.0);
        let mut agent = stage.start_agent()?;
        let mut rates = Vec::new();
        for life in 0..LIVES {
            let (rate, files) = burst(format!("/tmp/burst-{turn}-{life}"))?;
            rates.push(rate);
            dropped += files;
        }
        on.push(rates);
        let ended = agent.stop()?;
        found += names(ended.lines.iter().map(|line| line.file.as_str()), "/tmp/burst-");
        lost += ended.lost;
        report.notes.push(format!("burst {turn}: the agent: {}", ended.loss));
    }
    report.rows.push(Row::median("drops per second, agent off", "/s", &off));
    report.rows.push(Row::median("drops per second, agent on", "/s", &on).against("agent off", &on, &off));
    report.rows.push(Row::counted("drops", "", counted(dropped)));
    report.rows.push(Row::counted("drops with an alert", "", counted(found)).exactly(counted(dropped)));
    report.rows.push(Row::counted("records lost", "", counted(lost)).exactly(0.0));
    flood(stage, &containers, &mut report)?;
    Ok(report)
}

/// 100 000 quiet execs with 1 000 drops among them.
fn flood(stage: &Stage, containers: &[BareContainer; SPAWNERS], report: &mut Report) -> Outcome<()> {
    let mut agent = stage.start_agent()?;
    let (mut executed, start) = (0, Instant::now());
    for life in 0..stage.amount(10, 1) {
        executed += both(stage, containers, |cpu, place| {
            let drops = Drops::Each { prefix: format!("/tmp/flood-{life}-{place}").into(), nth: HIDDEN_EACH };
            Job::quiet(IMAGE_NO_OP, FLOOD_LIFE, cpu).drops(drops)
        })?;
    }
    let per_second = rate(executed, start);
    let ended = agent.stop()?;
    let hidden = executed / usize::try_from(HIDDEN_EACH)?;
    let found = names(ended.lines.iter().map(|line| line.file.as_str()), "/tmp/flood-");
    report.rows.push(Row::counted("flood: execs", "", counted(executed)));
    report.rows.push(Row::counted("flood: execs per second", "/s", per_second));
    report.rows.push(Row::counted("flood: hidden drops", "", counted(hidden)));
    report.rows.push(Row::counted("flood: hidden drops found", "", counted(found)).exactly(counted(hidden)));
    report.rows.push(Row::counted("flood: records lost", "", counted(ended.lost)).exactly(0.0));
    Ok(())
}

/// Runs one job per container at the same time; how many executions that were.
fn both(
    stage: &Stage,
    containers: &[BareContainer; SPAWNERS],
    job: impl Fn(usize, usize) -> Job,
) -> Outcome<usize> {
    let jobs: Vec<Job> =
        (0..SPAWNERS).map(|place| job(stage.cpus[place % stage.cpus.len()], place)).collect();
    thread::scope(|scope| {
        let running: Vec<_> = containers
            .iter()
            .zip(&jobs)
            .map(|(container, job)| {
                scope.spawn(move || {
                    in_container(container, job).map(|lasted| lasted.len()).map_err(|error| error.to_string())
                })
            })
            .collect();
        let mut all = 0;
        for thread in running {
            all += thread.join().map_err(|_| "a part of the harness panicked")??;
        }
        Ok(all)
    })
}

/// How many different files below `prefix`.
fn names<'line>(files: impl Iterator<Item = &'line str>, prefix: &str) -> usize {
    files.filter(|file| file.starts_with(prefix)).collect::<BTreeSet<_>>().len()
}

fn rate(executions: usize, since: Instant) -> f64 {
    counted(executions) / since.elapsed().as_secs_f64()
}

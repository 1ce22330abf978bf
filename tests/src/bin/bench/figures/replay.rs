//! How many events user space can take: a recording of real drops, replayed on one CPU, with everything behind the
//! kernel (decoding, rules, JSON lines) and nothing of the kernel.

use std::path::Path;
use std::process::Command;

use detector_tests::process;

use crate::results::{Report, Row};
use crate::spawner::{Drops, Job};
use crate::stage::{IMAGE_NO_OP, Stage, container, in_container};
use crate::statistics::Series;
use crate::{Outcome, ourselves};

/// Alerts in the recording: each record matches the default rule and is written out, which is the dearest case.
const RECORDS: u64 = 20_000;
/// Events per second.
const GOAL: f64 = 1_000_000.0;

pub(crate) fn take(stage: &Stage) -> Outcome<Report> {
    let recording = stage.folder().join("recording");
    let records = stage.amount(RECORDS, 2_000);
    record(stage, &recording, records)?;
    // A rule that never matches, so that only decoding and judging are left.
    let nothing = stage.folder().join("nothing.yaml");
    std::fs::write(
        &nothing,
        "- rule: nothing\n  desc: matches no event\n  condition: evt.type = execve and proc.name = no-such-name\n  \
         output: none\n  priority: INFO\n",
    )?;
    let variants: [(&str, Option<&Path>); 2] =
        [("a rule that matches nothing", Some(&nothing)), ("default rule, every event alerts", None)];
    let mut series = variants.map(|_| Series::default());
    stage.rounds(0.8, |_| {
        for ((_, rules), series) in variants.iter().zip(&mut series) {
            series.push_one(events_per_second(stage, &recording, *rules, records)?);
        }
        Ok(())
    })?;
    let [quiet, alerts] = &series;
    let rows = vec![
        Row::median(variants[0].0, "events/s", quiet).at_least(GOAL),
        Row::median(variants[1].0, "events/s", alerts)
            .against("nothing matches", alerts, quiet)
            .at_least(GOAL),
    ];
    Ok(Report { rows, notes: vec![format!("{records} recorded drops, JSON lines, one CPU")] })
}

/// Lets the agent record drops.
fn record(stage: &Stage, recording: &Path, records: u64) -> Outcome<()> {
    let container = container()?;
    let mut agent = stage.start_agent_with(&["-o", &format!("record_to={}", recording.display())])?;
    let life = records.min(5_000);
    for _ in 0..records / life {
        let job = Job::quiet(IMAGE_NO_OP, life, stage.cpu()).drops(Drops::One("/tmp/dropped".into()));
        in_container(&container, &job)?;
    }
    agent.stop()?;
    Ok(())
}

/// Replays once; the program itself says how long the events took, without its start and the loading of rules.
fn events_per_second(stage: &Stage, recording: &Path, rules: Option<&Path>, least: u64) -> Outcome<f64> {
    let mut command = Command::new(ourselves()?);
    command.args(["alone", &stage.cpu().to_string()]).arg(stage.agent()).arg("replay").arg(recording);
    command.args(["-o", "json_output=true"]);
    if let Some(rules) = rules {
        command.arg("-r").arg(rules);
    }
    let finished = process::run(command);
    let summary = finished.stderr.lines().find_map(|line| line.split_once("replayed "));
    let (_, summary) = summary.ok_or_else(|| format!("the replay told no summary: {finished}"))?;
    // `N records in S s: ...`
    let words: Vec<&str> = summary.split(' ').collect();
    let (events, seconds): (f64, f64) = match words.as_slice() {
        [events, "records", "in", seconds, ..] => (events.parse()?, seconds.parse()?),
        _ => return Err(format!("cannot read the summary of the replay: {summary}").into()),
    };
    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^53")]
    let least = least as f64;
    if events < least {
        return Err(format!("only {events} of {least} drops were recorded").into());
    }
    Ok(events / seconds)
}

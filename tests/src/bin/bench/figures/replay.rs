//! How many events user space can take: recordings of real execs, replayed on one CPU, with everything behind the kernel
//! (decoding, rules, JSON lines) and nothing of the kernel. Of files of the image, as nearly all execs are, and of drops.

use std::path::Path;
use std::process::Command;

use detector_tests::process;

use crate::results::{Report, Row};
use crate::rule_sets;
use crate::spawner::{Drops, Job};
use crate::stage::{IMAGE_NO_OP, Stage, container, in_container};
use crate::statistics::Series;
use crate::{Outcome, ourselves};

/// Execs in each recording.
const RECORDS: u64 = 20_000;
/// Events per second with the default rule, and with more rules.
const GOALS: [f64; 2] = [1_000_000.0, 300_000.0];
/// Makes the kernel send each exec of the container's own program.
const EVERYTHING: &str = "- rule: everything\n  desc: matches each exec in a container\n  \
    condition: evt.type = execve and container.id != host\n  output: none\n  priority: INFO\n";
/// Can match by what the filter asks, and never does by the rest: each event is decoded and judged.
const NOTHING: &str = "- rule: nothing\n  desc: matches no event\n  \
    condition: evt.type = execve and proc.name = no-such-name\n  output: none\n  priority: INFO\n";

pub(crate) fn take(stage: &Stage) -> Outcome<Report> {
    let file = |name: &str, text: &str| -> Outcome<String> {
        let path = stage.folder().join(name);
        std::fs::write(&path, text)?;
        Ok(path.to_str().ok_or("the folder for temporary files is no UTF-8")?.to_owned())
    };
    let (everything, nothing) = (file("everything.yaml", EVERYTHING)?, file("nothing.yaml", NOTHING)?);
    let [quiet, drops] = ["quiet", "drops"].map(|name| stage.folder().join(name));
    let records = stage.amount(RECORDS, 2_000);
    record(stage, &quiet, &["-r", &everything], records, None)?;
    record(stage, &drops, &[], records, Some("/tmp/dropped"))?;

    let (sets, mut notes) = rule_sets::all()?;
    let mut variants: Vec<(String, &Path, Vec<&str>, Option<f64>)> = Vec::new();
    for (index, set) in sets.iter().enumerate() {
        let goal = GOALS[index.min(1)];
        variants.push((format!("files of the image, {}", set.name), &quiet, set.arguments(), Some(goal)));
    }
    variants.push(("drops, a rule that matches none".to_owned(), &drops, vec!["-r", &nothing], None));
    variants.push(("drops, default rule: each an alert".to_owned(), &drops, Vec::new(), None));

    let mut series: Vec<Series> = variants.iter().map(|_| Series::default()).collect();
    stage.rounds(0.8, |_| {
        for ((_, recording, rules, _), series) in variants.iter().zip(&mut series) {
            series.push_one(events_per_second(stage, recording, rules, records)?);
        }
        Ok(())
    })?;
    let mut rows: Vec<Row> = variants
        .iter()
        .zip(&series)
        .map(|((name, _, _, goal), series)| {
            let row = Row::median(name.as_str(), "events/s", series);
            goal.iter().fold(row, |row, goal| row.at_least(*goal))
        })
        .collect();
    if let [.., judged, alerts] = &series[..] {
        // What is left of an alert's time when that of decoding and judging is taken away.
        let each = |series: &Series| 1e6 / series.quantile(0.5).value;
        let text = "an alert: its values, and its JSON line";
        rows.push(Row::counted(text, "us", each(alerts) - each(judged)));
    }
    notes.push(format!("{records} recorded execs of each kind, JSON lines, one CPU"));
    Ok(Report { rows, notes })
}

/// Lets the agent record execs of the image's program, or of a dropped one.
fn record(
    stage: &Stage,
    recording: &Path,
    rules: &[&str],
    records: u64,
    dropped: Option<&str>,
) -> Outcome<()> {
    let container = container()?;
    let option = format!("record_to={}", recording.display());
    let mut agent = stage.start_agent_with(&[rules, &["-o", &option]].concat())?;
    let life = records.min(5_000);
    for _ in 0..records / life {
        let job = Job::quiet(IMAGE_NO_OP, life, stage.cpu());
        let job = match dropped {
            Some(path) => job.drops(Drops::One(path.into())),
            None => job,
        };
        in_container(&container, &job)?;
    }
    agent.stop()?;
    Ok(())
}

/// Replays once; the program itself says how long the events took, without its start and the loading of rules.
fn events_per_second(stage: &Stage, recording: &Path, rules: &[&str], least: u64) -> Outcome<f64> {
    let mut command = Command::new(ourselves()?);
    command.args(["alone", &stage.cpu().to_string()]).arg(stage.agent()).arg("replay").arg(recording);
    command.args(["-o", "json_output=true"]);
    command.args(rules);
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

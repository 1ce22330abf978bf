//! `detector report`: alerts to a document.

use std::{fs, io::Write as _, path::Path, process::ExitCode};

use anyhow::{Context as _, bail};

use super::{alerts, clock, last::Last, live};
use crate::{
    cli::report::{ReportArgs, ReportFormat},
    exit_code,
    incident::{Engine, Fact, Facts, Grouping, Incident, PastAlert, Sentence, Tally, time_words},
    report::{Additions, Block, Document, Format, incident, render},
    settings::Settings,
    suggest::{Exception, Gathering, Options, rule_file_of, verify},
};

/// Version of the JSON layout.
const VERSION: u32 = 1;

pub(super) fn run(args: &ReportArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let engine = engine(args.runtime.as_deref())?;
    let inputs = alerts::inputs(&args.files, settings)?;
    let mut grouping = Grouping::default();
    let mut last = args.last.map(Last::new);
    let mut left_out = 0_u64;
    let tally = alerts::each(&inputs, |alert| {
        if args.container.as_deref().is_some_and(|wanted| !concerns(&alert, wanted)) {
            left_out += 1;
            return;
        }
        match &mut last {
            None => grouping.add(alert),
            Some(last) => last.push(alert),
        }
    })?;
    let mut crowded_out = 0;
    if let Some(last) = last {
        left_out += last.left_out();
        crowded_out = last.crowded_out;
        for alert in last.into_alerts() {
            grouping.add(alert);
        }
    }
    let ungrouped = grouping.ungrouped;
    let incidents = grouping.finish();
    if incidents.is_empty() {
        bail!("{}", nothing(&tally, args));
    }
    let now = clock::now_ns();
    let reports = incidents.iter().filter_map(|found| {
        let tuning = tuning(found, settings);
        let mut additions = Additions { engine, tuning, ..Additions::default() };
        if let (true, Some(main)) = (args.live, found.main()) {
            let look = live::look(&Facts::of(main), engine, now);
            (additions.live, additions.moments) = (look.blocks, look.moments);
            additions.engine = additions.engine.or(look.engine);
        }
        incident(found, additions)
    });
    let document = Document {
        version: VERSION,
        made: time_words::moment(now),
        notes: notes(&tally, left_out, crowded_out, ungrouped),
        incidents: reports.collect(),
    };
    write(args, &render(&document, format(args)))?;
    Ok(exit_code::SUCCESS)
}

/// Exceptions for exactly these executions, held against them.
fn tuning(incident: &Incident, settings: &Settings) -> Vec<Block> {
    let options = Options { least: 1, ..Options::default() };
    let mut gathering = Gathering::default();
    for execution in &incident.executions {
        gathering.add(execution.first.clone());
    }
    let (causes, alerts) = gathering.finish(options.least);
    let proposed =
        causes.iter().enumerate().filter_map(|(index, cause)| Exception::of(cause, index + 1, &options));
    let exceptions: Vec<Exception> = proposed.collect();
    let silent = verify(&settings.rules, &exceptions, &alerts).map_or(0, |verified| verified.silenced);
    let paragraph = |sentence: Sentence| Block::Paragraph { sentences: vec![sentence] };
    if exceptions.is_empty() || silent == 0 {
        let nothing = "No narrow exception can be made from what the alerts say.";
        return vec![paragraph(Sentence::default().unknown(nothing))];
    }
    let words = "These exceptions, in a file that is loaded behind the rules, would silence ";
    let count = |number: usize| Fact::new(number.to_string(), "alerts");
    let silent = usize::try_from(silent).unwrap_or(usize::MAX);
    let sentence = Sentence::new(words).fact(&count(silent)).words(" of the ").fact(&count(alerts.len())).words(
        " executions above; they were loaded and tried on them. From more alerts, `detector suggest` makes wider ones.",
    );
    vec![
        paragraph(sentence),
        Block::Code { language: "yaml", text: rule_file_of(&exceptions), folded: false },
    ]
}

fn engine(name: Option<&str>) -> anyhow::Result<Option<Engine>> {
    let Some(name) = name else { return Ok(None) };
    let known = Engine::named(name);
    if known.is_none() {
        bail!("--runtime {name}: known are docker, podman, crictl, ctr, nerdctl, lxc and machinectl");
    }
    Ok(known)
}

/// Whether an alert is about this container or pod.
fn concerns(alert: &PastAlert, wanted: &str) -> bool {
    let is = |field: &str| alert.fields.text(field) == Some(wanted);
    let id = |field: &str| {
        // Four letters of an id are what engines ask for at least; the alert may have the short form.
        let matches = |id: &str| {
            wanted.len() >= 4 && (id.starts_with(wanted) || id.len() >= 12 && wanted.starts_with(id))
        };
        alert.fields.text(field).is_some_and(matches)
    };
    is("container.name") || is("k8s.pod.name") || id("container.id") || id("container.full_id")
}

fn nothing(tally: &Tally, args: &ReportArgs) -> String {
    if tally.alerts > 0 {
        let wanted = args.container.as_deref().unwrap_or_default();
        return format!("none of the {} alerts is of a container or pod `{wanted}`", tally.alerts);
    }
    match tally.skipped() {
        Some(skipped) => format!("no alert was found; {skipped}"),
        None => "no alert was found: the input is empty".to_owned(),
    }
}

fn notes(tally: &Tally, left_out: u64, crowded_out: u64, ungrouped: u64) -> Vec<Sentence> {
    let count = |number: u64| Fact::new(number, "input").map(|number| number.to_string());
    let mut notes = vec![Sentence::new("Alerts read: ").fact(&count(tally.alerts)).words(".")];
    if left_out > 0 {
        notes.push(Sentence::new("Left out as asked for: ").fact(&count(left_out)).words("."));
    }
    if crowded_out > 0 {
        notes.push(
            Sentence::new("Left out, because memory holds no more of the last ones: ")
                .fact(&count(crowded_out))
                .words("."),
        );
    }
    if tally.internal > 0 {
        notes.push(
            Sentence::new("Messages of the agent about itself, left out: ")
                .fact(&count(tally.internal))
                .words("."),
        );
    }
    if tally.held_back > 0 {
        notes.push(
            Sentence::new("Repeats that the agent held back, as these messages say: ")
                .fact(&count(tally.held_back))
                .words("."),
        );
    }
    if ungrouped > 0 {
        notes.push(
            Sentence::new(
                "Alerts of further containers that are not in this report, because there are too many: ",
            )
            .fact(&count(ungrouped))
            .words("."),
        );
    }
    if let Some(skipped) = tally.skipped() {
        notes.push(Sentence::default().value(&Fact::new(skipped, "input")));
    }
    notes
}

fn format(args: &ReportArgs) -> Format {
    let by_name = || match args.output.as_deref().and_then(Path::extension).and_then(|end| end.to_str()) {
        Some("html" | "htm") => Format::Html,
        Some("md" | "markdown") => Format::Markdown,
        Some("json") => Format::Json,
        _ => Format::Text,
    };
    match args.layout {
        Some(ReportFormat::Markdown) => Format::Markdown,
        Some(ReportFormat::Html) => Format::Html,
        Some(ReportFormat::Json) => Format::Json,
        Some(ReportFormat::Text) => Format::Text,
        None => by_name(),
    }
}

fn write(args: &ReportArgs, text: &str) -> anyhow::Result<()> {
    match &args.output {
        Some(path) => {
            fs::write(path, text).with_context(|| format!("cannot write the report to {}", path.display()))
        }
        None => {
            std::io::stdout().write_all(text.as_bytes()).context("cannot write the report to standard output")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::rules::fields::catalogue;

    /// The tests of reports take away and change each field of this alert: one that is not in it is not tested, and one
    /// that no agent writes is looked for in vain.
    #[test]
    fn the_alert_that_reports_are_tested_with_has_every_field_of_ours() {
        let alert: serde_json::Value =
            serde_json::from_str(include_str!("../report/everything.json")).unwrap();
        let of_alert: BTreeSet<&str> =
            alert["output_fields"].as_object().unwrap().keys().map(String::as_str).collect();
        let ours = |name: &&str| name.starts_with("drop.");
        let of_agent: BTreeSet<&str> = catalogue().map(|entry| entry.name).filter(ours).collect();
        assert_eq!(of_alert.into_iter().filter(ours).collect::<BTreeSet<_>>(), of_agent);
    }
}

//! `detector suggest`: the rule file goes to standard output, what there is to say about it to standard error.

use std::{fs, io::Write as _, process::ExitCode};

use anyhow::{Context as _, bail};
use log::{info, warn};

use super::alerts;
use crate::{
    cli::suggest::SuggestArgs,
    exit_code,
    incident::inert::visible,
    settings::Settings,
    suggest::{Account, Cause, Exception, Gathering, Options, rule_file, verify},
};

/// Causes that are left alone and named.
const MOST_LEFT: usize = 20;

pub(super) fn run(args: &SuggestArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let options = Options { falco_only: args.falco, pin_digests: args.pin_digests, least: args.least.max(1) };
    let inputs = alerts::inputs(&args.files, settings)?;
    let mut gathering = Gathering::default();
    let tally = alerts::each(&inputs, |alert| gathering.add(alert))?;
    if tally.alerts == 0 {
        bail!(
            "no alert was found{}",
            tally.skipped().map_or(String::new(), |skipped| format!("; {skipped}"))
        );
    }
    let (read, unsorted, unnamed) = (gathering.alerts, gathering.unsorted, gathering.unnamed);
    let (causes, kept) = gathering.finish(options.least);
    let mut exceptions: Vec<Exception> = Vec::new();
    let mut left: Vec<&Cause> = Vec::new();
    for cause in &causes {
        let proposed = (cause.count >= options.least)
            .then(|| Exception::of(cause, exceptions.len() + 1, &options))
            .flatten();
        match proposed {
            Some(exception) => exceptions.push(exception),
            None => left.push(cause),
        }
    }
    let uncovered: u64 = left.iter().map(|cause| cause.count).sum::<u64>() + unsorted + unnamed;
    let verified = verify(&settings.rules, &exceptions, &kept)?;
    let file = rule_file(&exceptions, Account { alerts: read, uncovered });
    match &args.output {
        Some(path) => fs::write(path, file).with_context(|| format!("cannot write {}", path.display()))?,
        None => std::io::stdout().write_all(file.as_bytes()).context("cannot write to standard output")?,
    }
    let sample = if (kept.len() as u64) < read - unnamed {
        format!("{} alerts, an even sample,", kept.len())
    } else {
        format!("{} alerts", kept.len())
    };
    info!(
        "verified by loading it: of {sample} {} would be silent, {} would come, {} cannot be told",
        verified.silenced, verified.left, verified.undecided
    );
    for rule in &verified.unknown_rules {
        warn!(
            "the rule `{}` is not among those that were given (-r): its exceptions were tried by themselves",
            visible(rule)
        );
    }
    for cause in left.iter().take(MOST_LEFT) {
        let images = cause.images.iter().next().map_or("an unknown image", String::as_str);
        info!("left alone: {} alerts of `{}` in {}", cause.count, visible(&cause.name), visible(images));
    }
    if left.len() > MOST_LEFT {
        info!("left alone: {} more", left.len() - MOST_LEFT);
    }
    if unsorted > 0 {
        warn!(
            "{unsorted} alerts are left alone without being named: there were too many different ones, and these came \
             least often"
        );
    }
    if unnamed > 0 {
        warn!(
            "{unnamed} alerts name no rule, as alerts in text form do not: nothing can be proposed for them"
        );
    }
    Ok(exit_code::SUCCESS)
}

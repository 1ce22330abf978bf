//! The agent: reads its flags and configuration, runs the pipeline, and says how it ended.

use std::{io::Write as _, process::ExitCode};

use anyhow::bail;
use clap::Parser as _;
use detector::{
    cli::Cli,
    config, exit_code, pipeline,
    settings::{self, Settings},
};
use log::{info, warn};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come as errors, too, but are none. A closed pipe is no reason to fail.
            let _ = error.print();
            return if error.use_stderr() { exit_code::FAILURE } else { exit_code::SUCCESS };
        }
    };
    start_log();
    match settings(&cli).and_then(|settings| run(&cli, &settings)) {
        Ok(()) => exit_code::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "Error: {error}");
            exit_code::FAILURE
        }
    }
}

/// Configuration, overrides and flags, in this order.
fn settings(cli: &Cli) -> anyhow::Result<Settings> {
    let loaded = config::load(cli.config.as_deref(), &cli.overrides)?;
    let settled = match settings::settle(&loaded.tree) {
        Ok(settled) => settled,
        Err(errors) => {
            let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
            bail!("{}", texts.join("\nError: "));
        }
    };
    for warning in &settled.warnings {
        warn!("{warning}");
    }
    if !settled.ignored.is_empty() {
        info!("configuration keys that do not concern this agent: {}", settled.ignored.join(", "));
    }
    let mut settings = settled.settings;
    if !cli.rules.is_empty() {
        settings.rules.files.clone_from(&cli.rules);
    }
    if cli.unbuffered {
        settings.buffered_outputs = false;
    }
    Ok(settings)
}

fn run(cli: &Cli, settings: &Settings) -> anyhow::Result<()> {
    // One thread: the work is small, and a second one would cost memory and wake-ups.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(pipeline::run(settings, cli.stop_after_seconds))?)
}

/// The agent's own log, on stderr, in the layout of Falco's.
fn start_log() {
    env_logger::Builder::new()
        .filter_level(log::LevelFilter::Info)
        .filter_module("aya", log::LevelFilter::Warn)
        .filter_module("detector_ebpf", log::LevelFilter::Trace)
        .format(|out, record| {
            let now = chrono::Local::now().format("%a %b %e %H:%M:%S %Y");
            match record.level() {
                log::Level::Info => writeln!(out, "{now}: {}", record.args()),
                level => writeln!(out, "{now}: {level}: {}", record.args()),
            }
        })
        .init();
}

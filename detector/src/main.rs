//! The agent: reads its flags, runs the pipeline, and says how it ended.

use std::{io::Write as _, process::ExitCode};

use clap::Parser as _;
use detector::{cli::Cli, exit_code, pipeline, settings::Settings};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come as errors, too, but are none. A closed pipe is no reason to fail.
            let _ = error.print();
            return if error.use_stderr() { exit_code::FAILURE } else { exit_code::SUCCESS };
        }
    };
    match cli.settings().map_err(anyhow::Error::from).and_then(|settings| run(&settings)) {
        Ok(()) => exit_code::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "Error: {error:#}");
            exit_code::FAILURE
        }
    }
}

fn run(settings: &Settings) -> anyhow::Result<()> {
    start_log();
    // One thread: the work is small, and a second one would cost memory and wake-ups.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(pipeline::run(settings))?)
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

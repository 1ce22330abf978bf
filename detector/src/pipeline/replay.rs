//! Recorded records to alerts: the same stages as a running agent, without a kernel and without root.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use log::info;

use super::{context::Contexts, judge::Judge, load_rules};
use crate::{
    enrich::identify,
    event::{BootClock, ExecEvent},
    recording::{Recording, RecordingError},
    rules::RulesError,
    settings::Settings,
};

/// Why a replay failed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The rules.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The file cannot be opened.
    #[error("cannot open the recording {path}: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be read to its end.
    #[error("{path}: {source}")]
    Recording {
        /// The file.
        path: PathBuf,
        /// Why.
        source: RecordingError,
    },
    /// Standard output.
    #[error("cannot write alerts to standard output: {0}")]
    Stdout(#[source] io::Error),
}

/// Makes the alerts of a recording and writes them to `out`.
pub fn replay(path: &Path, settings: &Settings, out: &mut impl Write) -> Result<(), ReplayError> {
    let engine = load_rules(settings)?;
    let file = File::open(path).map_err(|source| ReplayError::Open { path: path.to_owned(), source })?;
    let broken = |source| ReplayError::Recording { path: path.to_owned(), source };
    let mut recording = Recording::new(file).map_err(broken)?;
    let mut judge = Judge::new(settings, engine);
    let mut contexts = Contexts::default();
    // Its memory is used again and again.
    let mut event = ExecEvent::default();
    let started = Instant::now();
    while let Some(frame) = recording.next_frame().map_err(broken)? {
        let clock = BootClock { boot_at_ns: frame.boot_at_ns };
        if !judge.read_wanted(frame.record, clock, &mut event) {
            continue;
        }
        let mut context = contexts.read(frame.context);
        match &mut context {
            Some(context) => context.exchange(&mut event),
            None => event.container.id = identify(&event),
        }
        for line in judge.lines(&event) {
            out.write_all(line.with_newline()).map_err(ReplayError::Stdout)?;
        }
        if let Some(context) = context {
            context.exchange(&mut event);
        }
    }
    out.flush().map_err(ReplayError::Stdout)?;
    info!(
        "replayed {} records in {:.3} s, {} of them for no rule: {} alerts, {} undecodable",
        judge.records,
        started.elapsed().as_secs_f64(),
        judge.unwanted,
        judge.alerts,
        judge.undecodable
    );
    Ok(())
}

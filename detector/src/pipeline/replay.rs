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
    output::Line,
    recording::{Recording, RecordingError},
    rules::{RuleHits, RulesError},
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

/// Which records are decoded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decoded {
    /// Those that some rule can match.
    Wanted,
    /// Every one: an exception can be what makes a record unwanted, and is to be counted.
    All,
}

/// Makes the alerts of a recording and writes them to `out`.
pub fn replay(path: &Path, settings: &Settings, out: &mut impl Write) -> Result<(), ReplayError> {
    let mut judges = [judge(settings)?];
    let started = Instant::now();
    run(path, &mut judges, Decoded::Wanted, |[lines], _| {
        for line in lines {
            out.write_all(line.with_newline()).map_err(ReplayError::Stdout)?;
        }
        Ok(())
    })?;
    out.flush().map_err(ReplayError::Stdout)?;
    let [judge] = &judges;
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

/// How often each rule matches in a recording, and what silences it.
pub fn hits(path: &Path, settings: &Settings) -> Result<Vec<RuleHits>, ReplayError> {
    let mut judges = [judge(settings)?];
    run(path, &mut judges, Decoded::All, |_, _| Ok(()))?;
    let [judge] = &judges;
    Ok(judge.hits())
}

/// Holds a recording against two sets of rules at once. `take` gets the lines that each makes of an event for which
/// one of them makes any, and the bytes that were read so far. Memory does not grow with the recording.
pub fn compare(
    path: &Path,
    before: &Settings,
    after: &Settings,
    mut take: impl FnMut(&[Line], &[Line], u64),
) -> Result<(), ReplayError> {
    let mut judges = [judge(before)?, judge(after)?];
    run(path, &mut judges, Decoded::Wanted, |[one, other], bytes| {
        take(one, other, bytes);
        Ok(())
    })
}

fn judge(settings: &Settings) -> Result<Judge, ReplayError> {
    Ok(Judge::new(settings, load_rules(settings)?))
}

/// Every frame of a recording, before each judge; `take` gets the lines of all where there are any.
fn run<const N: usize>(
    path: &Path,
    judges: &mut [Judge; N],
    decoded: Decoded,
    mut take: impl FnMut(&[Vec<Line>; N], u64) -> Result<(), ReplayError>,
) -> Result<(), ReplayError> {
    let file = File::open(path).map_err(|source| ReplayError::Open { path: path.to_owned(), source })?;
    let broken = |source| ReplayError::Recording { path: path.to_owned(), source };
    let mut recording = Recording::new(file).map_err(broken)?;
    let mut contexts = Contexts::default();
    // Its memory is used again and again.
    let mut event = ExecEvent::default();
    let mut lines: [Vec<Line>; N] = std::array::from_fn(|_| Vec::new());
    let mut bytes = 0;
    while let Some(frame) = recording.next_frame().map_err(broken)? {
        bytes += (frame.record.len() + frame.context.len()) as u64;
        let clock = BootClock { boot_at_ns: frame.boot_at_ns };
        lines.iter_mut().for_each(Vec::clear);
        for (judge, lines) in judges.iter_mut().zip(&mut lines) {
            let is_event = match decoded {
                Decoded::Wanted => judge.read_wanted(frame.record, clock, &mut event),
                Decoded::All => judge.read(frame.record, clock, &mut event),
            };
            if !is_event {
                continue;
            }
            let mut context = contexts.read(frame.context);
            match &mut context {
                Some(context) => context.exchange(&mut event),
                None => event.container.id = identify(&event),
            }
            *lines = judge.lines(&event);
            if let Some(context) = context {
                context.exchange(&mut event);
            }
        }
        if lines.iter().any(|lines| !lines.is_empty()) {
            take(&lines, bytes)?;
        }
    }
    Ok(())
}

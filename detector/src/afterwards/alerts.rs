//! Opens what alerts are read from: files, standard input, or the agent's own file of alerts.

use std::{
    fs::File,
    io::{BufRead, BufReader, IsTerminal as _, Read as _, stdin},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use log::warn;

use super::progress::Progress;
use crate::{
    incident::{AlertReader, PastAlert, Tally},
    settings::Settings,
};

/// Alerts between two looks at the clock.
const STRIDE: u64 = 256;
/// The first bytes of a recording.
const RECORDING: &[u8] = b"DTRECORD";
/// The first bytes of metrics.
const METRICS: [&[u8]; 2] = [b"# HELP ", b"# TYPE "];
/// How many bytes are looked at.
const START: u64 = 8;

/// Which inputs to read: those given, else the agent's own file, else standard input when something is piped into it.
pub(super) fn inputs(given: &[PathBuf], settings: &Settings) -> anyhow::Result<Vec<PathBuf>> {
    if !given.is_empty() {
        return Ok(given.to_vec());
    }
    if let Some(file) = &settings.outputs.file {
        return Ok(vec![file.path.clone()]);
    }
    if !stdin().is_terminal() {
        return Ok(vec![PathBuf::from("-")]);
    }
    bail!(
        "no alerts to read: name a file, pipe alerts in, or name a configuration that writes them to a file \
         (-c FILE with file_output.enabled)"
    )
}

/// Reads all inputs, one alert after the other.
pub(super) fn each(inputs: &[PathBuf], mut take: impl FnMut(PastAlert)) -> anyhow::Result<Tally> {
    let mut progress = Progress::new(size(inputs));
    let mut all = Tally::default();
    for path in inputs {
        if path.as_os_str() == "-" {
            all.add(read("standard input", stdin().lock(), &all, &mut progress, &mut take)?);
        } else {
            let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
            let reader = BufReader::with_capacity(1 << 18, file);
            all.add(read(&path.display().to_string(), reader, &all, &mut progress, &mut take)?);
        }
    }
    drop(progress);
    if let Some(skipped) = all.skipped() {
        warn!("{skipped}");
        for malformed in all.first_malformed.iter().skip(1) {
            warn!("skipped: {malformed}");
        }
    }
    Ok(all)
}

fn read(
    name: &str,
    reader: impl BufRead,
    before: &Tally,
    progress: &mut Progress,
    take: &mut impl FnMut(PastAlert),
) -> anyhow::Result<Tally> {
    let mut reader = AlertReader::new(name, reader);
    while let Some(alert) = reader.next_alert()? {
        let tally = reader.tally();
        if tally.alerts.is_multiple_of(STRIDE) {
            progress.tell(before.bytes + tally.bytes, before.alerts + tally.alerts);
        }
        take(alert);
    }
    Ok(reader.into_tally())
}

/// What kind of thing an input is, by its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Alerts,
    Recording,
    /// What a running agent answers to `/metrics`.
    Metrics,
}

/// Looks at the beginning of an input; what was looked at is still there to be read.
pub(super) fn kind(path: &Path) -> Kind {
    let start = if path.as_os_str() == "-" {
        stdin().lock().fill_buf().map(<[u8]>::to_vec).unwrap_or_default()
    } else {
        let mut start = Vec::new();
        // What cannot be opened is told when it is read.
        let _ = File::open(path).and_then(|file| file.take(START).read_to_end(&mut start));
        start
    };
    match start.as_slice() {
        start if start.starts_with(RECORDING) && path.as_os_str() != "-" => Kind::Recording,
        start if METRICS.iter().any(|word| start.starts_with(word)) => Kind::Metrics,
        _ => Kind::Alerts,
    }
}

/// Bytes in all; `None` when one of the inputs has no size.
fn size(inputs: &[PathBuf]) -> Option<u64> {
    let size = |path: &Path| path.metadata().ok().filter(std::fs::Metadata::is_file).map(|file| file.len());
    inputs.iter().map(|path| size(path)).sum()
}

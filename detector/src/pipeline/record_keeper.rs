//! Writes records to a recording, each with what enrichment knew in the end: so a record is kept until its event
//! comes back from waiting.

use std::{collections::HashMap, fs::File, io::BufWriter, path::Path};

use super::{PipelineError, context::Context};
use crate::{
    event::{BootClock, ExecEvent},
    recording::Recorder,
};

/// Keeps records of events that are on their way; does nothing when no recording was asked for.
pub(super) struct RecordKeeper {
    recorder: Option<Recorder<BufWriter<File>>>,
    held: HashMap<u64, (BootClock, Vec<u8>)>,
}

impl RecordKeeper {
    /// Starts a recording, if `path` is one.
    pub(super) fn new(path: Option<&Path>) -> Result<Self, PipelineError> {
        let recorder = path.map(|path| {
            let file = File::create(path)
                .map_err(|source| PipelineError::RecordTo { path: path.to_owned(), source })?;
            Recorder::new(BufWriter::new(file)).map_err(PipelineError::Recording)
        });
        Ok(Self { recorder: recorder.transpose()?, held: HashMap::new() })
    }

    /// Keeps the record of an event until it is released.
    pub(super) fn hold(&mut self, number: u64, clock: BootClock, record: &[u8]) {
        if self.recorder.is_some() {
            self.held.insert(number, (clock, record.to_vec()));
        }
    }

    /// Writes the record of an event with what is known now.
    pub(super) fn release(&mut self, event: &ExecEvent) -> Result<(), PipelineError> {
        if let Some(recorder) = &mut self.recorder
            && let Some((clock, record)) = self.held.remove(&event.number)
        {
            let context = Context::of(event).to_bytes();
            recorder.add(clock.boot_at_ns, &record, &context).map_err(PipelineError::Recording)?;
        }
        Ok(())
    }

    /// Makes everything written so far safe.
    pub(super) fn flush(&mut self) -> Result<(), PipelineError> {
        self.recorder.as_mut().map_or(Ok(()), |recorder| recorder.flush().map_err(PipelineError::Recording))
    }
}

//! All outputs: a line goes to each of them, and none can hold up another or the sender.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::{
    direct::Direct,
    file::FileOutput,
    http::{Http, HttpError},
    line::Line,
    program::Program,
    queue::{OutputCounters, Queue},
    settings::{DEFAULT_QUEUE_CAPACITY, OutputSettings},
    sink::{self, Sink},
    stdout::{Reader, StdoutSink},
    syslog::Syslog,
    watchdog::{self, Alarm},
};

/// Name of the output that is special.
const STDOUT: &str = "stdout";

/// Why outputs cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system gave no thread.
    #[error("cannot start the thread of output {output}: {source}")]
    Thread {
        /// Which.
        output: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// Standard output is not there.
    #[error("cannot use standard output: {0}")]
    Stdout(#[source] io::Error),
    /// The http output.
    #[error("cannot use http_output: {0}")]
    Http(#[from] HttpError),
}

/// How the end was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flushed {
    /// Lines that were still in memory when the time was up.
    pub dropped: u64,
    /// Lines that wait on disk for the next start.
    pub spooled: u64,
}

/// The outputs of the agent.
pub struct Outputs {
    queues: Vec<Arc<Queue>>,
    /// The first output is standard output, and it can take lines without waiting.
    direct: Option<Direct>,
    stdout_reader: Arc<Reader>,
    alarm: Arc<Alarm>,
}

impl Outputs {
    /// Starts a thread for each enabled output, and one that watches them. Threads keep the rights that the caller
    /// has now: give up what is not needed first.
    pub fn start(settings: &OutputSettings) -> Result<Self, StartError> {
        Self::start_with_stdout(settings, io::stdout().as_fd())
    }

    /// The same with another file in the place of standard output.
    pub fn start_with_stdout(settings: &OutputSettings, stdout: BorrowedFd<'_>) -> Result<Self, StartError> {
        let mut starting = Starting::new(settings);
        let stdout_reader = Arc::<Reader>::default();
        // Falco's order of delivery, as far as parallel outputs have one; standard output first, for its short cut.
        let mut direct = None;
        if settings.stdout {
            let another = || stdout.try_clone_to_owned().map_err(StartError::Stdout);
            if !settings.buffered {
                direct = Direct::new(another()?);
            }
            let sink = StdoutSink::new(another()?, settings.buffered, Arc::clone(&stdout_reader));
            starting.simple(STDOUT, sink)?;
        }
        if let Some(file) = &settings.file {
            let sink = FileOutput::new(file.path.clone(), file.keep_alive).buffered(settings.buffered);
            starting.simple("file", sink)?;
        }
        if let Some(syslog) = &settings.syslog {
            starting.simple("syslog", Syslog::new(syslog.clone()))?;
        }
        if let Some(program) = &settings.program {
            starting.simple("program", Program::new(program.clone()))?;
        }
        if let Some(http) = &settings.http {
            let http = Http::new(http)?;
            starting.thread("http", move |queue| http.run(queue))?;
        }
        starting.watchdog(settings.timeout)?;
        let queues = std::mem::take(&mut starting.outputs);
        Ok(Self { queues, direct, stdout_reader, alarm: Arc::clone(&starting.alarm) })
    }

    /// Hands a line to all outputs. Never blocks; what finds no room is counted.
    pub fn send(&self, line: &Arc<Line>) {
        let mut direct = self.direct.as_ref();
        for output in &self.queues {
            output.send(Arc::clone(line), direct.take());
        }
    }

    /// Lets go of open files, connections and programs, after the line in work: for rotation of files.
    pub fn reopen(&self) {
        for output in &self.queues {
            output.reopen();
        }
    }

    /// Ends all outputs: what waits is delivered, as far as it can be within this time, and nothing is taken any
    /// more. Blocks that long at most.
    pub fn flush(&self, within: Duration) -> Flushed {
        let deadline = Instant::now() + within;
        for output in &self.queues {
            output.stop(deadline);
        }
        let mut flushed = Flushed { dropped: 0, spooled: 0 };
        for output in &self.queues {
            output.wait_for_end(deadline);
            let counters = output.counters();
            flushed.dropped += counters.dropped_timeout;
            flushed.spooled += counters.spooled;
        }
        flushed
    }

    /// Name and counters of each output.
    pub fn counters(&self) -> impl Iterator<Item = (&'static str, OutputCounters)> + '_ {
        self.queues.iter().map(|queue| (queue.name(), queue.counters()))
    }

    /// Whoever read standard output has closed it.
    #[must_use]
    pub fn stdout_gone(&self) -> bool {
        self.stdout_reader.has_left()
    }

    /// Waits until whoever read standard output has closed it, which shows with the next line.
    pub async fn stdout_leaves(&self) {
        self.stdout_reader.leaves().await;
    }

    /// Standard output is all there is.
    #[must_use]
    pub fn only_stdout(&self) -> bool {
        matches!(self.queues.as_slice(), [only] if only.name() == STDOUT)
    }
}

impl Drop for Outputs {
    /// Without a flush before, what waits is lost, but no thread stays.
    fn drop(&mut self) {
        let now = Instant::now();
        for output in &self.queues {
            output.stop_now(now);
        }
        self.alarm.end();
    }
}

/// Outputs while they are being started.
struct Starting<'a> {
    settings: &'a OutputSettings,
    outputs: Vec<Arc<Queue>>,
    alarm: Arc<Alarm>,
}

impl<'a> Starting<'a> {
    fn new(settings: &'a OutputSettings) -> Self {
        Self { settings, outputs: Vec::new(), alarm: Arc::default() }
    }

    fn simple(&mut self, name: &'static str, mut sink: impl Sink + 'static) -> Result<(), StartError> {
        self.thread(name, move |queue| sink::run(&mut sink, queue))
    }

    fn thread(
        &mut self,
        name: &'static str,
        body: impl FnOnce(&Queue) + Send + 'static,
    ) -> Result<(), StartError> {
        let capacity = match self.settings.queue_capacity {
            0 => DEFAULT_QUEUE_CAPACITY,
            lines => lines,
        };
        let queue = Arc::new(Queue::new(name, capacity, self.settings.overflow, Arc::clone(&self.alarm)));
        let theirs = Arc::clone(&queue);
        spawn(name, move || body(&theirs))?;
        self.outputs.push(queue);
        Ok(())
    }

    fn watchdog(&self, timeout: Duration) -> Result<(), StartError> {
        if self.outputs.is_empty() {
            return Ok(());
        }
        let queues = self.outputs.clone();
        let alarm = Arc::clone(&self.alarm);
        spawn("watchdog", move || watchdog::watch(&alarm, &queues, timeout))
    }
}

impl Drop for Starting<'_> {
    /// When a later output cannot start, the earlier ones end.
    fn drop(&mut self) {
        for output in &self.outputs {
            output.stop_now(Instant::now());
        }
    }
}

fn spawn(name: &'static str, body: impl FnOnce() + Send + 'static) -> Result<(), StartError> {
    let thread = thread::Builder::new().name(format!("out-{name}"));
    thread.spawn(body).map(drop).map_err(|source| StartError::Thread { output: name, source })
}

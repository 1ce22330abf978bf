//! All outputs: a line goes to each of them, and none can hold up another or the sender.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
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
    settings::{DEFAULT_QUEUE_CAPACITY, HttpSettings, OutputSettings},
    sink::{self, Sink},
    stdout::{Reader, StdoutSink},
    syslog::Syslog,
    watchdog::{self, Alarm, Watchlist},
};

/// Name of the output that is special.
const STDOUT: &str = "stdout";
/// All outputs there can be, in the order in which they are handed lines.
const ORDER: [&str; 6] = [STDOUT, "file", "syslog", "program", "http", "otlp"];

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
    /// An output over HTTP.
    #[error("cannot use {output}_output: {source}")]
    Http {
        /// Which.
        output: &'static str,
        /// Why not.
        source: HttpError,
    },
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
    settings: OutputSettings,
    /// What standard output is, for an output that starts later.
    stdout: OwnedFd,
    queues: Vec<Arc<Queue>>,
    /// Outputs that were switched off or replaced, and still deliver what they have.
    retired: Vec<Arc<Queue>>,
    watchlist: Arc<Watchlist>,
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
        let mut outputs = Self {
            settings: OutputSettings::default(),
            stdout: stdout.try_clone_to_owned().map_err(StartError::Stdout)?,
            queues: Vec::new(),
            retired: Vec::new(),
            watchlist: Arc::default(),
            direct: None,
            stdout_reader: Arc::default(),
            alarm: Arc::default(),
        };
        outputs.change(settings)?;
        Ok(outputs)
    }

    /// Goes over to other settings. Outputs whose settings stay keep their queues and connections; those that change
    /// or go deliver what they have, within the time to stop. After an error everything is as it was.
    pub fn change(&mut self, settings: &OutputSettings) -> Result<(), StartError> {
        let old = &self.settings;
        let queues_alike = old.queue_capacity == settings.queue_capacity && old.overflow == settings.overflow;
        let alike = queues_alike && old.buffered == settings.buffered;
        let mut starting = Starting::new(settings, Arc::clone(&self.alarm));
        let mut kept = Vec::new();
        let mut keep = |name: &'static str, stays: bool| {
            let queue = self.queues.iter().find(|queue| queue.name() == name && stays);
            kept.extend(queue.cloned());
            queue.is_some()
        };
        // Falco's order of delivery, as far as parallel outputs have one; standard output first, for its short cut.
        let (mut direct, mut reader) = (None, None);
        if settings.stdout && !keep(STDOUT, alike && old.stdout) {
            let another = || self.stdout.try_clone().map_err(StartError::Stdout);
            if !settings.buffered {
                direct = Direct::new(another()?);
            }
            let stdout_reader = Arc::<Reader>::default();
            let sink = StdoutSink::new(another()?, settings.buffered, Arc::clone(&stdout_reader));
            starting.simple(STDOUT, sink)?;
            reader = Some(stdout_reader);
        }
        if let Some(file) = &settings.file
            && !keep("file", alike && old.file == settings.file)
        {
            let sink = FileOutput::new(file.path.clone(), file.keep_alive).buffered(settings.buffered);
            starting.simple("file", sink)?;
        }
        if let Some(syslog) = &settings.syslog
            && !keep("syslog", queues_alike && old.syslog == settings.syslog)
        {
            starting.simple("syslog", Syslog::new(syslog.clone()))?;
        }
        if let Some(program) = &settings.program
            && !keep("program", queues_alike && old.program == settings.program)
        {
            starting.simple("program", Program::new(program.clone()))?;
        }
        for (name, old, new) in [("http", &old.http, &settings.http), ("otlp", &old.otlp, &settings.otlp)] {
            if let Some(http) = new
                && !keep(name, queues_alike && old == new)
            {
                starting.http(name, old.as_ref(), http)?;
            }
        }
        let started = std::mem::take(&mut starting.outputs);
        drop(starting);
        self.adopt(settings, kept, started);
        if let Some(reader) = reader {
            (self.direct, self.stdout_reader) = (direct, reader);
        } else if !settings.stdout {
            self.direct = None;
        }
        self.watch()
    }

    /// Takes over what was kept and started, in the order of delivery; the rest of the old ones retire.
    fn adopt(&mut self, settings: &OutputSettings, kept: Vec<Arc<Queue>>, started: Vec<Arc<Queue>>) {
        let mut queues: Vec<Arc<Queue>> = kept.into_iter().chain(started).collect();
        queues.sort_by_key(|queue| ORDER.iter().position(|name| *name == queue.name()));
        let old = std::mem::replace(&mut self.queues, queues);
        let deadline = Instant::now() + self.settings.timeout;
        for queue in old {
            if !self.queues.iter().any(|kept| Arc::ptr_eq(kept, &queue)) {
                queue.stop(deadline);
                self.retired.push(queue);
            }
        }
        self.settings = settings.clone();
    }

    fn watch(&self) -> Result<(), StartError> {
        let first = self.watchlist.set(self.queues.clone(), self.settings.timeout);
        if !first {
            return Ok(());
        }
        let (alarm, list) = (Arc::clone(&self.alarm), Arc::clone(&self.watchlist));
        spawn("watchdog", move || watchdog::watch(&alarm, &list))
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
        for output in self.queues.iter().chain(&self.retired) {
            output.wait_for_end(deadline);
            let counters = output.counters();
            flushed.dropped += counters.dropped_timeout;
            flushed.spooled += counters.spooled;
        }
        flushed
    }

    /// Name and counters of each output, those of outputs that it has replaced included.
    pub fn counters(&self) -> impl Iterator<Item = (&'static str, OutputCounters)> + '_ {
        ORDER.iter().filter_map(|name| {
            let all = self.retired.iter().chain(&self.queues);
            let counters = all.filter(|queue| queue.name() == *name).map(|queue| queue.counters());
            Some((*name, counters.reduce(OutputCounters::and)?))
        })
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
        for output in self.queues.iter().chain(&self.retired) {
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
    fn new(settings: &'a OutputSettings, alarm: Arc<Alarm>) -> Self {
        Self { settings, outputs: Vec::new(), alarm }
    }

    fn simple(&mut self, name: &'static str, mut sink: impl Sink + 'static) -> Result<(), StartError> {
        self.thread(name, move |queue| sink::run(&mut sink, queue))
    }

    /// Of two that use one spool the first must let go of it before the other can have it. Until then the other holds
    /// its lines in memory.
    fn http(
        &mut self,
        name: &'static str,
        old: Option<&HttpSettings>,
        settings: &HttpSettings,
    ) -> Result<(), StartError> {
        let folder = |http: &HttpSettings| http.spool.as_ref().map(|spool| spool.folder.clone());
        let old = old.and_then(folder);
        let (settings, inherited) = if old.is_some() && old == folder(settings) {
            (&HttpSettings { spool: None, ..settings.clone() }, settings.spool.clone())
        } else {
            (settings, None)
        };
        let mut http =
            Http::new(name, settings).map_err(|source| StartError::Http { output: name, source })?;
        self.thread(name, move |queue| {
            if let Some(spool) = inherited {
                http.inherit(&spool, queue);
            }
            http.run(queue);
        })
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

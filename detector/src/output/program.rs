//! A program that reads lines: `/bin/sh -c`, as `popen(3)` starts it, once for each line or once for all.
//!
//! A program that ends is started again; how it ended is reported when it was not well.

use std::{
    io::{self, Write as _},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use log::warn;

use super::{
    queue::{Entry, Queue},
    settings::ProgramSettings,
    sink::{DeliveryError, Sink},
};

/// A program that ended sooner is not started again at once.
const SHORT_LIFE: Duration = Duration::from_secs(1);
/// How long it then waits.
const RESTART_WAIT: Duration = Duration::from_millis(500);

struct Running {
    child: Child,
    input: ChildStdin,
    since: Instant,
}

/// The program.
pub(super) struct Program {
    settings: ProgramSettings,
    running: Option<Running>,
}

impl Program {
    pub(super) const fn new(settings: ProgramSettings) -> Self {
        Self { settings, running: None }
    }

    fn start(&self) -> Result<Running, DeliveryError> {
        // The standard library gives the child a default SIGPIPE and no blocked signals.
        let started = Command::new("/bin/sh")
            .arg("-c")
            .arg(&self.settings.command)
            .stdin(Stdio::piped())
            .spawn()
            .and_then(|mut child| match child.stdin.take() {
                Some(input) => Ok(Running { child, input, since: Instant::now() }),
                None => Err(io::ErrorKind::BrokenPipe.into()),
            });
        started.map_err(|source| DeliveryError::Start { command: self.settings.command.clone(), source })
    }

    /// One program for this line. What counts is how it ends: it need not read its input.
    fn deliver_alone(&self, bytes: &[u8]) -> Result<(), DeliveryError> {
        let mut running = self.start()?;
        let written = running.input.write_all(bytes);
        let status = self.end(running)?;
        if !status.success() {
            return Err(self.ended(status));
        }
        match written {
            Err(source) if source.kind() != io::ErrorKind::BrokenPipe => Err(self.cannot_write(source)),
            _ => Ok(()),
        }
    }

    /// The program that is running, started when it is not. A line that it did not take goes to a new one, once.
    fn deliver_to_running(&mut self, bytes: &[u8], queue: &Queue) -> Result<(), DeliveryError> {
        let mut tried = false;
        loop {
            let mut running = match self.running.take() {
                Some(mut running) => match running.child.try_wait() {
                    Ok(None) => running,
                    _ => self.restart(running, queue)?,
                },
                None => self.start()?,
            };
            match running.input.write_all(bytes) {
                Ok(()) => {
                    self.running = Some(running);
                    return Ok(());
                }
                Err(source) if tried => {
                    let status = self.end(running)?;
                    let ended = source.kind() == io::ErrorKind::BrokenPipe;
                    return Err(if ended { self.ended(status) } else { self.cannot_write(source) });
                }
                Err(_) => {
                    tried = true;
                    queue.count_retry();
                    self.running = Some(self.restart(running, queue)?);
                }
            }
        }
    }

    fn restart(&self, old: Running, queue: &Queue) -> Result<Running, DeliveryError> {
        let lived = old.since.elapsed();
        let status = self.end(old)?;
        warn!("output program: {}; it is started again", self.ended(status));
        let wait = if lived < SHORT_LIFE { RESTART_WAIT } else { Duration::ZERO };
        // Not when the time to stop is up.
        if !queue.pause(wait) {
            return Err(self.ended(status));
        }
        self.start()
    }

    /// Closes its input and waits for its end, as `pclose(3)`.
    fn end(&self, running: Running) -> Result<ExitStatus, DeliveryError> {
        let Running { mut child, input, .. } = running;
        drop(input);
        child.wait().map_err(|source| self.cannot_write(source))
    }

    fn ended(&self, status: ExitStatus) -> DeliveryError {
        DeliveryError::Ended { command: self.settings.command.clone(), status: status.to_string() }
    }

    fn cannot_write(&self, source: io::Error) -> DeliveryError {
        DeliveryError::Write { to: format!("`{}`", self.settings.command), source }
    }

    fn let_go(&mut self) -> Result<(), DeliveryError> {
        let Some(running) = self.running.take() else { return Ok(()) };
        let status = self.end(running)?;
        if status.success() { Ok(()) } else { Err(self.ended(status)) }
    }
}

impl Sink for Program {
    fn deliver(&mut self, entry: &Entry, queue: &Queue) -> Result<(), DeliveryError> {
        let bytes = entry.line.with_newline();
        if self.settings.keep_alive {
            self.deliver_to_running(bytes, queue)
        } else {
            self.deliver_alone(bytes)
        }
    }

    fn reopen(&mut self, _queue: &Queue) {
        if let Err(error) = self.let_go() {
            warn!("output program: {error}");
        }
    }

    fn finish(&mut self) -> Result<(), (u64, DeliveryError)> {
        self.let_go().map_err(|error| (0, error))
    }
}

//! The system's logger, as `syslog(3)` without `openlog` reaches it: RFC 3164 over `/dev/log`, facility user, the
//! program's name, no pid.
//!
//! Unlike the C library, a logger that restarts costs no line: lines are held back for a moment. A host without any
//! logger is no reason to wait with each line, so the moment is one per outage.

use std::{
    io::{self, Write as _},
    os::unix::net::{UnixDatagram, UnixStream},
    time::{Duration, Instant},
};

use log::info;

use super::{
    line::Line,
    queue::{Entry, Queue},
    settings::SyslogSettings,
    sink::{DeliveryError, Sink},
};

/// `LOG_USER`, shifted.
const FACILITY_USER: u8 = 1 << 3;
/// The first wait between two tries, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

enum Socket {
    Datagrams(UnixDatagram),
    /// Messages end with a zero byte there.
    Stream(UnixStream),
}

/// The logger.
pub(super) struct Syslog {
    settings: SyslogSettings,
    socket: Option<Socket>,
    down_since: Option<Instant>,
}

impl Syslog {
    pub(super) const fn new(settings: SyslogSettings) -> Self {
        Self { settings, socket: None, down_since: None }
    }

    /// The bytes of a message, with the zero at its end.
    fn message(&self, line: &Line, time: &str) -> Vec<u8> {
        let priority = FACILITY_USER | line.priority();
        let mut message = format!("<{priority}>{time} {}: ", self.settings.ident).into_bytes();
        message.extend_from_slice(line.bytes());
        message.push(0);
        message
    }

    fn connect(&self) -> io::Result<Socket> {
        let datagrams = UnixDatagram::unbound()?;
        match datagrams.connect(&self.settings.socket) {
            Ok(()) => Ok(Socket::Datagrams(datagrams)),
            Err(error) if error.raw_os_error() == Some(libc::EPROTOTYPE) => {
                UnixStream::connect(&self.settings.socket).map(Socket::Stream)
            }
            Err(error) => Err(error),
        }
    }

    /// One try; a connection that broke since the last line gets a second one.
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let kept = self.socket.take();
        let had_one = kept.is_some();
        let socket = kept.map_or_else(|| self.connect(), Ok)?;
        match send(&socket, message) {
            Ok(()) => self.socket = Some(socket),
            Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => {
                self.socket = Some(socket);
                return Err(error);
            }
            Err(_) if had_one => {
                let socket = self.connect()?;
                send(&socket, message)?;
                self.socket = Some(socket);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Sink for Syslog {
    fn deliver(&mut self, entry: &Entry, queue: &Queue) -> Result<(), DeliveryError> {
        let time = chrono::Local::now().format("%b %e %H:%M:%S").to_string();
        let message = self.message(&entry.line, &time);
        let mut wait = WAITS.0;
        loop {
            let source = match self.send(&message) {
                Ok(()) => {
                    self.down_since = None;
                    return Ok(());
                }
                Err(error) => error,
            };
            let down = *self.down_since.get_or_insert_with(|| {
                info!("output syslog: nobody listens at {}: {source}", self.settings.socket.display());
                Instant::now()
            });
            let too_long = source.raw_os_error() == Some(libc::EMSGSIZE);
            if too_long || down.elapsed() >= self.settings.patience || !queue.pause(wait) {
                return Err(DeliveryError::Write { to: self.settings.socket.display().to_string(), source });
            }
            queue.count_retry();
            wait = (wait * 2).min(WAITS.1);
        }
    }

    fn reopen(&mut self, _queue: &Queue) {
        self.socket = None;
    }
}

fn send(socket: &Socket, message: &[u8]) -> io::Result<()> {
    match socket {
        Socket::Datagrams(socket) => socket.send(message.strip_suffix(&[0]).unwrap_or(message)).map(drop),
        Socket::Stream(socket) => (&mut &*socket).write_all(message),
    }
}

#[cfg(test)]
mod tests {
    use super::Syslog;
    use crate::output::{line::Line, settings::SyslogSettings};

    #[test]
    fn a_message_is_priority_time_name_and_line() {
        let syslog = Syslog::new(SyslogSettings::default());
        for (priority, number) in [(0, 8), (2, 10), (7, 15)] {
            let message =
                syslog.message(&Line::new("14:00:00.0: Critical x", priority, false), "Nov  2 04:05:06");
            let expected = format!("<{number}>Nov  2 04:05:06 detector: 14:00:00.0: Critical x\0");
            assert_eq!(String::from_utf8(message).unwrap(), expected);
        }
    }
}

//! The agent's own log, on stderr and in the system's log, in the layout of Falco's. It can be set anew at any time,
//! as a reload does.

use std::{
    io::{self, Write as _},
    os::unix::net::UnixDatagram,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use log::{Level, LevelFilter, Log, Metadata, Record};

/// Where the system's logger listens.
const SYSTEM_LOG: &str = "/dev/log";
/// `LOG_USER`, shifted.
const FACILITY_USER: u8 = 1 << 3;

/// What is logged, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// `log_stderr`
    pub stderr: bool,
    /// `log_syslog`
    pub syslog: bool,
    /// `log_level`
    pub level: LevelFilter,
    /// `libs_logger`: what the library that loads the hooks says.
    pub libraries: LevelFilter,
    /// `time_format_iso_8601`
    pub iso_times: bool,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            stderr: true,
            syslog: false,
            level: LevelFilter::Info,
            libraries: LevelFilter::Warn,
            iso_times: false,
        }
    }
}

impl LogSettings {
    /// The most that a module may say. The kernel side's log only exists when it was asked for.
    fn most(&self, module: &str) -> LevelFilter {
        match module.split("::").next().unwrap_or_default() {
            "detector_ebpf" => LevelFilter::Trace,
            "detector" => self.level,
            "aya" | "aya_obj" | "aya_log" => self.libraries,
            _ => self.libraries.min(LevelFilter::Warn),
        }
    }

    fn line(&self, record: &Record<'_>) -> String {
        let time = if self.iso_times {
            chrono::Utc::now().format("%Y-%m-%dT%H:%M:%S+0000").to_string()
        } else {
            chrono::Local::now().format("%a %b %e %H:%M:%S %Y").to_string()
        };
        match record.level() {
            Level::Info => format!("{time}: {}\n", record.args()),
            level => format!("{time}: {level}: {}\n", record.args()),
        }
    }
}

/// For whoever looks into the agent itself: with `DETECTOR_LOG=debug` it says more than it is set to.
const MORE: &str = "DETECTOR_LOG";

/// Starts the log, or changes it.
pub fn set(mut settings: LogSettings) {
    if let Some(level) = std::env::var(MORE).ok().and_then(|level| level.parse().ok()) {
        settings.level = settings.level.max(level);
    }
    // Levels depend on the module, so they are looked at for each message.
    log::set_max_level(LevelFilter::Trace);
    LOGGER.lock().settings = Some(settings);
    // Fails when it is set already, which is what is wanted.
    let _ = log::set_logger(&LOGGER);
}

static LOGGER: Logger = Logger { state: Mutex::new(State { settings: None, socket: None }) };

struct Logger {
    state: Mutex<State>,
}

struct State {
    settings: Option<LogSettings>,
    socket: Option<UnixDatagram>,
}

impl Logger {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let state = self.lock();
        state.settings.as_ref().is_some_and(|settings| metadata.level() <= settings.most(metadata.target()))
    }

    fn log(&self, record: &Record<'_>) {
        let mut state = self.lock();
        let Some(settings) = &state.settings else { return };
        if record.level() > settings.most(record.target()) {
            return;
        }
        let (to_stderr, to_syslog) = (settings.stderr, settings.syslog);
        if to_stderr {
            // One write, so that lines of several processes do not mix. There is nobody to tell that it failed.
            let line = settings.line(record);
            let _ = io::stderr().lock().write_all(line.as_bytes());
        }
        if to_syslog {
            let message = system_message(record);
            state.tell_system(&message);
        }
    }

    fn flush(&self) {}
}

impl State {
    /// Never waits: a system's log that is stuck shall not hold up the agent. What it does not take is still on
    /// stderr, if that is switched on.
    fn tell_system(&mut self, message: &str) {
        if let Some(socket) = &self.socket
            && socket.send(message.as_bytes()).is_ok()
        {
            return;
        }
        self.socket = connected(Path::new(SYSTEM_LOG)).ok();
        if let Some(socket) = &self.socket {
            let _ = socket.send(message.as_bytes());
        }
    }
}

fn connected(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

fn system_message(record: &Record<'_>) -> String {
    let priority = FACILITY_USER
        | match record.level() {
            Level::Error => 3,
            Level::Warn => 4,
            Level::Info => 6,
            Level::Debug | Level::Trace => 7,
        };
    format!("<{priority}>{} detector: {}", chrono::Local::now().format("%b %e %H:%M:%S"), record.args())
}

#[cfg(test)]
mod tests {
    use log::{Level, LevelFilter, Record};

    use super::{LogSettings, system_message};

    #[test]
    fn libraries_have_a_level_of_their_own() {
        let settings = LogSettings {
            level: LevelFilter::Error,
            libraries: LevelFilter::Debug,
            ..LogSettings::default()
        };
        assert_eq!(settings.most("detector::pipeline"), LevelFilter::Error);
        assert_eq!(settings.most("aya::bpf"), LevelFilter::Debug);
        assert_eq!(settings.most("hyper::proto"), LevelFilter::Warn);
        assert_eq!(settings.most("detector_ebpf"), LevelFilter::Trace);
    }

    #[test]
    fn lines_have_falcos_layout() {
        let settings = LogSettings { iso_times: true, ..LogSettings::default() };
        let line = |level| settings.line(&Record::builder().level(level).args(format_args!("x")).build());
        assert_eq!(line(Level::Info)[19..].to_owned(), "+0000: x\n");
        assert_eq!(line(Level::Warn)[19..].to_owned(), "+0000: WARN: x\n");
    }

    #[test]
    fn the_system_gets_its_own_numbers() {
        let text = |level| system_message(&Record::builder().level(level).args(format_args!("x")).build());
        assert!(text(Level::Error).starts_with("<11>") && text(Level::Error).ends_with(" detector: x"));
        assert!(text(Level::Info).starts_with("<14>"));
    }
}

//! What can be set about outputs. The names in brackets are the keys of the configuration; keys that Falco has keep
//! its meaning.

use std::{path::PathBuf, time::Duration};

/// Lines that one output holds back when nothing else is asked for. Falco's default is "no limit", which lets a
/// stalled receiver eat the host's memory.
pub const DEFAULT_QUEUE_CAPACITY: usize = 4096;

/// All outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputSettings {
    /// `outputs_queue.capacity`: lines that each output holds back; 0 = [`DEFAULT_QUEUE_CAPACITY`].
    pub queue_capacity: usize,
    /// `outputs_queue.overflow`: which line goes when the queue is full.
    pub overflow: Overflow,
    /// `output_timeout`: an output that works longer on one line is reported.
    pub timeout: Duration,
    /// `buffered_outputs`: lines for stdout and the file wait until a buffer is full.
    pub buffered: bool,
    /// `stdout_output.enabled`.
    pub stdout: bool,
    /// `file_output`, when enabled.
    pub file: Option<FileSettings>,
    /// `syslog_output`, when enabled.
    pub syslog: Option<SyslogSettings>,
    /// `program_output`, when enabled.
    pub program: Option<ProgramSettings>,
    /// `http_output`, when enabled.
    pub http: Option<HttpSettings>,
    /// `otlp_output`, when enabled.
    pub otlp: Option<HttpSettings>,
}

impl Default for OutputSettings {
    /// Nothing enabled.
    fn default() -> Self {
        Self {
            queue_capacity: 0,
            overflow: Overflow::default(),
            timeout: Duration::from_secs(2),
            buffered: false,
            stdout: false,
            file: None,
            syslog: None,
            program: None,
            http: None,
            otlp: None,
        }
    }
}

/// Which line is lost when there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Overflow {
    /// `drop_newest`: the one that comes, as with Falco.
    #[default]
    DropNewest,
    /// `drop_oldest`: the one that waits longest.
    DropOldest,
}

/// `file_output`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSettings {
    /// `filename`.
    pub path: PathBuf,
    /// `keep_alive`: opened once, and anew on request, and not for each line.
    pub keep_alive: bool,
}

/// `syslog_output`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogSettings {
    /// Where the system's logger listens.
    pub socket: PathBuf,
    /// The name that messages carry: the program's.
    pub ident: String,
    /// How long alerts are held back, once for each outage, while nobody listens.
    pub patience: Duration,
}

impl Default for SyslogSettings {
    fn default() -> Self {
        Self { socket: "/dev/log".into(), ident: "detector".to_owned(), patience: Duration::from_secs(5) }
    }
}

/// `program_output`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramSettings {
    /// `program`: for `/bin/sh -c`.
    pub command: String,
    /// `keep_alive`: started once, and not for each line.
    pub keep_alive: bool,
}

/// What is sent over HTTP, and what answers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Protocol {
    /// Lines, as Falco sends them to falcosidekick.
    #[default]
    Lines,
    /// Requests of OTLP.
    Otlp,
}

/// `http_output` or `otlp_output`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// What is sent.
    pub protocol: Protocol,
    /// `url`: `http://` or `https://`.
    pub url: String,
    /// `headers`: names and values.
    pub headers: Vec<(String, String)>,
    /// `user_agent`.
    pub user_agent: String,
    /// `echo`: answers are printed to standard output.
    pub echo: bool,
    /// `keep_alive`: an idle connection is kept for minutes, and not for seconds.
    pub keep_alive: bool,
    /// Certificates.
    pub tls: TlsSettings,
    /// `timeout`: for one request with its answer.
    pub timeout: Duration,
    /// `retry_initial`: wait before the second try; doubles with each further one.
    pub retry_initial: Duration,
    /// `retry_max`: the longest wait.
    pub retry_max: Duration,
    /// `max_refusals`: how often a receiver may refuse a line (5xx, 429, connection cut, no answer in time) before
    /// the line is given up. Tries that did not reach the receiver do not count.
    pub max_refusals: u32,
    /// `spool`: lines wait on disk, and not in memory.
    pub spool: Option<SpoolSettings>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            protocol: Protocol::Lines,
            url: String::new(),
            headers: Vec::new(),
            user_agent: "falcosecurity/falco".to_owned(),
            echo: false,
            keep_alive: false,
            tls: TlsSettings::default(),
            timeout: Duration::from_secs(10),
            retry_initial: Duration::from_millis(250),
            retry_max: Duration::from_secs(30),
            max_refusals: 100,
            spool: None,
        }
    }
}

/// The TLS part of `http_output` and `otlp_output`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TlsSettings {
    /// `insecure`: the receiver may be anybody.
    pub insecure: bool,
    /// `mtls`, `client_cert` and `client_key`: files with our certificate (and what it hangs on) and its key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// `ca_cert`: file with the certificates to trust; wins over the next two.
    pub ca_cert: Option<PathBuf>,
    /// `ca_bundle`: the same; wins over the next one.
    pub ca_bundle: Option<PathBuf>,
    /// `ca_path`: folder of such files; without it `/etc/ssl/certs`.
    pub ca_path: Option<PathBuf>,
}

/// `http_output.spool`, `otlp_output.spool`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolSettings {
    /// `path`: a folder of its own, made when it is missing.
    pub folder: PathBuf,
    /// `max_size`: bytes on disk.
    pub max_bytes: u64,
    /// `overflow`: what goes when it is full. The oldest lines go by the segment file, an eighth of the size.
    pub overflow: Overflow,
}

//! One request and what its answer means.

use std::{
    io::{Read as _, Write as _},
    time::Duration,
};

use ureq::{
    Agent, Body, Error,
    http::{HeaderValue, Response, Uri, header::RETRY_AFTER, uri::Scheme},
};

use super::{HttpError, tls};
use crate::output::{line::Line, settings::HttpSettings};

/// How much of an answer the log shows.
const SHOWN: u64 = 512;
/// How much of an answer is read, so that the connection can be used again.
const READ: u64 = 64 * 1024;
/// How long an idle connection is kept, without and with `keep_alive`.
const IDLE: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(300));

/// Why the address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// It is no URL.
    #[error("`url` is `{url}`, which is no URL: {reason}")]
    Malformed {
        /// As written.
        url: String,
        /// The parser's word.
        reason: String,
    },
    /// Other schemes.
    #[error("`url` is `{0}`, which does not start with `http://HOST` or `https://HOST`")]
    NotHttp(String),
    /// It cannot stand in a request.
    #[error("`user_agent` is `{0}`, which holds characters that a header cannot carry")]
    UserAgent(String),
}

/// What became of a line.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The receiver has it.
    Accepted,
    /// The receiver will never take it.
    Rejected(String),
    /// The receiver does not take it now.
    Refused { reason: String, retry_after: Option<Duration> },
    /// The receiver does not know of it.
    NotReached(String),
}

/// The connection to the receiver.
pub(super) struct Client {
    settings: HttpSettings,
    /// Scheme, host and port: what may be shown. The rest can hold secrets.
    shown: String,
    config: ureq::config::Config,
    agent: Agent,
}

impl Client {
    pub(super) fn new(settings: &HttpSettings) -> Result<Self, HttpError> {
        let uri: Uri = settings.url.parse().map_err(|error: ureq::http::uri::InvalidUri| {
            UrlError::Malformed { url: settings.url.clone(), reason: error.to_string() }
        })?;
        let secure = uri.scheme() == Some(&Scheme::HTTPS);
        let (Some(scheme), Some(authority), true) =
            (uri.scheme(), uri.authority(), secure || uri.scheme() == Some(&Scheme::HTTP))
        else {
            return Err(UrlError::NotHttp(settings.url.clone()).into());
        };
        let port = authority.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        let shown = format!("{scheme}://{}{port}", authority.host());
        HeaderValue::from_str(&settings.user_agent)
            .map_err(|_| UrlError::UserAgent(settings.user_agent.clone()))?;
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // As libcurl unless told otherwise.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(&settings.user_agent)
            .timeout_global(Some(settings.timeout))
            .max_idle_connections(1)
            .max_idle_age(if settings.keep_alive { IDLE.1 } else { IDLE.0 });
        if secure {
            config = config.tls_config(tls::config(&settings.tls)?);
        }
        let config = config.build();
        Ok(Self { settings: settings.clone(), shown, agent: config.new_agent(), config })
    }

    /// Forgets the connection, for instance because certificates changed.
    pub(super) fn disconnect(&mut self) {
        self.agent = self.config.new_agent();
    }

    /// Sends a line and waits for the answer.
    pub(super) fn post(&self, line: &Line) -> Verdict {
        let content_type = if line.is_json() { "application/json" } else { "text/plain" };
        match self.agent.post(&self.settings.url).content_type(content_type).send(line.bytes()) {
            Ok(answer) => self.judge(answer),
            Err(error) if reached(&error) => Verdict::Refused {
                reason: format!("{} gave no answer: {error}", self.shown),
                retry_after: None,
            },
            Err(error) => Verdict::NotReached(format!("cannot reach {}: {error}", self.shown)),
        }
    }

    fn judge(&self, mut answer: Response<Body>) -> Verdict {
        let status = answer.status();
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(seconds);
        let mut text = Vec::new();
        // The status has decided: a receiver that breaks off within its answer has the line all the same.
        let _ = answer.body_mut().as_reader().take(READ).read_to_end(&mut text);
        if self.settings.echo {
            let mut out = std::io::stdout().lock();
            let _ = out.write_all(&text).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
        }
        if status.is_success() {
            return Verdict::Accepted;
        }
        text.truncate(usize::try_from(SHOWN).unwrap_or(usize::MAX));
        let text = String::from_utf8_lossy(&text).trim().escape_debug().to_string();
        let reason = format!("{} answered {} `{text}`", self.shown, status.as_u16());
        match status.as_u16() {
            408 | 425 | 429 | 500.. => Verdict::Refused { reason, retry_after },
            _ => Verdict::Rejected(reason),
        }
    }
}

/// `Retry-After` in seconds; dates are not understood.
fn seconds(value: &HeaderValue) -> Option<Duration> {
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Whether the receiver may have seen the request. If in doubt it has: that only bounds the number of tries.
fn reached(error: &Error) -> bool {
    use std::io::ErrorKind::{
        AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable,
    };
    match error {
        Error::Io(error) => !matches!(
            error.kind(),
            ConnectionRefused | HostUnreachable | NetworkUnreachable | NetworkDown | AddrNotAvailable
        ),
        Error::HostNotFound
        | Error::ConnectionFailed
        | Error::ConnectProxyFailed(_)
        | Error::Tls(_)
        | Error::Rustls(_)
        | Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => false,
        _ => true,
    }
}

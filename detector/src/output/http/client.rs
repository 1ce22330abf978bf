//! One request and what its answer means.

use std::{
    io::{Read as _, Write as _},
    time::Duration,
};

use ureq::{
    Agent, Body, Error,
    http::{
        HeaderName, HeaderValue, Response, Uri,
        header::{CONTENT_TYPE, RETRY_AFTER},
        uri::Scheme,
    },
};

use super::{
    HttpError,
    otlp::{self, Success},
    tls,
};
use crate::output::{
    line::Line,
    settings::{HttpSettings, Protocol},
};

/// How many characters of an answer the log shows.
const SHOWN: usize = 512;
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
    /// It cannot stand in a request.
    #[error("`headers` has `{0}`, which is no name of a header, or has a value that a header cannot carry")]
    Header(String),
}

/// What became of a line.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The receiver has it, and may have a word to say about it.
    Accepted { remark: Option<String> },
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
        for (name, value) in &settings.headers {
            if name.parse::<HeaderName>().is_err() || HeaderValue::from_str(value).is_err() {
                return Err(UrlError::Header(name.clone()).into());
            }
        }
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
        let content_type = match self.settings.protocol {
            Protocol::Otlp => "application/x-protobuf",
            Protocol::Lines if line.is_json() => "application/json",
            Protocol::Lines => "text/plain",
        };
        let mut request = self.agent.post(&self.settings.url).content_type(content_type);
        for (name, value) in &self.settings.headers {
            request = request.header(name, value);
        }
        match request.send(line.bytes()) {
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
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(wait);
        let header = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = header.map(str::to_owned);
        let mut text = Vec::new();
        // The status has decided: a receiver that breaks off within its answer has the line all the same.
        let _ = answer.body_mut().as_reader().take(READ).read_to_end(&mut text);
        if self.settings.echo {
            let mut out = std::io::stdout().lock();
            let _ = out.write_all(&text).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
        }
        let is_otlp = self.settings.protocol == Protocol::Otlp;
        if status.is_success() {
            return match otlp::success(&text) {
                Success::Whole(remark) if is_otlp => {
                    Verdict::Accepted { remark: remark.map(|remark| shown(&remark)) }
                }
                Success::Rejected(why) if is_otlp => {
                    Verdict::Rejected(format!("{} took it but for the record: `{}`", self.shown, shown(&why)))
                }
                _ => Verdict::Accepted { remark: None },
            };
        }
        let words = if is_otlp {
            otlp::words(&text, content_type.as_deref())
        } else {
            String::from_utf8_lossy(&text).into_owned()
        };
        let reason = format!("{} answered {} `{}`", self.shown, status.as_u16(), shown(&words));
        let for_now = match status.as_u16() {
            status if is_otlp => otlp::is_for_now(status),
            408 | 425 | 429 | 500.. => true,
            _ => false,
        };
        if for_now { Verdict::Refused { reason, retry_after } } else { Verdict::Rejected(reason) }
    }
}

/// A receiver's words, short and on one line.
fn shown(words: &str) -> String {
    words.trim().chars().take(SHOWN).collect::<String>().escape_debug().to_string()
}

/// `Retry-After`: seconds, or a date.
fn wait(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
    // One that is over asks for no wait.
    Some(date.signed_duration_since(chrono::Utc::now()).to_std().unwrap_or_default())
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ureq::http::HeaderValue;

    use super::wait;

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        let asked = |text: &str| wait(&HeaderValue::from_str(text).unwrap());
        assert_eq!(asked("7"), Some(Duration::from_secs(7)));
        assert_eq!(asked("soon"), None);
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO), "that is over");
        let date = chrono::Utc::now() + chrono::TimeDelta::seconds(100);
        let wait = asked(&date.format("%a, %d %b %Y %H:%M:%S GMT").to_string()).unwrap();
        assert!(Duration::from_secs(50) < wait && wait <= Duration::from_secs(100), "{wait:?}");
    }
}

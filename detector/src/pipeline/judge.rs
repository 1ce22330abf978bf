//! From record to lines: what a running agent and a replay have in common.

use std::sync::Arc;

use log::warn;

use crate::{
    alert::Alert,
    decode::decode_reusing,
    event::{BootClock, ExecEvent, HostFacts, StreamPosition},
    format::{JsonOptions, TimeFormat, json, text},
    output::Line,
    rules::Engine,
    settings::Settings,
};

/// How lines are written.
#[derive(Clone)]
struct Layout {
    /// JSON lines with these parts, and not text.
    json: Option<JsonOptions>,
    time: TimeFormat,
}

impl Layout {
    fn of(settings: &Settings) -> Self {
        Self { json: settings.json_output.then(|| settings.json.clone()), time: settings.time_format }
    }
}

/// Takes records through decoding, rules and formatting.
pub struct Judge {
    layout: Layout,
    host: Arc<HostFacts>,
    position: StreamPosition,
    engine: Engine,
    /// Records seen.
    pub records: u64,
    /// Alerts made.
    pub alerts: u64,
    /// Records that could not be decoded.
    pub undecodable: u64,
}

impl Judge {
    /// Judges by these rules.
    #[must_use]
    pub fn new(settings: &Settings, engine: Engine) -> Self {
        Self {
            layout: Layout::of(settings),
            host: Arc::new(HostFacts {
                hostname: hostname(),
                static_fields: settings.rules.additions.static_fields.clone(),
            }),
            position: StreamPosition::default(),
            engine,
            records: 0,
            alerts: 0,
            undecodable: 0,
        }
    }

    /// The event of a record, not yet enriched; one that cannot be decoded is counted and reported.
    pub fn event(&mut self, record: &[u8], clock: BootClock) -> Option<ExecEvent> {
        self.event_reusing(ExecEvent::default(), record, clock)
    }

    /// The same in the memory of an event that is no longer needed.
    pub fn event_reusing(&mut self, spare: ExecEvent, record: &[u8], clock: BootClock) -> Option<ExecEvent> {
        self.records += 1;
        match decode_reusing(spare, record, clock, self.records) {
            Ok(mut event) => {
                if !Arc::ptr_eq(&event.host, &self.host) {
                    event.host = Arc::clone(&self.host);
                }
                event.stream = self.position.advance(event.time_ns);
                Some(event)
            }
            Err(error) => {
                self.undecodable += 1;
                warn!("record {} cannot be decoded: {error}", self.records);
                None
            }
        }
    }

    /// The lines of an event.
    pub fn lines(&mut self, event: &ExecEvent) -> Vec<Line> {
        let mut lines = Vec::new();
        self.engine.evaluate(event, |alert| lines.push(self.line(&alert)));
        self.alerts += lines.len() as u64;
        lines
    }

    fn line(&self, alert: &Alert) -> Line {
        let Layout { json: options, time } = &self.layout;
        let text = match options {
            Some(options) => json(alert, &self.host.hostname, options, *time),
            None => text(alert, *time),
        };
        Line::new(text, alert.rule.priority as u8, options.is_some())
    }
}

/// `FALCO_HOSTNAME` wins over the system's name, as with Falco.
fn hostname() -> String {
    std::env::var("FALCO_HOSTNAME")
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned())
}

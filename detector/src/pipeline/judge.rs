//! From record to lines: what a running agent and a replay have in common.

use std::sync::Arc;

use log::warn;

use crate::{
    alert::Alert,
    decode::decode_reusing,
    event::{BootClock, ExecEvent, HostFacts, StreamPosition},
    format::{json, text},
    rules::Engine,
    settings::Settings,
};

/// An alert as text, with what outputs need to know about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The text, without its newline.
    pub text: String,
    /// Number of the rule's priority, 0 is the most severe.
    pub priority: u8,
}

/// Takes records through decoding, rules and formatting.
pub struct Judge<'a> {
    settings: &'a Settings,
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

impl<'a> Judge<'a> {
    /// Judges by these rules.
    #[must_use]
    pub fn new(settings: &'a Settings, engine: Engine) -> Self {
        Self {
            settings,
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
        let format = self.settings.time_format;
        let text = if self.settings.json_output {
            json(alert, &self.host.hostname, &self.settings.json, format)
        } else {
            text(alert, format)
        };
        Line { text, priority: alert.rule.priority as u8 }
    }
}

/// `FALCO_HOSTNAME` wins over the system's name, as with Falco.
fn hostname() -> String {
    std::env::var("FALCO_HOSTNAME")
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned())
}

//! From record to lines: what a running agent and a replay have in common.

use std::{collections::BTreeMap, sync::Arc};

use log::warn;

use super::now_ns;

use crate::{
    alert::Alert,
    decode::{decode_into, glimpse},
    event::{BootClock, ExecEvent, HostFacts, StreamPosition},
    format::{
        InternalAlert, JsonOptions, OtlpOrigin, TimeFormat, internal_json, internal_otlp, json, otlp, text,
    },
    output::Line,
    rules::{Engine, RuleHits},
    settings::Settings,
    telemetry::{RuleFigures, SilencedFigures},
};

/// How lines are written.
#[derive(Clone)]
struct Layout {
    /// JSON lines with these parts, and not text.
    json: Option<JsonOptions>,
    time: TimeFormat,
    /// They are wanted as requests of OTLP, too.
    otlp: Option<OtlpOrigin>,
}

impl Layout {
    fn of(settings: &Settings, hostname: &str) -> Self {
        let resource = settings.otlp_resource.clone();
        let origin = || OtlpOrigin { hostname: hostname.to_owned(), resource };
        Self {
            json: settings.json_output.then(|| settings.json.clone()),
            time: settings.time_format,
            otlp: settings.outputs.otlp.is_some().then(origin),
        }
    }
}

/// Takes records through decoding, rules and formatting.
pub struct Judge {
    layout: Layout,
    host: Arc<HostFacts>,
    position: StreamPosition,
    engine: Engine,
    /// By the rule's name.
    matches: BTreeMap<String, RuleFigures>,
    /// Records seen.
    pub records: u64,
    /// Alerts made.
    pub alerts: u64,
    /// Records that could not be decoded.
    pub undecodable: u64,
    /// Records that no rule can match, by what [`Judge::read_wanted`] saw of them.
    pub unwanted: u64,
}

impl Judge {
    /// Judges by these rules.
    #[must_use]
    pub fn new(settings: &Settings, engine: Engine) -> Self {
        let hostname = hostname();
        Self {
            layout: Layout::of(settings, &hostname),
            host: Arc::new(HostFacts {
                hostname,
                static_fields: settings.rules.additions.static_fields.clone(),
            }),
            position: StreamPosition::default(),
            engine,
            matches: BTreeMap::new(),
            records: 0,
            alerts: 0,
            undecodable: 0,
            unwanted: 0,
        }
    }

    /// The event of a record, not yet enriched; one that cannot be decoded is counted and reported.
    pub fn event(&mut self, record: &[u8], clock: BootClock) -> Option<ExecEvent> {
        let mut event = ExecEvent::default();
        self.read(record, clock, &mut event).then_some(event)
    }

    /// As [`Judge::read`], but what no rule can match is left out undecoded, as the kernel does for a running agent.
    pub fn read_wanted(&mut self, record: &[u8], clock: BootClock, event: &mut ExecEvent) -> bool {
        if let Some(seen) = glimpse(record)
            && !self.engine.filter().may_pass(seen.predicates, seen.decided)
        {
            self.records += 1;
            self.unwanted += 1;
            // It has its place among the events all the same.
            self.position.advance(clock.time_of(seen.boot_ns));
            return false;
        }
        self.read(record, clock, event)
    }

    /// The same into an event that is no longer needed. False: there is none, and `event` is of no use.
    pub fn read(&mut self, record: &[u8], clock: BootClock, event: &mut ExecEvent) -> bool {
        self.records += 1;
        if let Err(error) = decode_into(event, record, clock, self.records) {
            self.undecodable += 1;
            warn!("record {} cannot be decoded: {error}", self.records);
            return false;
        }
        if !Arc::ptr_eq(&event.host, &self.host) {
            event.host = Arc::clone(&self.host);
        }
        event.stream = self.position.advance(event.time_ns);
        true
    }

    /// How often each rule matched, and what silenced it.
    #[must_use]
    pub fn hits(&self) -> Vec<RuleHits> {
        self.engine.hits()
    }

    /// The lines of an event.
    pub fn lines(&mut self, event: &ExecEvent) -> Vec<Line> {
        self.alerts(event).iter().map(|alert| self.line(alert, event)).collect()
    }

    /// The alerts of an event, counted.
    pub(super) fn alerts(&mut self, event: &ExecEvent) -> Vec<Alert> {
        let mut alerts = Vec::new();
        self.engine.evaluate(event, |alert| alerts.push(alert));
        self.alerts += alerts.len() as u64;
        for alert in &alerts {
            self.count(alert);
        }
        alerts
    }

    fn count(&mut self, alert: &Alert) {
        let rule = &alert.rule;
        if let Some(figures) = self.matches.get_mut(&rule.name) {
            figures.alerts += 1;
            return;
        }
        let figures = RuleFigures {
            name: rule.name.clone(),
            priority: rule.priority as u8,
            source: rule.source.clone(),
            tags: rule.tags.clone(),
            alerts: 1,
        };
        self.matches.insert(rule.name.clone(), figures);
    }

    /// Goes over to other rules and another layout; what was counted stays.
    pub(super) fn change(&mut self, settings: &Settings, engine: Engine) {
        self.layout = Layout::of(settings, &self.host.hostname);
        let before = std::mem::replace(&mut self.engine, engine).hits();
        self.engine.adopt(&before);
        self.host = Arc::new(HostFacts {
            hostname: self.host.hostname.clone(),
            static_fields: settings.rules.additions.static_fields.clone(),
        });
    }

    /// Alerts by rule.
    pub(super) fn matches(&self) -> Vec<RuleFigures> {
        self.matches.values().cloned().collect()
    }

    /// What silenced rules, as figures.
    pub(super) fn silenced(&self) -> Vec<SilencedFigures> {
        let figures = |rule: RuleHits| {
            rule.silencers.into_iter().map(move |one| SilencedFigures {
                rule: rule.rule.clone(),
                by: one.label,
                is_exception: one.is_exception,
                events: one.count,
                items: one.items,
            })
        };
        self.hits().into_iter().flat_map(figures).collect()
    }

    /// The name that lines have.
    pub(super) fn hostname(&self) -> &str {
        &self.host.hostname
    }

    /// The line of a message about the agent itself.
    pub(super) fn internal_line(&self, alert: &InternalAlert) -> Line {
        let is_json = self.layout.json.is_some();
        let text = if is_json {
            internal_json(alert, &self.host.hostname)
        } else {
            // As with Falco, local time whatever is set.
            alert.text(TimeFormat::Local)
        };
        let otlp = self.layout.otlp.as_ref().map(|origin| internal_otlp(alert, origin, now_ns()));
        Line::new(text, alert.priority as u8, is_json).with_otlp(otlp)
    }

    /// The line of an alert.
    pub(super) fn line(&self, alert: &Alert, event: &ExecEvent) -> Line {
        let Layout { json: options, time, otlp: origin } = &self.layout;
        let text = match options {
            Some(options) => json(alert, &self.host.hostname, options, *time),
            None => text(alert, *time),
        };
        let request = origin.as_ref().map(|origin| otlp(alert, event, origin, now_ns()));
        Line::new(text, alert.rule.priority as u8, options.is_some()).with_otlp(request)
    }
}

/// `FALCO_HOSTNAME` wins over the system's name, as with Falco.
fn hostname() -> String {
    std::env::var("FALCO_HOSTNAME")
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned())
}

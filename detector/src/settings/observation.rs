//! The settings of what is told about the agent (the web server, metrics, losses), of what is held back, and of what is kept.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use super::{SettingError, keys, values::Values};
use crate::{examine::SampleSettings, telemetry::web::WebSettings, throttle::ThrottleSettings};

/// Where Falco looks for the web server's certificate.
const CERTIFICATE: &str = "/etc/falco/falco.pem";

/// `metrics`: snapshots of the figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsSettings {
    /// `interval`: time between two of them.
    pub interval: Duration,
    /// `output_rule`: they go to the outputs, as alerts of the agent about itself.
    pub output_rule: bool,
    /// `output_file`: they are appended to this file, a JSON object a line.
    pub output_file: Option<PathBuf>,
    /// `include_empty_values`: figures that are 0 are told, too.
    pub include_zeros: bool,
}

/// `syscall_event_drops`: what is done when records are lost.
#[derive(Clone, Debug, PartialEq)]
pub struct LossSettings {
    /// `threshold`: the lost part of all records of a second that is not worth a word, 0 to 1.
    pub threshold: f64,
    /// `actions` has `log`.
    pub log: bool,
    /// `actions` has `alert`.
    pub alert: bool,
    /// `actions` has `exit`.
    pub exit: bool,
    /// `rate`: reports for each second, in the long run.
    pub rate: f64,
    /// `max_burst`: reports in a row.
    pub max_burst: f64,
    /// `simulate_drops`: each second looks as if one record was lost.
    pub simulate: bool,
}

impl Default for LossSettings {
    fn default() -> Self {
        Self {
            threshold: 0.0,
            log: true,
            alert: true,
            exit: false,
            rate: 0.033_33,
            max_burst: 1.0,
            simulate: false,
        }
    }
}

pub(super) fn webserver(values: &mut Values<'_>, metrics: bool) -> Option<WebSettings> {
    if !values.bool("webserver.enabled", false) {
        return None;
    }
    let text = values.text("webserver.listen_address").unwrap_or_else(|| "0.0.0.0".to_owned());
    let address = text.parse::<IpAddr>().ok().or_else(|| {
        let place = values.place("webserver.listen_address");
        values.errors.push(SettingError::Address { place, found: text });
        None
    });
    let tls = values.bool("webserver.ssl_enabled", false);
    let certificate = values.text("webserver.ssl_certificate").unwrap_or_else(|| CERTIFICATE.to_owned());
    Some(WebSettings {
        address: address?,
        port: values.number("webserver.listen_port", 8765),
        healthz: values.text("webserver.k8s_healthz_endpoint").unwrap_or_else(|| "/healthz".to_owned()),
        metrics: values.bool("webserver.prometheus_metrics_enabled", false) && metrics,
        certificate: tls.then(|| PathBuf::from(certificate)),
    })
}

/// The snapshots; `None` when metrics are off.
pub(super) fn metrics(values: &mut Values<'_>) -> Option<MetricsSettings> {
    if !values.bool("metrics.enabled", false) {
        return None;
    }
    let interval = values.interval("metrics.interval", Duration::from_secs(3600));
    Some(MetricsSettings {
        // A snapshot each moment would be noise, and a timer of no time no timer.
        interval: interval.max(Duration::from_millis(100)),
        output_rule: values.bool("metrics.output_rule", true),
        output_file: values.text("metrics.output_file").map(PathBuf::from),
        include_zeros: values.bool("metrics.include_empty_values", false),
    })
}

pub(super) fn throttle(values: &mut Values<'_>) -> ThrottleSettings {
    let defaults = ThrottleSettings::default();
    ThrottleSettings {
        window: values.duration("throttle.window", defaults.window),
        rate: values.fraction("throttle.rate", defaults.rate),
        max_burst: values.fraction("throttle.max_burst", defaults.max_burst),
    }
}

/// Copies of what was executed; `None` without a folder.
pub(super) fn samples(values: &mut Values<'_>) -> Option<SampleSettings> {
    let (most_files, most_bytes) =
        (values.number("samples.max_files", 200), values.number("samples.max_bytes", 256 << 20));
    let folder = values.text("samples.folder").map(PathBuf::from)?;
    Some(SampleSettings { folder, most_files, most_bytes })
}

pub(super) fn losses(values: &mut Values<'_>) -> LossSettings {
    let defaults = LossSettings::default();
    let mut settings = LossSettings {
        threshold: values.fraction("syscall_event_drops.threshold", defaults.threshold),
        rate: values.fraction("syscall_event_drops.rate", defaults.rate),
        max_burst: values.fraction("syscall_event_drops.max_burst", defaults.max_burst),
        simulate: values.bool("syscall_event_drops.simulate_drops", false),
        ..defaults
    };
    if values.at("syscall_event_drops.actions").is_some() {
        (settings.log, settings.alert, settings.exit) = (false, false, false);
        for action in values.texts("syscall_event_drops.actions") {
            match action.to_ascii_lowercase().as_str() {
                "ignore" => {}
                "log" => settings.log = true,
                "alert" => settings.alert = true,
                "exit" => settings.exit = true,
                _ => values.errors.push(SettingError::Word {
                    place: values.place("syscall_event_drops.actions"),
                    key: "syscall_event_drops.actions".to_owned(),
                    words: keys::LOSS_ACTIONS.join(", "),
                    found: action,
                }),
            }
        }
    }
    settings
}

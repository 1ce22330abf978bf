//! Alerts as they are made, sent to falcosidekick: the real one when `DETECTOR_FALCOSIDEKICK` names its program,
//! otherwise a receiver that holds its documented rules of acceptance.

use std::{
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use detector::{
    alert::{Alert, AlertRule, Piece, Priority},
    event::Value,
    format::{JsonOptions, TimeFormat, json},
    output::Line,
};
use serde_json::Value as Json;

use crate::{
    eventually, finish,
    http::{settings, start},
    receiver::{Receiver, Request},
    send,
};

const PRIORITIES: [&str; 9] =
    ["emergency", "alert", "critical", "error", "warning", "notice", "informational", "info", "debug"];

/// Status and body that falcosidekick answers with.
fn judge(request: &Request) -> (u16, String) {
    match refusal(&request.body) {
        None => (200, String::new()),
        Some(why) => (400, format!("Please send a valid request body ({why})")),
    }
}

fn refusal(body: &str) -> Option<&'static str> {
    // Only the first value is read by the real one, so more than one would lose alerts silently: not here.
    let Ok(Json::Object(alert)) = serde_json::from_str(body) else { return Some("not one object") };
    let is_text = |key: &str| alert.get(key).is_none_or(|value| value.is_string() || value.is_null());
    if !["output", "rule", "source", "hostname"].into_iter().all(is_text) {
        return Some("a text is none");
    }
    if alert.get("rule").and_then(Json::as_str).is_none_or(str::is_empty) {
        return Some("no rule");
    }
    let priority = alert.get("priority").and_then(Json::as_str).unwrap_or_default().to_lowercase();
    if !PRIORITIES.contains(&priority.as_str()) {
        return Some("no such priority");
    }
    let time = alert.get("time").and_then(Json::as_str).unwrap_or_default();
    if !time.contains('T') || chrono::DateTime::parse_from_rfc3339(time).is_err() || time.starts_with("0001")
    {
        return Some("no time");
    }
    let Some(fields) = alert.get("output_fields").and_then(Json::as_object) else { return Some("no fields") };
    if fields.is_empty() {
        return Some("no fields");
    }
    let pod_is_text = |key| fields.get(key).is_none_or(|value: &Json| value.is_string() || value.is_null());
    if !["k8s.ns.name", "k8s.pod.name"].into_iter().all(pod_is_text) {
        return Some("a pod's name is no text");
    }
    match alert.get("tags") {
        None | Some(Json::Null) => None,
        Some(Json::Array(tags)) if tags.iter().all(Json::is_string) => None,
        Some(_) => Some("tags are no texts"),
    }
}

/// One alert for each priority, with values of each kind and bytes of each kind.
fn alerts() -> Vec<String> {
    let priorities = [
        Priority::Emergency,
        Priority::Alert,
        Priority::Critical,
        Priority::Error,
        Priority::Warning,
        Priority::Notice,
        Priority::Informational,
        Priority::Debug,
    ];
    let one = |priority| {
        let fields =
            ["evt.time", "k8s.ns.name", "k8s.pod.name", "proc.cmdline", "proc.pid", "proc.tty", "user.uid"];
        let rule = AlertRule {
            name: "Drop and execute new binary in container".to_owned(),
            priority,
            source: "syscall".to_owned(),
            tags: ["TA0003", "container"].map(str::to_owned).to_vec(),
            output: vec![
                Piece::Literal("Executing binary (proc=".to_owned()),
                Piece::Value { index: 3, width: None },
            ],
            fields: fields.map(str::to_owned).to_vec(),
        };
        let ns = 1_728_129_802_123_456_789;
        let values = vec![
            Some(Value::Time { ns, text: "12:03:22.123456789".into() }),
            None,
            Some(Value::owned("pod-1")),
            Some(Value::owned(b"sh -c \"a\nb\" \xff\x1b[0m \xe2\x82\xac</x>".to_vec())),
            Some(Value::Signed(-1)),
            Some(Value::Unsigned(u64::MAX)),
            Some(Value::Bool(true)),
        ];
        let alert = Alert { rule: Arc::new(rule), time_ns: ns, values, computed: Vec::new() };
        json(&alert, "host", &JsonOptions::default(), TimeFormat::Local)
    };
    priorities.map(one).to_vec()
}

/// The real one, forwarding to a receiver.
struct Sidekick {
    process: Child,
    url: String,
}

impl Sidekick {
    fn start(program: &std::ffi::OsStr, forward_to: &Receiver) -> Self {
        let address = Receiver::nowhere();
        let process = Command::new(program)
            .env("LISTENADDRESS", address.ip().to_string())
            .env("LISTENPORT", address.port().to_string())
            .env("WEBHOOK_ADDRESS", forward_to.url())
            .stdout(Stdio::null())
            .spawn()
            .expect("DETECTOR_FALCOSIDEKICK names a program");
        let sidekick = Self { process, url: format!("http://{address}/") };
        eventually("falcosidekick listens", || TcpStream::connect(address).is_ok());
        sidekick
    }
}

impl Drop for Sidekick {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn alerts_are_accepted_and_arrive_unaltered() {
    let (receiver, sidekick) = match std::env::var_os("DETECTOR_FALCOSIDEKICK") {
        Some(program) => {
            let behind = Receiver::start();
            let sidekick = Sidekick::start(&program, &behind);
            (behind, Some(sidekick))
        }
        None => (Receiver::judging(judge), None),
    };
    let outputs = start(settings(&sidekick.as_ref().map_or_else(|| receiver.url(), |real| real.url.clone())));
    let alerts = alerts();
    for alert in &alerts {
        outputs.send(&Arc::new(Line::new(alert.as_str(), 2, true)));
    }
    let counters = finish(&outputs, "http");
    assert_eq!((counters.delivered, counters.rejected), (alerts.len() as u64, 0));
    eventually("all are forwarded", || receiver.accepted().len() == alerts.len());
    let parse = |text: &String| serde_json::from_str::<Json>(text).unwrap();
    let mut sent: Vec<Json> = alerts.iter().map(parse).collect();
    let mut got: Vec<Json> = receiver.accepted().iter().map(parse).collect();
    for alert in &mut got {
        // What falcosidekick adds.
        alert.as_object_mut().unwrap().remove("uuid");
    }
    // It forwards in parallel.
    let priority = |alert: &Json| alert["priority"].to_string();
    sent.sort_by_key(priority);
    got.sort_by_key(priority);
    assert_eq!(got, sent);
}

#[test]
fn what_falcosidekick_does_not_take_is_counted_as_rejected() {
    let receiver = Receiver::judging(judge);
    let outputs = start(settings(&receiver.url()));
    send(&outputs, "not JSON", 0..1);
    let good = &alerts()[2];
    for (part, bad) in [
        ("\"Critical\"", "\"Bogus\""),
        ("\"Critical\",\"rule\"", "2,\"rule\""),
        ("Z\"", "+0000\""),
        ("\"rule\":\"Drop and execute new binary in container\"", "\"rule\":\"\""),
        ("\"k8s.ns.name\":null", "\"k8s.ns.name\":1"),
        ("[\"TA0003\",\"container\"]", "\"TA0003\""),
        ("\"output_fields\"", "\"fields\""),
    ] {
        let spoiled = good.replacen(part, bad, 1);
        assert_ne!(&spoiled, good, "{part} is there");
        outputs.send(&Arc::new(Line::new(spoiled, 2, true)));
    }
    outputs.send(&Arc::new(Line::new(format!("{good}\n{good}"), 2, true)));
    outputs.send(&Arc::new(Line::new(good.as_str(), 2, true)));
    let counters = finish(&outputs, "http");
    assert_eq!((counters.rejected, counters.delivered), (9, 1));
}

//! OTLP to a receiver that reads requests by OpenTelemetry's own description of them, and answers as that allows.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use detector::{
    alert::Priority,
    format::{InternalAlert, OtlpOrigin, internal_otlp},
    output::{HttpSettings, Line, OutputSettings, Outputs, Overflow, Protocol, SpoolSettings},
};
use opentelemetry_proto::tonic::{
    collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse},
    common::v1::any_value::Value,
};
use prost::Message as _;

use crate::{
    assert_adds_up, counters, eventually, finish,
    http::settings,
    receiver::{Receiver, Reply, Request},
};

const PROTOBUF: &str = "Content-Type: application/x-protobuf\r\n";

fn otlp(url: &str) -> HttpSettings {
    HttpSettings {
        protocol: Protocol::Otlp,
        headers: vec![("x-tenant".to_owned(), "a".to_owned())],
        user_agent: "detector/test".to_owned(),
        ..settings(url)
    }
}

fn start(otlp: HttpSettings) -> Outputs {
    Outputs::start(&OutputSettings { otlp: Some(otlp), ..OutputSettings::default() }).unwrap()
}

fn send(outputs: &Outputs, texts: &[String]) {
    for text in texts {
        let alert = InternalAlert::new("R", Priority::Critical, text.as_str(), 1_728_129_802_000_000_000);
        let request = internal_otlp(&alert, &OtlpOrigin::default(), 1_728_129_803_000_000_000);
        outputs.send(&Arc::new(Line::new(format!("line {text}"), 2, true).with_otlp(Some(request))));
    }
}

fn texts(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| format!("alert {number} ü")).collect()
}

/// The text of the one record; whatever is not as it shall be fails the test.
fn body(request: &Request) -> String {
    assert_eq!(request.headers["content-type"], "application/x-protobuf");
    let message = ExportLogsServiceRequest::decode(&*request.bytes).unwrap();
    assert_eq!(message.encode_to_vec(), request.bytes, "nothing that OpenTelemetry does not know");
    let record = &message.resource_logs[0].scope_logs[0].log_records[0];
    match record.body.as_ref().and_then(|body| body.value.clone()) {
        Some(Value::StringValue(text)) => text,
        other => panic!("no text: {other:?}"),
    }
}

/// Texts of the requests that were answered with 200, in their order.
fn accepted(receiver: &Receiver) -> Vec<String> {
    receiver.accepted_requests().iter().map(body).collect()
}

/// A 200 that says this. Numbers below 128 and ASCII are text as well as protobuf.
fn partial(rejected_log_records: i64, message: &str) -> Reply {
    let partial_success =
        Some(ExportLogsPartialSuccess { rejected_log_records, error_message: message.to_owned() });
    let answer = ExportLogsServiceResponse { partial_success }.encode_to_vec();
    Reply::Status(200, PROTOBUF, String::leak(String::from_utf8(answer).unwrap()))
}

#[test]
fn each_alert_is_one_request_of_otlp() {
    let receiver = Receiver::start();
    let outputs = start(otlp(&receiver.url()));
    send(&outputs, &texts(0..3));
    assert_eq!(finish(&outputs, "otlp").delivered, 3);
    assert_eq!(accepted(&receiver), texts(0..3));
    let request = &receiver.requests()[0];
    assert_eq!((request.headers["x-tenant"].as_str(), request.target.as_str()), ("a", "/in?a=b"));
    assert_eq!(request.headers["user-agent"], "detector/test");
    assert_eq!(receiver.connections(), 1, "a connection is used again");
}

#[test]
fn other_outputs_get_their_lines() {
    let (lines, records) = (Receiver::start(), Receiver::start());
    let outputs = Outputs::start(&OutputSettings {
        http: Some(settings(&lines.url())),
        otlp: Some(otlp(&records.url())),
        ..OutputSettings::default()
    })
    .unwrap();
    send(&outputs, &texts(0..2));
    outputs.flush(crate::PATIENCE);
    assert_eq!(lines.accepted(), texts(0..2).iter().map(|text| format!("line {text}")).collect::<Vec<_>>());
    assert_eq!(accepted(&records), texts(0..2));
}

#[test]
fn a_receiver_may_ask_for_time() {
    let busy = [
        Reply::Status(503, "Retry-After: 1\r\n", "busy"),
        Reply::Status(429, "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n", ""),
        Reply::Status(502, "", ""),
        Reply::Status(504, "", ""),
    ];
    let receiver = Receiver::scripted(busy);
    let outputs = start(HttpSettings { retry_max: Duration::from_secs(5), ..otlp(&receiver.url()) });
    let before = Instant::now();
    send(&outputs, &texts(0..5));
    let counters = finish(&outputs, "otlp");
    assert!(before.elapsed() >= Duration::from_secs(1), "it came back too early");
    assert_eq!((counters.delivered, counters.retried), (5, 4));
    assert_eq!(accepted(&receiver), texts(0..5));
}

#[test]
fn a_partial_success_without_the_record_is_a_rejection() {
    let receiver = Receiver::scripted([partial(1, "too old"), partial(0, "rename it")]);
    let outputs = start(otlp(&receiver.url()));
    send(&outputs, &texts(0..3));
    let counters = finish(&outputs, "otlp");
    assert_eq!((counters.delivered, counters.rejected, counters.retried), (2, 1, 0));
}

#[test]
fn other_failures_are_for_good() {
    for status in [400, 401, 408, 413, 500, 501] {
        let receiver = Receiver::scripted([Reply::Status(status, PROTOBUF, "\x12\x02no")]);
        let outputs = start(otlp(&receiver.url()));
        send(&outputs, &texts(0..2));
        let counters = finish(&outputs, "otlp");
        assert_eq!((counters.delivered, counters.rejected, counters.retried), (1, 1, 0), "{status}");
        assert_eq!(accepted(&receiver), texts(1..2));
    }
}

fn spooled(url: &str, folder: &Path) -> HttpSettings {
    let spool =
        SpoolSettings { folder: folder.join("spool"), max_bytes: 1 << 20, overflow: Overflow::DropNewest };
    HttpSettings { spool: Some(spool), ..otlp(url) }
}

#[test]
fn a_spool_keeps_requests_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let address = Receiver::nowhere();
    let url = format!("http://{address}/");
    let outputs = start(spooled(&url, folder.path()));
    send(&outputs, &texts(0..50));
    let flushed = outputs.flush(crate::PATIENCE);
    assert_eq!((flushed.dropped, flushed.spooled), (0, 50));
    let receiver = Receiver::again(address);
    let outputs = start(spooled(&url, folder.path()));
    send(&outputs, &texts(50..60));
    eventually("all are there", || counters(&outputs, "otlp").delivered == 60);
    assert_eq!(finish(&outputs, "otlp").spooled, 0);
    assert_eq!(accepted(&receiver), texts(0..60));
}

#[test]
fn a_line_without_a_record_is_counted_as_failed() {
    let receiver = Receiver::start();
    let outputs = start(otlp(&receiver.url()));
    outputs.send(&Arc::new(Line::new("line", 2, true)));
    send(&outputs, &texts(0..1));
    let counters = finish(&outputs, "otlp");
    assert_eq!((counters.delivered, counters.failed), (1, 1));
    assert_adds_up(&counters);
}

#[test]
fn headers_that_cannot_be_sent_are_an_error() {
    for (name, value) in [("a b", "c"), ("a", "c\nd")] {
        let headers = vec![(name.to_owned(), value.to_owned())];
        let otlp = HttpSettings { headers, ..otlp("http://127.0.0.1:1/") };
        let settings = OutputSettings { otlp: Some(otlp), ..OutputSettings::default() };
        let error = Outputs::start(&settings).err().unwrap().to_string();
        assert!(error.starts_with("cannot use otlp_output: `headers` has `a"), "{error}");
    }
}

//! An alert as a request of OTLP, OpenTelemetry's protocol: one log record, in protobuf.
//!
//! Names follow OpenTelemetry's semantic conventions where these have one. The resource says whose record it is (this
//! agent on this host, about this container and pod). Fields of the alert keep Falco's names beside those.

mod messages;

use std::collections::BTreeMap;

use prost::Message as _;

use self::messages::{
    Any, AnyValue, ArrayValue, ExportLogsServiceRequest, InstrumentationScope, KeyValue, LogRecord, Resource,
    ResourceLogs, ScopeLogs,
};
use super::{InternalAlert, message};
use crate::{
    alert::{Alert, Priority},
    event::{ExecEvent, Value, lossy, time},
};

/// `service.name`, and the name of the scope.
const NAME: &str = "detector";

/// What is the same in all records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtlpOrigin {
    /// `host.name`
    pub hostname: String,
    /// Attributes of the resource that users add, or put in the place of ours.
    pub resource: BTreeMap<String, String>,
}

/// The request for an alert. `observed_ns`: now, nanoseconds since the epoch.
#[must_use]
pub fn otlp(alert: &Alert, event: &ExecEvent, origin: &OtlpOrigin, observed_ns: u64) -> Vec<u8> {
    let mut attributes = rule(&alert.rule.name, &alert.rule.source);
    attributes.texts("detector.tags", &alert.rule.tags);
    process(event, &mut attributes);
    for (name, value) in alert.rule.fields.iter().zip(&alert.values) {
        attributes.set(name, value.as_ref().map(of_field));
    }
    let record = LogRecord {
        time_unix_nano: alert.time_ns,
        severity_number: severity(alert.rule.priority),
        severity_text: alert.rule.priority.name().to_owned(),
        body: Some(Any::Text(message(alert)).into()),
        attributes: attributes.0,
        observed_time_unix_nano: observed_ns,
        event_name: "detector.alert".to_owned(),
    };
    request(resource(origin, Some(event)), record)
}

/// The request for a message about the agent itself.
#[must_use]
pub fn internal_otlp(alert: &InternalAlert, origin: &OtlpOrigin, observed_ns: u64) -> Vec<u8> {
    let mut attributes = rule(alert.rule, "internal");
    for (name, value) in &alert.fields {
        attributes.set(name, of_json(value));
    }
    let record = LogRecord {
        time_unix_nano: alert.time_ns,
        severity_number: severity(alert.priority),
        severity_text: alert.priority.name().to_owned(),
        body: Some(Any::Text(alert.output.clone()).into()),
        attributes: attributes.0,
        observed_time_unix_nano: observed_ns,
        event_name: "detector.internal".to_owned(),
    };
    request(resource(origin, None), record)
}

fn request(resource: Attributes, record: LogRecord) -> Vec<u8> {
    let scope = InstrumentationScope { name: NAME.to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(Resource { attributes: resource.0 }),
            scope_logs: vec![ScopeLogs { scope: Some(scope), log_records: vec![record] }],
        }],
    }
    .encode_to_vec()
}

/// OpenTelemetry's numbers for the severities of syslog, as its data model maps them.
const fn severity(priority: Priority) -> i32 {
    match priority {
        Priority::Emergency => 21,
        Priority::Alert => 19,
        Priority::Critical => 18,
        Priority::Error => 17,
        Priority::Warning => 13,
        Priority::Notice => 10,
        Priority::Informational => 9,
        Priority::Debug => 5,
    }
}

fn rule(name: &str, source: &str) -> Attributes {
    let mut attributes = Attributes::default();
    attributes.text("security_rule.name", Some(name));
    attributes.text("detector.source", Some(source));
    attributes
}

fn resource(origin: &OtlpOrigin, event: Option<&ExecEvent>) -> Attributes {
    let mut attributes = Attributes::default();
    attributes.text("service.name", Some(NAME));
    attributes.text("service.version", Some(env!("CARGO_PKG_VERSION")));
    attributes.text("host.name", Some(&origin.hostname));
    attributes.text("os.type", Some("linux"));
    if let Some(event) = event {
        container(event, &mut attributes);
    }
    for (name, value) in &origin.resource {
        attributes.0.retain(|attribute| attribute.key != *name);
        attributes.text(name, Some(value));
    }
    attributes
}

fn container(event: &ExecEvent, attributes: &mut Attributes) {
    use crate::event::ContainerId::{Named, Namespace};
    let id = &event.container.id;
    if matches!(id, Named { .. } | Namespace(_)) {
        attributes.text("container.id", id.full().as_deref());
        attributes.text("container.runtime", id.runtime_name().filter(|name| !name.is_empty()));
    }
    let Some(facts) = event.container.facts() else { return };
    attributes.text("container.image.name", facts.image_repository.as_deref());
    attributes.text("container.image.id", facts.image_id.as_deref());
    if let Some(tag) = &facts.image_tag {
        attributes.texts("container.image.tags", std::slice::from_ref(tag));
    }
    let Some(pod) = &facts.pod else {
        attributes.text("container.name", facts.name.as_deref());
        return;
    };
    attributes.text("k8s.container.name", facts.name.as_deref());
    attributes.text("k8s.namespace.name", pod.namespace.as_deref());
    attributes.text("k8s.pod.name", pod.name.as_deref());
    attributes.text("k8s.pod.uid", pod.uid.as_deref());
}

fn process(event: &ExecEvent, attributes: &mut Attributes) {
    let process = &event.process;
    let number = |number: u32| Some(Any::Int(i64::from(number)));
    attributes.set("process.pid", number(process.pid));
    attributes.set("process.vpid", process.vpid.and_then(number));
    attributes.set("process.parent_pid", event.ancestors.first().and_then(|parent| number(parent.pid)));
    attributes.set("process.group_leader.pid", number(process.pgid));
    attributes.set("process.session_leader.pid", number(process.sid));
    attributes.set("process.interactive", process.tty.map(|tty| Any::Bool(tty != 0)));
    attributes.text("process.creation.time", Some(&time::rfc3339(process.start_ns)));
    if let Some(path) = &event.file.path {
        let name = path.bytes.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        attributes.text("process.executable.name", Some(&lossy(name)));
        attributes.text("process.executable.path", Some(&lossy(&path.bytes)));
    }
    let build_id =
        event.finding(|found| found.content.as_ref()).ok().and_then(|content| content.elf.as_ref());
    attributes.text("process.executable.build_id.gnu", build_id.and_then(|elf| elf.build_id.as_deref()));
    let arguments: Vec<String> =
        process.arguments.iter().map(|argument| lossy(argument).into_owned()).collect();
    attributes.text("process.command", arguments.first().map(String::as_str));
    attributes.texts("process.command_args", &arguments);
    attributes.set("process.args_count", number(process.arguments.given));
    attributes
        .text("process.working_directory", process.cwd.as_ref().map(|cwd| lossy(&cwd.bytes)).as_deref());
    attributes.set("process.user.id", number(event.credentials.euid));
    let user = event.names.user.as_ref().map(|user| lossy(&user.name));
    attributes.text("process.user.name", user.as_deref());
}

/// Attributes, each name once. What is not known is left out: OpenTelemetry's conventions know no other word for it.
#[derive(Default)]
struct Attributes(Vec<KeyValue>);

impl Attributes {
    fn set(&mut self, key: &str, value: Option<Any>) {
        if let Some(value) = value {
            self.0.push(KeyValue { key: key.to_owned(), value: Some(value.into()) });
        }
    }

    fn text(&mut self, key: &str, value: Option<&str>) {
        self.set(key, value.map(|text| Any::Text(text.to_owned())));
    }

    fn texts(&mut self, key: &str, values: &[String]) {
        let values = values.iter().map(|text| Any::Text(text.clone()).into()).collect();
        self.set(key, Some(Any::Array(ArrayValue { values })));
    }
}

impl From<Any> for AnyValue {
    fn from(value: Any) -> Self {
        Self { value: Some(value) }
    }
}

fn of_field(value: &Value<'_>) -> Any {
    match value {
        Value::Signed(number) => Any::Int(*number),
        Value::Unsigned(number) => unsigned(*number),
        Value::Time { ns, .. } => unsigned(*ns),
        Value::Double(number) => Any::Double(*number),
        Value::Bool(truth) => Any::Bool(*truth),
        Value::Text(_) | Value::Hex(_) => Any::Text(lossy(&value.to_text()).into_owned()),
    }
}

fn of_json(value: &serde_json::Value) -> Option<Any> {
    use serde_json::Value as Json;
    Some(match value {
        Json::Null => return None,
        Json::Bool(truth) => Any::Bool(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => Any::Int(number),
            (None, Some(number), _) => unsigned(number),
            (None, None, Some(number)) => Any::Double(number),
            (None, None, None) => Any::Text(number.to_string()),
        },
        Json::String(text) => Any::Text(text.clone()),
        other => Any::Text(other.to_string()),
    })
}

/// Numbers that no signed one can say are texts.
fn unsigned(number: u64) -> Any {
    i64::try_from(number).map_or_else(|_| Any::Text(number.to_string()), Any::Int)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use opentelemetry_proto::tonic::{
        collector::logs::v1::ExportLogsServiceRequest,
        common::v1::{KeyValue, any_value::Value as Any},
        logs::v1::LogRecord,
    };
    use prost::Message as _;

    use super::{OtlpOrigin, internal_otlp, otlp};
    use crate::{
        alert::{Alert, AlertRule, Piece, Priority},
        event::{ContainerId, Value, example},
        format::InternalAlert,
    };

    const TIME: u64 = 1_728_129_802_123_456_789;
    const NOW: u64 = TIME + 5;

    fn origin() -> OtlpOrigin {
        OtlpOrigin { hostname: "node-1".to_owned(), resource: BTreeMap::new() }
    }

    fn alert(priority: Priority) -> Alert {
        let rule = AlertRule {
            name: "R".to_owned(),
            priority,
            source: "syscall".to_owned(),
            tags: vec!["TA0003".to_owned(), "container".to_owned()],
            output: vec![Piece::Literal("ran x=".to_owned()), Piece::Value { index: 0, width: None }],
            fields: ["a", "b", "c", "d", "e", "f"].map(str::to_owned).to_vec(),
        };
        let values = vec![
            Some(Value::text(b"\xff\n")),
            None,
            Some(Value::Unsigned(u64::MAX)),
            Some(Value::Signed(-1)),
            Some(Value::Bool(true)),
            Some(Value::Time { ns: 7, text: "t".into() }),
        ];
        Alert { rule: Arc::new(rule), time_ns: TIME, values, computed: Vec::new() }
    }

    /// Reads a request by OpenTelemetry's own description: it must know every byte of it.
    fn read(bytes: &[u8]) -> (BTreeMap<String, Any>, LogRecord) {
        let request = ExportLogsServiceRequest::decode(bytes).unwrap();
        assert_eq!(request.encode_to_vec(), bytes, "nothing is unknown or out of order");
        let [resource] = &request.resource_logs[..] else { panic!("one resource") };
        let [scope] = &resource.scope_logs[..] else { panic!("one scope") };
        assert_eq!(scope.scope.as_ref().unwrap().name, "detector");
        let [record] = &scope.log_records[..] else { panic!("one record") };
        (by_name(&resource.resource.as_ref().unwrap().attributes), record.clone())
    }

    fn by_name(attributes: &[KeyValue]) -> BTreeMap<String, Any> {
        let pairs = attributes.iter().map(|attribute| {
            (attribute.key.clone(), attribute.value.clone().and_then(|value| value.value).unwrap())
        });
        let names: BTreeMap<String, Any> = pairs.collect();
        assert_eq!(names.len(), attributes.len(), "each name once");
        names
    }

    fn text(value: &str) -> Any {
        Any::StringValue(value.to_owned())
    }

    fn texts(value: &Any) -> Vec<String> {
        let Any::ArrayValue(array) = value else { panic!("a list") };
        let one = |value: &opentelemetry_proto::tonic::common::v1::AnyValue| match &value.value {
            Some(Any::StringValue(text)) => text.clone(),
            other => panic!("no text: {other:?}"),
        };
        array.values.iter().map(one).collect()
    }

    #[test]
    fn an_alert_is_one_record_with_conventional_names() {
        let event = example::exec();
        let (resource, record) = read(&otlp(&alert(Priority::Critical), &event, &origin(), NOW));
        assert_eq!((record.time_unix_nano, record.observed_time_unix_nano), (TIME, NOW));
        assert_eq!((record.severity_number, record.severity_text.as_str()), (18, "Critical"));
        assert_eq!(record.body.unwrap().value, Some(text("ran x=\u{fffd}\\n")));
        assert_eq!(record.event_name, "detector.alert");
        let attributes = by_name(&record.attributes);
        for (name, value) in [
            ("security_rule.name", text("R")),
            ("detector.source", text("syscall")),
            ("process.pid", Any::IntValue(30_312)),
            ("process.executable.path", text("/tmp/dropped")),
            ("process.executable.name", text("dropped")),
            ("process.command", text("/tmp/dropped")),
            ("process.working_directory", text("/tmp")),
            ("process.user.id", Any::IntValue(0)),
            ("process.user.name", text("root")),
            ("process.interactive", Any::BoolValue(true)),
            ("a", text("\u{fffd}\n")),
            ("c", text("18446744073709551615")),
            ("d", Any::IntValue(-1)),
            ("e", Any::BoolValue(true)),
            ("f", Any::IntValue(7)),
        ] {
            assert_eq!(attributes.get(name), Some(&value), "{name}");
        }
        assert!(!attributes.contains_key("b"), "not known");
        assert_eq!(texts(&attributes["detector.tags"]), ["TA0003", "container"]);
        assert_eq!(texts(&attributes["process.command_args"])[..3], ["/tmp/dropped", "echo", "a b"]);
        for (name, value) in [
            ("service.name", "detector"),
            ("service.version", env!("CARGO_PKG_VERSION")),
            ("host.name", "node-1"),
            ("os.type", "linux"),
            ("container.id", example::CONTAINER),
            ("container.runtime", "docker"),
        ] {
            assert_eq!(resource.get(name), Some(&text(value)), "{name}");
        }
    }

    #[test]
    fn severities_are_those_of_the_data_model() {
        let all = [
            (Priority::Emergency, 21),
            (Priority::Alert, 19),
            (Priority::Critical, 18),
            (Priority::Error, 17),
            (Priority::Warning, 13),
            (Priority::Notice, 10),
            (Priority::Informational, 9),
            (Priority::Debug, 5),
        ];
        for (priority, number) in all {
            let (_, record) = read(&otlp(&alert(priority), &example::exec(), &origin(), NOW));
            assert_eq!((record.severity_number, record.severity_text.as_str()), (number, priority.name()));
        }
    }

    #[test]
    fn pods_and_the_host_are_told_apart() {
        let mut event = example::exec();
        let facts = event.container.facts().unwrap();
        let pod = facts.pod.clone();
        let (resource, _) = read(&otlp(&alert(Priority::Error), &event, &origin(), NOW));
        let name = facts.name.clone().unwrap();
        let expected = if pod.is_some() { "k8s.container.name" } else { "container.name" };
        assert_eq!(resource.get(expected), Some(&text(&name)));
        if let Some(pod) = pod {
            assert_eq!(resource.get("k8s.pod.name"), pod.name.as_deref().map(text).as_ref());
            assert_eq!(resource.get("k8s.namespace.name"), pod.namespace.as_deref().map(text).as_ref());
        }
        event.container.id = ContainerId::Host;
        event.container.metadata.facts = None;
        let (resource, _) = read(&otlp(&alert(Priority::Error), &event, &origin(), NOW));
        assert!(resource.keys().all(|name| !name.starts_with("container.")), "{resource:?}");
    }

    #[test]
    fn users_add_to_the_resource_and_change_it() {
        let resource = [("service.name", "edr"), ("k8s.cluster.name", "a")];
        let resource = resource.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let origin = OtlpOrigin { resource, ..origin() };
        let (resource, _) = read(&otlp(&alert(Priority::Error), &example::exec(), &origin, NOW));
        assert_eq!(resource["service.name"], text("edr"));
        assert_eq!(resource["k8s.cluster.name"], text("a"));
    }

    #[test]
    fn messages_about_the_agent_are_records_too() {
        let name = "detector internal: repeats";
        let alert = InternalAlert::new(name, Priority::Notice, "7 more", TIME)
            .with("count", 7)
            .with("big", u64::MAX)
            .with("part", 0.5)
            .with("nothing", serde_json::Value::Null);
        let (resource, record) = read(&internal_otlp(&alert, &origin(), NOW));
        assert_eq!((record.severity_number, record.event_name.as_str()), (10, "detector.internal"));
        assert_eq!(record.body.unwrap().value, Some(text("7 more")));
        let attributes = by_name(&record.attributes);
        assert_eq!(attributes["security_rule.name"], text(name));
        assert_eq!(attributes["detector.source"], text("internal"));
        assert_eq!((&attributes["count"], &attributes["part"]), (&Any::IntValue(7), &Any::DoubleValue(0.5)));
        assert_eq!(attributes["big"], text("18446744073709551615"));
        assert!(!attributes.contains_key("nothing"));
        assert!(!resource.contains_key("container.id"));
    }
}

//! From a JSON object to the alerts in it: the object is one, or something around one or many (log drivers, webhooks,
//! exports of searches).

use serde_json::{Map, Value};

use super::{Fields, PastAlert, Written, text_line};

/// Objects around an alert.
const MAX_WRAPPERS: u32 = 8;

/// Appends the alerts of an object; says why when there is none.
pub(super) fn read(bytes: &[u8], line: u64, alerts: &mut Vec<PastAlert>) -> Result<(), String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let before = alerts.len();
    search(value, line, MAX_WRAPPERS, alerts);
    if alerts.len() == before {
        return Err(
            "an object that is no alert: it has no `rule` with `output_fields` or `output`".to_owned()
        );
    }
    Ok(())
}

fn search(value: Value, line: u64, depth: u32, alerts: &mut Vec<PastAlert>) {
    match value {
        Value::Object(map) if is_alert(&map) => alerts.push(alert(map, line)),
        _ if depth == 0 => {}
        Value::Object(map) => map.into_iter().for_each(|(_, inner)| search(inner, line, depth - 1, alerts)),
        Value::Array(items) => items.into_iter().for_each(|inner| search(inner, line, depth - 1, alerts)),
        // A log driver puts the line into a text.
        Value::String(text) if text.trim_start().starts_with('{') => {
            if let Ok(inner @ Value::Object(_)) = serde_json::from_str(&text) {
                search(inner, line, depth - 1, alerts);
            }
        }
        Value::String(text) => alerts.extend(text_line::read(text.trim_end(), line)),
        _ => {}
    }
}

fn is_alert(map: &Map<String, Value>) -> bool {
    let text = |key| map.get(key).is_some_and(Value::is_string);
    text("rule") && (map.get("output_fields").is_some_and(Value::is_object) || text("output"))
}

fn alert(mut map: Map<String, Value>, line: u64) -> PastAlert {
    let mut text = |key: &str| match map.remove(key) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let time_text = text("time");
    let (hostname, rule, priority) = (text("hostname"), text("rule"), text("priority"));
    let (source, output) = (text("source"), text("output"));
    let tags = match map.remove("tags") {
        Some(Value::Array(tags)) => {
            tags.into_iter().filter_map(|tag| tag.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    };
    let (mut written, mut fields) = (Written::Json, Fields::default());
    match (map.remove("output_fields"), &output) {
        (Some(Value::Object(values)), _) => fields = Fields::new(values),
        // Written with json_include_output_fields_property: false.
        (_, Some(output)) => (written, fields) = text_line::values(text_line::message(output)),
        _ => {}
    }
    let time_ns = time_text.as_deref().and_then(text_line::time_ns);
    let time_text = time_text.filter(|_| time_ns.is_none());
    PastAlert { written, line, time_ns, time_text, hostname, rule, priority, source, tags, output, fields }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::PastAlert, read};

    const LINE: &str = r#"{"hostname":"h","output":"x","output_fields":{"proc.name":"a","evt.time":7},"priority":"Critical","rule":"R","source":"syscall","tags":["T"],"time":"2024-10-05T12:03:22.123456789Z"}"#;

    fn alerts(text: &str) -> Vec<PastAlert> {
        let mut alerts = Vec::new();
        read(text.as_bytes(), 1, &mut alerts).unwrap();
        alerts
    }

    #[test]
    fn both_layouts_of_falco_say_the_same() {
        let old = r#"{"hostname":"h","output":"x","priority":"Critical","rule":"R","source":"syscall","tags":["T"],"time":"2024-10-05T12:03:22.123456789Z", "output_fields": {"evt.time":7,"proc.name":"a"}}"#;
        assert_eq!(alerts(LINE), alerts(old));
        assert_eq!(alerts(LINE)[0].time_ns, Some(1_728_129_802_123_456_789));
        assert_eq!(alerts(LINE)[0].fields.text("proc.name"), Some("a"));
    }

    #[test]
    fn wrappers_are_opened() {
        let plain = alerts(LINE);
        let inner: serde_json::Value = serde_json::from_str(LINE).unwrap();
        for wrapped in [
            json!({"log": format!("{LINE}\n"), "stream": "stdout", "time": "2024-10-05T12:03:22Z"}),
            json!({"event": inner}),
            json!({"hits": {"hits": [{"_source": inner}]}}),
            json!({"alerts": [inner], "status": "firing"}),
        ] {
            assert_eq!(alerts(&wrapped.to_string()), plain, "{wrapped}");
        }
        let sidekick = LINE.replacen('{', r#"{"uuid":"4f2c","#, 1);
        assert_eq!(alerts(&sidekick), plain);
    }

    #[test]
    fn an_object_that_is_no_alert_is_told() {
        let mut alerts = Vec::new();
        assert!(read(br#"{"level":"info"}"#, 1, &mut alerts).unwrap_err().contains("no alert"));
        assert!(read(br#"{"rule":1}"#, 1, &mut alerts).is_err());
        assert!(alerts.is_empty());
    }

    #[test]
    fn without_a_time_the_event_tells_it() {
        let line = LINE.replace(r#""time":"2024-10-05T12:03:22.123456789Z""#, r#""time":"yesterday""#);
        let alert = &alerts(&line)[0];
        assert_eq!(
            (alert.event_ns(), alert.time_text.as_deref()),
            (Some((7, "evt.time")), Some("yesterday"))
        );
    }
}

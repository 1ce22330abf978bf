//! Puts alerts together that belong together: those of one container on one host. Bounded, whatever comes.

use std::collections::HashMap;

use super::PastAlert;

/// Containers that are told apart; alerts of further ones are only counted.
const MAX_INCIDENTS: usize = 256;
/// Executions of one container that are told apart.
const MAX_EXECUTIONS: usize = 64;

/// Bytes that the alerts that are kept may take; alerts of further executions are only counted.
const MAX_BYTES: usize = 96 << 20;

/// Alerts with the same rule and file, in one container.
#[derive(Clone, Debug, PartialEq)]
pub struct Execution {
    /// The first of them.
    pub first: PastAlert,
    /// How many there are.
    pub count: u64,
    /// Time of the latest one, where any has a time.
    pub last_ns: Option<u64>,
}

/// What happened in one container (or on one host, outside of containers).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Incident {
    /// Its executions, in the order of their first alert.
    pub executions: Vec<Execution>,
    /// Alerts whose executions are not listed, because there are too many.
    pub unlisted: u64,
}

impl Incident {
    /// The execution that the report is about: the first of those with the most severe priority.
    #[must_use]
    pub fn main(&self) -> Option<&Execution> {
        self.executions.iter().min_by_key(|execution| severity(execution.first.priority.as_deref()))
    }

    /// All alerts.
    #[must_use]
    pub fn alerts(&self) -> u64 {
        self.executions.iter().map(|execution| execution.count).sum::<u64>() + self.unlisted
    }
}

/// Falco's number of a priority; a word that is none is the least severe.
fn severity(priority: Option<&str>) -> u8 {
    match priority.unwrap_or_default().to_ascii_lowercase().as_str() {
        "emergency" => 0,
        "alert" => 1,
        "critical" => 2,
        "error" => 3,
        "warning" => 4,
        "notice" => 5,
        "informational" | "info" => 6,
        _ => 7,
    }
}

/// Collects incidents.
#[derive(Default)]
pub struct Grouping {
    places: HashMap<String, usize>,
    incidents: Vec<Incident>,
    bytes: usize,
    /// Alerts of containers that are not told apart any more.
    pub ungrouped: u64,
}

impl Grouping {
    /// Takes an alert in.
    pub fn add(&mut self, alert: PastAlert) {
        let time_ns = alert.event_ns().map(|(ns, _)| ns);
        let key = key(&alert, self.incidents.len());
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None if self.incidents.len() == MAX_INCIDENTS || self.bytes > MAX_BYTES => {
                self.ungrouped += 1;
                return;
            }
            None => {
                self.incidents.push(Incident::default());
                self.places.insert(key, self.incidents.len() - 1);
                self.incidents.len() - 1
            }
        };
        let incident = &mut self.incidents[place];
        let same = |execution: &&mut Execution| {
            let first = &execution.first;
            first.rule == alert.rule
                && ["proc.exepath", "drop.script.path", "drop.sha256", "proc.exe_ino"]
                    .iter()
                    .all(|field| first.fields.value(field) == alert.fields.value(field))
        };
        if let Some(execution) = incident.executions.iter_mut().find(same) {
            execution.count += 1;
            execution.last_ns = execution.last_ns.max(time_ns);
        } else if incident.executions.len() == MAX_EXECUTIONS || self.bytes > MAX_BYTES {
            incident.unlisted += 1;
        } else {
            self.bytes += alert.footprint();
            incident.executions.push(Execution { first: alert, count: 1, last_ns: time_ns });
        }
    }

    /// The incidents, in the order of their first alerts.
    #[must_use]
    pub fn finish(self) -> Vec<Incident> {
        self.incidents
    }
}

/// Host and container; an alert that names no container stands alone.
fn key(alert: &PastAlert, unused: usize) -> String {
    let host = alert.hostname.as_deref().unwrap_or_default();
    match alert.fields.text("container.full_id").or_else(|| alert.fields.text("container.id")) {
        // The short form of an id is its beginning.
        Some(id) => format!("{host}\0{}", id.chars().take(12).collect::<String>()),
        None => format!("{host}\0\0{unused}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::AlertReader, Grouping, Incident, MAX_BYTES, MAX_EXECUTIONS, MAX_INCIDENTS};

    fn grouped(alerts: &[Value]) -> (Vec<Incident>, u64) {
        let text: String = alerts.iter().map(Value::to_string).collect();
        let mut reader = AlertReader::new("in", text.as_bytes());
        let mut grouping = Grouping::default();
        while let Some(alert) = reader.next_alert().unwrap() {
            grouping.add(alert);
        }
        let ungrouped = grouping.ungrouped;
        (grouping.finish(), ungrouped)
    }

    fn alert(container: &str, path: &str, priority: &str, time: u64) -> Value {
        json!({"rule": "R", "priority": priority, "hostname": "h",
            "output_fields": {"container.id": container, "proc.exepath": path, "evt.time": time}})
    }

    #[test]
    fn one_container_is_one_incident_and_repeats_are_counted() {
        let (incidents, _) = grouped(&[
            alert("a", "/x", "Notice", 5),
            alert("b", "/x", "Critical", 6),
            alert("a", "/y", "Critical", 7),
            alert("a", "/x", "Notice", 9),
        ]);
        assert_eq!(incidents.len(), 2);
        assert_eq!((incidents[0].executions[0].count, incidents[0].executions[0].last_ns), (2, Some(9)));
        assert_eq!(incidents[0].main().unwrap().first.fields.text("proc.exepath"), Some("/y"));
        assert_eq!(incidents[0].alerts(), 3);
    }

    #[test]
    fn an_alert_without_a_container_stands_alone() {
        let none = json!({"rule": "R", "output_fields": {}});
        let (incidents, _) = grouped(&[none.clone(), json!({"a": 1}), none]);
        assert_eq!(incidents.len(), 2);
    }

    #[test]
    fn bounds_hold_and_what_is_beyond_is_counted() {
        let many: Vec<Value> =
            (0..MAX_INCIDENTS + 3).map(|number| alert(&format!("c{number}"), "/x", "Notice", 1)).collect();
        let (incidents, ungrouped) = grouped(&many);
        assert_eq!((incidents.len(), ungrouped), (MAX_INCIDENTS, 3));
        let many: Vec<Value> =
            (0..MAX_EXECUTIONS + 2).map(|number| alert("a", &format!("/{number}"), "Notice", 1)).collect();
        let (incidents, _) = grouped(&many);
        assert_eq!((incidents[0].executions.len(), incidents[0].unlisted), (MAX_EXECUTIONS, 2));
    }

    #[test]
    fn what_does_not_fit_into_memory_is_counted() {
        let one = |path: &str| {
            let text = alert("a", path, "Notice", 1).to_string();
            AlertReader::new("in", text.as_bytes()).next_alert().unwrap().unwrap()
        };
        let mut grouping = Grouping::default();
        grouping.add(one("/x"));
        let before = grouping.bytes;
        grouping.add(one("/y"));
        assert!(grouping.bytes > before);
        grouping.bytes = MAX_BYTES + 1;
        for path in ["/x", "/z"] {
            grouping.add(one(path));
        }
        let mut other = one("/x");
        other.fields.set("container.id", "b".into());
        grouping.add(other);
        assert_eq!(grouping.ungrouped, 1);
        let incident = &grouping.finish()[0];
        assert_eq!((incident.executions.len(), incident.executions[0].count, incident.unlisted), (2, 2, 1));
    }
}

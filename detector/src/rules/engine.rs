//! Evaluates events against the rules.

use std::sync::Arc;

use super::{OutputError, drop_and_execute, fields::Field, output::Output};
use crate::{
    alert::{Alert, AlertRule},
    event::{ExecEvent, Value},
};

/// The loaded rules.
pub struct Engine {
    rule: Arc<AlertRule>,
    fields: Vec<Field>,
}

impl Engine {
    /// The stock rule. `time_field` is the field that goes with the time format of the lines.
    pub fn stock(time_field: &str) -> Result<Self, OutputError> {
        let extra = [time_field, "drop.kind", "drop.origin", "drop.truncated", "drop.metadata"];
        let output = Output::parse(drop_and_execute::OUTPUT, &extra)?;
        let (names, fields) = output.fields.into_iter().unzip();
        let rule = AlertRule {
            name: drop_and_execute::NAME.to_owned(),
            priority: drop_and_execute::PRIORITY,
            source: "syscall".to_owned(),
            tags: drop_and_execute::TAGS.map(str::to_owned).to_vec(),
            output: output.pieces,
            fields: names,
        };
        Ok(Self { rule: Arc::new(rule), fields })
    }

    /// The alert that this event is, if a rule matches.
    #[must_use]
    pub fn evaluate(&self, event: &ExecEvent) -> Option<Alert> {
        drop_and_execute::matches(event).then(|| Alert {
            rule: Arc::clone(&self.rule),
            time_ns: event.time_ns,
            values: self.fields.iter().map(|field| field.extract(event).map(Value::into_owned)).collect(),
        })
    }
}

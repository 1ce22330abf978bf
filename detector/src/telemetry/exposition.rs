//! Prometheus' text format 0.0.4: each metric with its help and type once, then all its samples.

use std::fmt::Write as _;

use super::metric_names::{Kind, Metric};

/// The text as it grows.
#[derive(Default)]
pub(super) struct Exposition {
    text: String,
}

impl Exposition {
    /// A metric with one sample.
    pub(super) fn one(&mut self, metric: &Metric, value: f64) {
        self.many(metric, [(&[][..], value)]);
    }

    /// A metric without a number: what it says are its labels.
    pub(super) fn info(&mut self, metric: &Metric, labels: &[(&str, &str)]) {
        self.many(metric, [(labels, 1.0)]);
    }

    /// A metric with its samples; without any, nothing.
    pub(super) fn many<'l>(
        &mut self,
        metric: &Metric,
        samples: impl IntoIterator<Item = (&'l [(&'l str, &'l str)], f64)>,
    ) {
        for (number, (labels, value)) in samples.into_iter().enumerate() {
            if number == 0 {
                self.head(metric);
            }
            self.sample(metric.name, labels, value);
        }
    }

    /// Help and type; samples must follow.
    pub(super) fn head(&mut self, metric: &Metric) {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP {} {}\n# TYPE {} {kind}", metric.name, metric.help, metric.name);
    }

    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.text.push_str(name);
        for (number, (label, value)) in labels.iter().enumerate() {
            self.text.push(if number == 0 { '{' } else { ',' });
            self.text.push_str(label);
            self.text.push_str("=\"");
            for character in value.chars() {
                match character {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    other => self.text.push(other),
                }
            }
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    pub(super) fn end(self) -> String {
        self.text
    }
}

/// A label's name from any text: what is not allowed becomes `_`.
pub(super) fn label_name(text: &str) -> String {
    text.chars().map(|one| if one.is_ascii_alphanumeric() { one } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::{Exposition, label_name};
    use crate::telemetry::metric_names::{RULE_MATCHES, START};

    #[test]
    fn help_and_type_stand_once_and_labels_are_escaped() {
        let mut text = Exposition::default();
        let labels = [("rule_name", "a\\b\"c\nd")];
        text.many(&RULE_MATCHES, [(&labels[..], 1.0), (&[][..], 2.0)]);
        text.one(&START, 1.5e18);
        let expected = concat!(
            "# HELP falcosecurity_falco_rules_matches_total Alerts by rule.\n",
            "# TYPE falcosecurity_falco_rules_matches_total counter\n",
            "falcosecurity_falco_rules_matches_total{rule_name=\"a\\\\b\\\"c\\nd\"} 1\n",
            "falcosecurity_falco_rules_matches_total 2\n",
            "# HELP falcosecurity_falco_start_timestamp_nanoseconds When the agent started.\n",
            "# TYPE falcosecurity_falco_start_timestamp_nanoseconds gauge\n",
            "falcosecurity_falco_start_timestamp_nanoseconds 1500000000000000000\n",
        );
        assert_eq!(text.end(), expected);
    }

    #[test]
    fn label_names_have_no_dots() {
        assert_eq!(label_name("PCI_DSS_11.5.1"), "PCI_DSS_11_5_1");
    }
}

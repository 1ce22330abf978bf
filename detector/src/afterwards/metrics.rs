//! What a running agent counted about its rules, out of what it answers to `/metrics`.

use crate::{
    rules::{RuleHits, SilencerHits},
    telemetry::metric_names::{Metric, RULE_MATCHES, SILENCED, SILENCED_ITEMS},
};

/// Why metrics cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum MetricsError {
    /// A line of one of the metrics is damaged.
    #[error("line {0} of the metrics is damaged: it is no `name{{label=\"value\"}} number`")]
    Damaged(usize),
    /// Not from an agent that counts.
    #[error("the metrics have no {}: they are not from this agent, or from one that is older", SILENCED.name)]
    Nothing,
}

/// Reads the counts of rules; other metrics are left alone.
pub(super) fn read(text: &str) -> Result<Vec<RuleHits>, MetricsError> {
    let mut rules: Vec<RuleHits> = Vec::new();
    let mut known = false;
    for (number, line) in text.lines().enumerate() {
        known |= line.starts_with("# TYPE ") && line.contains(SILENCED.name);
        let Some(metric) =
            [&RULE_MATCHES, &SILENCED, &SILENCED_ITEMS].into_iter().find(|metric| is(metric, line))
        else {
            continue;
        };
        let (labels, count) = sample(&line[metric.name.len()..]).ok_or(MetricsError::Damaged(number + 1))?;
        let label = |name: &str| {
            let found = labels.iter().find(|(label, _)| label == name);
            found.map(|(_, value)| value.clone()).ok_or(MetricsError::Damaged(number + 1))
        };
        let rule = rule_of(&mut rules, &label("rule_name")?);
        if *metric == RULE_MATCHES {
            rule.matched += count;
            continue;
        }
        let by = label("by")?;
        let silencer = silencer_of(rule, by);
        if *metric == SILENCED {
            silencer.is_exception = label("kind")? == "exception";
            silencer.count += count;
        } else {
            silencer.items.push((label("item")?, count));
        }
    }
    if known { Ok(rules) } else { Err(MetricsError::Nothing) }
}

fn is(metric: &Metric, line: &str) -> bool {
    line.strip_prefix(metric.name).is_some_and(|rest| rest.starts_with('{'))
}

fn rule_of<'r>(rules: &'r mut Vec<RuleHits>, name: &str) -> &'r mut RuleHits {
    let at = rules.iter().position(|rule| rule.rule == name).unwrap_or_else(|| {
        rules.push(RuleHits { rule: name.to_owned(), matched: 0, silencers: Vec::new() });
        rules.len() - 1
    });
    &mut rules[at]
}

fn silencer_of(rule: &mut RuleHits, label: String) -> &mut SilencerHits {
    let at = rule.silencers.iter().position(|one| one.label == label).unwrap_or_else(|| {
        rule.silencers.push(SilencerHits { label, is_exception: false, count: 0, items: Vec::new() });
        rule.silencers.len() - 1
    });
    &mut rule.silencers[at]
}

/// Labels and count of what stands behind the name of a metric.
fn sample(text: &str) -> Option<(Vec<(String, String)>, u64)> {
    let mut rest = text.strip_prefix('{')?;
    let mut labels = Vec::new();
    loop {
        if let Some(behind) = rest.strip_prefix('}') {
            let number: f64 = behind.split_whitespace().next()?.parse().ok()?;
            return (number >= 0.0).then(|| (labels, whole(number)));
        }
        let (name, behind) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut letters = behind.chars();
        loop {
            match letters.next()? {
                '"' => break,
                '\\' => value.push(match letters.next()? {
                    'n' => '\n',
                    other => other,
                }),
                other => value.push(other),
            }
        }
        labels.push((name.trim().to_owned(), value));
        rest = letters.as_str();
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count that is not negative; casts keep to the ends of what there is"
)]
const fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::{MetricsError, read};
    use crate::{
        rules::{RuleHits, SilencerHits},
        telemetry::{Figures, ProcessFigures, RuleFigures, SilencedFigures},
    };

    #[test]
    fn what_the_agent_writes_is_read_back() {
        let name = "A \"rule\"\\, {x}\nof two lines";
        let figures = Figures {
            rules: vec![RuleFigures { name: name.to_owned(), alerts: 3, ..RuleFigures::default() }],
            silenced: vec![SilencedFigures {
                rule: name.to_owned(),
                by: "e".to_owned(),
                is_exception: true,
                events: 4,
                items: vec![("a=\"b\"".to_owned(), 4), ("c".to_owned(), 0)],
            }],
            ..Figures::default()
        };
        let silencer = SilencerHits {
            label: "e".to_owned(),
            is_exception: true,
            count: 4,
            items: vec![("a=\"b\"".to_owned(), 4), ("c".to_owned(), 0)],
        };
        let expected = RuleHits { rule: name.to_owned(), matched: 3, silencers: vec![silencer] };
        assert_eq!(read(&figures.exposition(&ProcessFigures::default())), Ok(vec![expected]));
    }

    #[test]
    fn what_is_damaged_or_of_somebody_else_is_an_error() {
        assert_eq!(read("# HELP go_threads x\ngo_threads 8\n"), Err(MetricsError::Nothing));
        for line in [
            "{rule_name=\"a",
            "{rule_name=\"a\"} x",
            "{rule_name=\"a\"} -1",
            "{by=\"a\"} 1",
            "{rule_name=\"a\"}",
        ] {
            let text =
                format!("# TYPE detector_rule_silenced_total counter\ndetector_rule_silenced_total{line}\n");
            assert_eq!(read(&text), Err(MetricsError::Damaged(2)), "{line}");
        }
    }
}

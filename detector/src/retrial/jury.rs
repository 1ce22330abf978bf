//! The rules that past alerts are held against.

use detector_rule_lang::Program;

use super::truth::{self, Clause, Truth};
use crate::{
    incident::PastAlert,
    rules::{
        RuleChoice, RulesError, fields::Field, files::RuleFile, report::render_text, resolve::LoadReport,
    },
};

/// A rule that can be held against alerts.
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Its condition with its exceptions.
    program: Program<Field>,
    /// Names of its exceptions that have values, in order: the last clauses of the condition.
    pub exceptions: Vec<String>,
}

/// What a rule says to an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It would fire.
    Fires,
    /// It would not.
    Silent,
    /// It depends on these fields, which the alert does not have.
    Undecided(Vec<String>),
}

/// Rules in the order of evaluation.
pub struct Jury {
    /// The rules.
    pub rules: Vec<Rule>,
    all_matching: bool,
}

impl Jury {
    /// The rules of these files, behind them those of `more`.
    pub fn new(choice: &RuleChoice, more: Vec<RuleFile>) -> Result<Self, RulesError> {
        let report = choice.load_with(more);
        Self::of(choice, report)
    }

    fn of(choice: &RuleChoice, report: LoadReport<Field>) -> Result<Self, RulesError> {
        if !report.is_valid() {
            return Err(RulesError::Invalid(render_text(report.errors())));
        }
        let exceptions = report.exceptions_with_values();
        let (loaded, skipped) = (report.rules.len(), report.skipped.len());
        let mut rules = Vec::new();
        for rule in report.rules.into_iter().filter(|rule| choice.runs(rule)) {
            let exceptions = exceptions.get(&rule.name).cloned().unwrap_or_default();
            rules.push(Rule { name: rule.name, program: rule.program, exceptions });
        }
        if rules.is_empty() {
            return Err(RulesError::Nothing { loaded, skipped });
        }
        Ok(Self { rules, all_matching: choice.all_matching })
    }

    /// The rule of this name.
    #[must_use]
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name == name)
    }

    /// Names of the rules that would fire, and whether a rule before or among them is undecided, with what is missing.
    #[must_use]
    pub fn fires(&self, alert: &PastAlert) -> (Vec<&str>, Vec<String>) {
        let (mut names, mut missing) = (Vec::new(), Vec::new());
        for rule in &self.rules {
            match rule.verdict(alert) {
                Verdict::Fires => {
                    names.push(rule.name.as_str());
                    if !self.all_matching {
                        break;
                    }
                }
                Verdict::Silent => {}
                Verdict::Undecided(fields) => missing.extend(fields),
            }
        }
        missing.sort();
        missing.dedup();
        (names, missing)
    }
}

impl Rule {
    /// What the rule says to an alert.
    #[must_use]
    pub fn verdict(&self, alert: &PastAlert) -> Verdict {
        match truth::of(self.program.expr(), alert) {
            Truth::Yes => Verdict::Fires,
            Truth::No => Verdict::Silent,
            Truth::Unknown => {
                let mut fields = Vec::new();
                truth::missing(self.program.expr(), alert, &mut fields);
                Verdict::Undecided(fields)
            }
        }
    }

    /// The conditions that must all hold; the last of them are the exceptions, each with its name.
    #[must_use]
    pub fn clauses(&self, alert: &PastAlert) -> Vec<(Option<String>, Clause)> {
        let clauses = truth::clauses(self.program.expr(), alert);
        let first = clauses.len().saturating_sub(self.exceptions.len());
        let name = |index: usize| index.checked_sub(first).and_then(|at| self.exceptions.get(at)).cloned();
        clauses.into_iter().enumerate().map(|(index, clause)| (name(index), clause)).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Jury, Verdict};
    use crate::{
        incident::{AlertReader, PastAlert},
        rules::{RuleChoice, files::RuleFile},
    };

    const RULE: &str = "Drop and execute new binary in container";

    fn alert(fields: &Value) -> PastAlert {
        let text = json!({"rule": RULE, "output_fields": fields}).to_string();
        AlertReader::new("in", text.as_bytes()).next_alert().unwrap().unwrap()
    }

    fn stock() -> Value {
        json!({"evt.type": "execve", "evt.arg.flags": "EXE_WRITABLE|EXE_UPPER_LAYER", "container.id": "0123456789ab",
            "container.image.repository": "nginx", "proc.pname": "sh", "proc.aname[2]": "dpkg", "proc.exepath": "/tmp/x"})
    }

    fn verdict(more: &str, fields: &Value) -> Verdict {
        let more = RuleFile::from_bytes("more.yaml", more.as_bytes().to_vec());
        let jury = Jury::new(&RuleChoice::default(), vec![more]).unwrap();
        jury.rule(RULE).unwrap().verdict(&alert(fields))
    }

    #[test]
    fn an_alert_of_the_stock_rule_fires_again() {
        assert_eq!(verdict("", &stock()), Verdict::Fires);
    }

    #[test]
    fn exceptions_silence_what_they_describe() {
        let exception = |fields: &str| {
            format!(
                "- rule: {RULE}\n  exceptions:\n    - {{name: e, {fields}}}\n  override: {{exceptions: append}}\n"
            )
        };
        for (fields, expected) in [
            (
                "fields: [proc.exepath, proc.pname], comps: [glob, =], values: [['/tmp/*', sh]]",
                Verdict::Silent,
            ),
            ("fields: [proc.exepath], comps: [glob], values: [['/opt/*']]", Verdict::Fires),
            ("fields: [proc.aname], comps: [in], values: [[[dpkg, apt-get]]]", Verdict::Silent),
            // Nobody knows who stands above the second ancestor.
            (
                "fields: [proc.aname], comps: [in], values: [[[cron]]]",
                Verdict::Undecided(vec!["proc.aname".to_owned()]),
            ),
            (
                "fields: [proc.cmdline], comps: [contains], values: [[x]]",
                Verdict::Undecided(vec!["proc.cmdline".to_owned()]),
            ),
        ] {
            assert_eq!(verdict(&exception(fields), &stock()), expected, "{fields}");
        }
    }

    #[test]
    fn what_the_alert_does_not_have_is_undecided_and_null_is_not() {
        let mut fields = stock();
        fields["container.image.repository"] = Value::Null;
        assert_eq!(verdict("", &fields), Verdict::Fires);
        fields.as_object_mut().unwrap().remove("container.id");
        assert_eq!(verdict("", &fields), Verdict::Undecided(vec!["container.id".to_owned()]));
    }
}

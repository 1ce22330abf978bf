//! Holds a proposal against the alerts that it was made of: its file is loaded like any other, behind the rules.

use super::{Exception, rule_file};
use crate::{
    incident::PastAlert,
    retrial::{Jury, Verdict},
    rules::{RuleChoice, RulesError, files::RuleFile},
};

/// Name of the proposal in messages.
const NAME: &str = "proposed exceptions";

/// A rule that fires for every exec.
const STAND_IN: &str = "- rule: 'NAME'
  desc: any
  condition: (evt.type in (execve, execveat))
  output: any
  priority: DEBUG
";

/// What came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Alerts that would not come any more.
    pub silenced: u64,
    /// Alerts that still come.
    pub left: u64,
    /// Alerts of which it cannot be told.
    pub undecided: u64,
    /// Rules that are not among those given: their exceptions were held against the alerts by themselves.
    pub unknown_rules: Vec<String>,
}

/// A proposal that does not do what it says. An error of this program, not of the input.
#[derive(Debug, thiserror::Error)]
#[error("the proposed file does not load, please report this: {0}")]
pub struct Unverified(#[from] RulesError);

/// Loads the proposal behind the rules and holds it against these alerts.
pub fn verify(
    choice: &RuleChoice,
    exceptions: &[Exception],
    alerts: &[PastAlert],
) -> Result<Verified, Unverified> {
    let rules = Jury::new(choice, Vec::new())?;
    let mut verified = Verified::default();
    let mut stubs = String::new();
    for exception in exceptions {
        if rules.rule(&exception.rule).is_none() && !verified.unknown_rules.contains(&exception.rule) {
            verified.unknown_rules.push(exception.rule.clone());
            let name = exception.rule.replace('\'', "''");
            stubs += &STAND_IN.replace("NAME", &name);
        }
    }
    let file = |name: &str, text: String| RuleFile::from_bytes(name, text.into_bytes());
    let proposal = rule_file(exceptions, super::Account::default());
    let more = vec![file("stand-ins", stubs), file(NAME, proposal)];
    let jury = Jury::new(choice, more)?;
    for alert in alerts {
        let verdict = alert.rule.as_deref().and_then(|name| jury.rule(name)).map(|rule| rule.verdict(alert));
        match verdict {
            Some(Verdict::Silent) => verified.silenced += 1,
            Some(Verdict::Fires) | None => verified.left += 1,
            Some(Verdict::Undecided(_)) => verified.undecided += 1,
        }
    }
    Ok(verified)
}

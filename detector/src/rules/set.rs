//! From paths to the rules that run: which files there are, how they are loaded, and which of their rules are
//! switched on.

use std::path::{Path, PathBuf};

use super::{
    Catalog, Engine, OutputAdditions, OutputStyle,
    engine::RuleParts,
    fields::Field,
    files::RuleFile,
    report::render_text,
    resolve::{self, LoadReport, Selection, runs},
};
use crate::alert::Priority;

/// Fields of ours that every alert shows beside those of its output. None for which the executed file must be read: an alert
/// that shows such a field leaves some milliseconds later, so rules and `append_output` ask for them. None of Falco's: its
/// alerts have the fields that their outputs name, and nothing else stands outside of `drop.`.
const OWN_FIELDS: [&str; 8] = [
    "drop.age_ms",
    "drop.kind",
    "drop.metadata",
    "drop.origin",
    "drop.pid",
    "drop.runtime",
    "drop.truncated",
    "drop.via",
];

/// Which rules shall run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleChoice {
    /// Rule files and folders of rule files, in order; empty = the rules that are built in.
    pub files: Vec<PathBuf>,
    /// What is switched on and off, in order.
    pub selections: Vec<Selection>,
    /// Rules that are less severe do not run.
    pub minimum: Priority,
    /// Every rule that matches gives an alert, and not only the first.
    pub all_matching: bool,
    /// What is added to outputs.
    pub additions: OutputAdditions,
}

impl Default for RuleChoice {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            selections: Vec::new(),
            minimum: Priority::Debug,
            all_matching: false,
            additions: OutputAdditions::default(),
        }
    }
}

/// Rules that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// Mistakes in the files, all of them.
    #[error("the rules have mistakes, so none is loaded:\n{0}")]
    Invalid(String),
    /// None is left.
    #[error(
        "no rule runs: all of {loaded} loaded rules are switched off, and {skipped} are not about exec events"
    )]
    Nothing {
        /// How many were loaded.
        loaded: usize,
        /// How many were skipped.
        skipped: usize,
    },
}

impl RuleChoice {
    /// Loads the files; the report has the rules or all reasons why not.
    #[must_use]
    pub fn load(&self) -> LoadReport<Field> {
        self.load_with(Vec::new())
    }

    /// As [`Self::load`], with further files behind.
    #[must_use]
    pub fn load_with(&self, more: Vec<RuleFile>) -> LoadReport<Field> {
        let catalog = Catalog::new(self.additions.static_fields.keys().cloned());
        let mut files = self.read();
        files.extend(more);
        resolve::load(&files, &catalog, &self.additions.load_options())
    }

    fn read(&self) -> Vec<RuleFile> {
        if self.files.is_empty() {
            return match self.additions.style {
                OutputStyle::Current => vec![RuleFile::stock()],
                OutputStyle::Classic => vec![RuleFile::stock(), RuleFile::classic_output()],
            };
        }
        self.files.iter().flat_map(|path| below(path)).map(|path| RuleFile::read(&path)).collect()
    }

    /// Whether a loaded rule runs.
    #[must_use]
    pub fn runs(&self, rule: &resolve::LoadedRule<Field>) -> bool {
        runs((&rule.name, &rule.tags, rule.priority, rule.enabled), &self.selections, self.minimum)
    }

    /// The rules of a report, ready to run. `time_field` is the field that goes with the time format of the lines.
    pub fn engine(&self, report: LoadReport<Field>, time_field: &str) -> Result<Engine, RulesError> {
        if !report.is_valid() {
            return Err(RulesError::Invalid(render_text(report.errors())));
        }
        let (loaded, skipped) = (report.rules.len(), report.skipped.len());
        let exceptions = report.exceptions_with_values();
        let running = report.rules.into_iter().filter(|rule| self.runs(rule)).map(|rule| RuleParts {
            exceptions: exceptions.get(&rule.name).cloned().unwrap_or_default(),
            name: rule.name,
            priority: rule.priority,
            source: rule.source,
            tags: rule.tags,
            program: rule.program,
            template: rule.template,
            extra_fields: rule.extra_fields,
        });
        let running: Vec<RuleParts> = running.collect();
        if running.is_empty() {
            return Err(RulesError::Nothing { loaded, skipped });
        }
        let extra: Vec<&str> = OWN_FIELDS.iter().copied().chain([time_field]).collect();
        Ok(Engine::new(running, self.all_matching, &extra))
    }
}

/// The file itself, or the rule files of a folder in the order of their names.
fn below(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = path.read_dir() else {
        return vec![path.to_owned()];
    };
    let yaml = |path: &PathBuf| path.extension().is_some_and(|end| end == "yaml" || end == "yml");
    let mut files: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| yaml(path) && path.is_file())
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::{RuleChoice, RulesError};
    use crate::{
        event::{ContainerId, ExeFlags, ExecKind, Origin, example},
        rules::resolve::{Selection, Which},
    };

    #[test]
    fn the_stock_rule_runs_and_asks_the_kernel_for_little() {
        let choice = RuleChoice::default();
        let engine = choice.engine(choice.load(), "evt.time").unwrap();
        assert_eq!(engine.len(), 1);
        assert_eq!(engine.filter().describe(), "in a container, from the upper layer");
        assert!(!engine.filter().environment);
    }

    #[test]
    fn the_stock_rule_fires_in_a_container_only() {
        let choice = RuleChoice::default();
        let engine = choice.engine(choice.load(), "evt.time").unwrap();
        let mut event = example::exec();
        event.file.origin = Origin::New;
        event.file.flags = ExeFlags(ExeFlags::UPPER_LAYER);
        let fires = |event: &_| {
            let mut alerts = 0;
            engine.evaluate(event, |_| alerts += 1);
            alerts
        };
        assert_eq!(fires(&event), 1);
        event.file.flags = ExeFlags(ExeFlags::LOWER_LAYER);
        assert_eq!(fires(&event), 0);
        event.file.flags = ExeFlags(ExeFlags::UPPER_LAYER);
        event.container.id = ContainerId::Host;
        assert_eq!(fires(&event), 0);
    }

    #[test]
    fn a_mapped_file_concerns_only_rules_that_speak_of_kinds() {
        let choice = RuleChoice::default();
        let engine = choice.engine(choice.load(), "evt.time").unwrap();
        let mut event = example::exec();
        event.mapped = Some(Box::new(event.file.clone()));
        event.kind = ExecKind::ExecMap;
        let mut alerts = 0;
        engine.evaluate(&event, |_| alerts += 1);
        assert_eq!(alerts, 0, "the process itself has its own event");
    }

    #[test]
    fn a_container_that_could_not_be_told_is_not_the_host() {
        let choice = RuleChoice::default();
        let engine = choice.engine(choice.load(), "evt.time").unwrap();
        let mut event = example::exec();
        event.file.flags = ExeFlags(ExeFlags::UPPER_LAYER);
        event.container.id = ContainerId::Unknown;
        let mut alerts = 0;
        engine.evaluate(&event, |_| alerts += 1);
        assert_eq!(alerts, 1);
    }

    #[test]
    fn nothing_to_run_is_an_error() {
        let off = Selection { enable: false, which: Which::Name("*".to_owned()) };
        let choice = RuleChoice { selections: vec![off], ..RuleChoice::default() };
        assert!(matches!(
            choice.engine(choice.load(), "evt.time"),
            Err(RulesError::Nothing { loaded: 1, .. })
        ));
    }

    #[test]
    fn a_missing_file_is_an_error_that_names_it() {
        let choice = RuleChoice { files: vec!["/nowhere/r.yaml".into()], ..RuleChoice::default() };
        let error = choice.engine(choice.load(), "evt.time").map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("/nowhere/r.yaml"), "{error}");
    }
}

//! The suites that can go into a guest, and what each states about itself: a suite knows best whether the kernel makes
//! a difference to it, so it says so in its own file, and no list has to be kept beside it.
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// The macros of the harness; each takes up a statement by itself, so that a mistyped one does not compile.
const SAME: &str = "detector_tests::same_on_every_kernel!(";
const ENDS: &str = "detector_tests::oldest_and_newest_kernel!(";
const NOT_HERE: &str = "detector_tests::not_in_a_virtual_machine!(";
const MODULES: &str = "detector_tests::depends_on_security_modules!(";

/// One file of tests/tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suite {
    pub(super) name: String,
    pub(super) statement: Option<Statement>,
}

/// What it says of itself; without a word it runs on each kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// The kernel makes no difference to it, for this reason.
    SameOnEveryKernel(String),
    /// It is enough to run it on the oldest, the newest and one between, for this reason.
    OldestAndNewestKernel(String),
    /// An emulated processor cannot show what it is about, for this reason.
    NotInAVirtualMachine(String),
    /// It says something else when other security modules are active.
    DependsOnSecurityModules,
}

impl Suite {
    /// The suites that cargo builds without extra features, as its description of the workspace tells.
    pub(super) fn all(metadata: &Value) -> Result<Vec<Self>> {
        targets(metadata)
            .into_iter()
            .map(|(name, path)| {
                let text = std::fs::read_to_string(Path::new(path))
                    .with_context(|| format!("cannot read the suite {path}"))?;
                let statement = statement(&text).with_context(|| format!("in {path}"))?;
                Ok(Self { name: name.to_owned(), statement })
            })
            .collect()
    }

    #[cfg(test)]
    pub(super) fn of_test(name: &str, statement: Option<Statement>) -> Self {
        Self { name: name.to_owned(), statement }
    }
}

/// Name and file of each.
fn targets(metadata: &Value) -> Vec<(&str, &str)> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let ours = packages.filter(|package| package["name"] == "detector-tests");
    let targets = ours.flat_map(|package| package["targets"].as_array().into_iter().flatten());
    let plain = targets.filter(|target| {
        let features = target["required-features"].as_array();
        target["kind"][0] == "test" && features.is_none_or(Vec::is_empty)
    });
    plain.filter_map(|target| Some((target["name"].as_str()?, target["src_path"].as_str()?))).collect()
}

fn statement(text: &str) -> Result<Option<Statement>> {
    let mut found = Vec::new();
    for (mark, of) in [
        (SAME, Statement::SameOnEveryKernel as fn(String) -> Statement),
        (ENDS, Statement::OldestAndNewestKernel),
        (NOT_HERE, Statement::NotInAVirtualMachine),
    ] {
        if let Some((_, rest)) = text.split_once(mark) {
            let reason = rest.split('"').nth(1).context("the statement has no reason")?;
            found.push(of(reason.to_owned()));
        }
    }
    found.extend(text.contains(MODULES).then_some(Statement::DependsOnSecurityModules));
    match found.len() {
        0 | 1 => Ok(found.pop()),
        _ => bail!("the suite states more than one thing about where it runs: {found:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `cargo test --test '*'` refused to build anything once one suite needed a feature.
    #[test]
    fn a_suite_that_needs_features_is_left_out() {
        let metadata = r#"{"packages":[{"name":"detector-tests","targets":[
            {"name":"burst","kind":["test"],"src_path":"/b.rs"},
            {"name":"probe","kind":["bin"],"src_path":"/p.rs"},
            {"name":"metadata","kind":["test"],"required-features":["engines"],"src_path":"/m.rs"}]},
            {"name":"other","targets":[{"name":"no","kind":["test"],"src_path":"/n.rs"}]}]}"#;
        assert_eq!(targets(&serde_json::from_str(metadata).unwrap()), [("burst", "/b.rs")]);
    }

    #[test]
    fn a_statement_is_taken_as_rustfmt_writes_it() {
        let reason = |text: &str| match statement(text).unwrap() {
            Some(Statement::SameOnEveryKernel(reason)) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(reason("x\ndetector_tests::same_on_every_kernel!(\"it is\");\ny \"z\""), "it is");
        assert_eq!(reason("detector_tests::same_on_every_kernel!(\n    \"it is\"\n);"), "it is");
        let modules = statement("detector_tests::depends_on_security_modules!();").unwrap();
        assert_eq!(modules, Some(Statement::DependsOnSecurityModules));
        let ends = statement("detector_tests::oldest_and_newest_kernel!(\"signals\");").unwrap();
        assert_eq!(ends, Some(Statement::OldestAndNewestKernel("signals".to_owned())));
        let not_here = statement("detector_tests::not_in_a_virtual_machine!(\"time\");").unwrap();
        assert_eq!(not_here, Some(Statement::NotInAVirtualMachine("time".to_owned())));
        assert_eq!(statement("//! A suite.").unwrap(), None);
        let both =
            "detector_tests::depends_on_security_modules!();detector_tests::same_on_every_kernel!(\"a\");";
        assert!(statement(both).is_err() && statement("detector_tests::same_on_every_kernel!();").is_err());
    }
}

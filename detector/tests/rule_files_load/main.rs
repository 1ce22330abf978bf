//! Rule files as users write them, loaded against a small catalog of fields.

mod catalog;
mod diagnostics;
mod exceptions;
mod falco_reports;
mod hostile;
mod merge;
mod skipped;
mod stock;

use catalog::Catalog;
use detector::rules::{
    files::RuleFile,
    report::Code,
    resolve::{LoadOptions, LoadReport, load},
};

/// Loads texts as files `1.yaml`, `2.yaml` ...
fn load_texts(texts: &[&str]) -> LoadReport<&'static str> {
    load_with(texts, &LoadOptions::default())
}

fn load_with(texts: &[&str], options: &LoadOptions) -> LoadReport<&'static str> {
    let file = |(number, text): (usize, &&str)| {
        RuleFile::from_bytes(&format!("{}.yaml", number + 1), text.as_bytes().to_vec())
    };
    let files: Vec<RuleFile> = texts.iter().enumerate().map(file).collect();
    load(&files, &Catalog, options)
}

/// A rule `R` with this condition, and further lines.
fn rule(condition: &str, more: &str) -> String {
    format!("- rule: R\n  desc: d\n  condition: {condition}\n  output: o\n  priority: INFO\n{more}")
}

/// Codes and places of everything that was found, as `CODE 1.yaml:2:3`.
fn found(report: &LoadReport<&'static str>) -> Vec<String> {
    report.diagnostics.iter().map(|found| format!("{} {}", found.code.name(), found.place)).collect()
}

/// The same without warnings of unused lists and macros.
fn found_but_unused(report: &LoadReport<&'static str>) -> Vec<String> {
    let unused = [Code::UnusedList, Code::UnusedMacro].map(Code::name);
    found(report).into_iter().filter(|line| !unused.iter().any(|code| line.starts_with(code))).collect()
}

/// The compiled condition of the rule `R`.
fn condition<'r>(report: &'r LoadReport<&'static str>) -> Option<&'r str> {
    let rule = report.rules.iter().find(|rule| rule.name == "R")?;
    Some(rule.details.condition.as_str())
}

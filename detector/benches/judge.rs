//! What the rules cost: loading them, judging one exec by them, and writing one alert.
//!
//! ```text
//! DETECTOR_FALCO_RULES=FOLDER cargo bench -p detector
//! ```
//!
//! With a folder of Falco's rule files "stock" is the newest stable file with the incubating and the sandbox file;
//! without it, our own file.

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

use std::path::PathBuf;

use detector::{
    alert::Alert,
    decode::decode,
    event::ExecEvent,
    format::{JsonOptions, TimeFormat, json, text},
    rules::{Engine, RuleChoice},
};
use detector_common::{exe_flags, record::exec::Origin};
use divan::{Bencher, black_box};
use synthetic::{CLOCK, Record};

fn main() {
    divan::main();
}

/// Sets of rules, by name.
const SETS: [&str; 2] = ["default", "stock"];

fn choice(set: &str) -> RuleChoice {
    let folder = std::env::var_os("DETECTOR_FALCO_RULES").map(PathBuf::from);
    let files = match folder {
        Some(folder) if set == "stock" => stock(&folder),
        _ => Vec::new(),
    };
    RuleChoice { files, ..RuleChoice::default() }
}

/// The last stable file by name, then all others that are no stable ones.
fn stock(folder: &std::path::Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "yaml"));
    files.sort();
    let name = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("falco_rules"))
    };
    let (stable, mut others): (Vec<_>, Vec<_>) = files.into_iter().partition(name);
    others.splice(0..0, stable.into_iter().last());
    others
}

fn engine(set: &str) -> Engine {
    let choice = choice(set);
    choice.engine(choice.load(), "evt.time").unwrap_or_else(|error| panic!("{error}"))
}

/// An exec of a file of the image, which is what nearly all are.
fn quiet() -> Record {
    let mut record = Record::drop_in_docker();
    record.fixed.exe.origin = Origin::Image as u8;
    record.fixed.exe.flags = exe_flags::EXE_LOWER_LAYER;
    record
}

fn alert(event: &ExecEvent) -> Alert {
    let mut found = None;
    engine("default").evaluate(event, |alert| found = Some(alert));
    found.unwrap_or_else(|| panic!("a drop is an alert"))
}

#[divan::bench(args = SETS)]
fn load(set: &str) -> usize {
    engine(set).len()
}

#[divan::bench]
fn decode_a_record(bencher: Bencher<'_, '_>) {
    let bytes = quiet().bytes();
    bencher.bench(|| decode(black_box(&bytes), CLOCK, 1));
}

#[divan::bench(args = SETS)]
fn evaluate_quiet(bencher: Bencher<'_, '_>, set: &str) {
    let (engine, event) = (engine(set), quiet().event());
    bencher.bench(|| engine.evaluate(black_box(&event), |alert| drop(black_box(alert))));
}

#[divan::bench(args = SETS)]
fn evaluate_drop(bencher: Bencher<'_, '_>, set: &str) {
    let (engine, event) = (engine(set), Record::drop_in_docker().event());
    bencher.bench(|| engine.evaluate(black_box(&event), |alert| drop(black_box(alert))));
}

#[divan::bench]
fn format_json(bencher: Bencher<'_, '_>) {
    let alert = alert(&Record::drop_in_docker().event());
    bencher.bench(|| json(black_box(&alert), "node-1", &JsonOptions::default(), TimeFormat::Iso8601));
}

#[divan::bench]
fn format_text(bencher: Bencher<'_, '_>) {
    let alert = alert(&Record::drop_in_docker().event());
    bencher.bench(|| text(black_box(&alert), TimeFormat::Local));
}

//! Reports byte for byte, made by the program itself from alerts in `alerts/`: what the agent wrote about real drops (the
//! event-generator's action, a script, `docker cp`, a package that apt-get installed), and what Falco writes in the layouts
//! of 0.38 and of 0.41. After a wanted change
//!
//! ```text
//! DETECTOR_WRITE_GOLDEN=1 cargo test -p detector --test golden_reports
//! ```
//!
//! writes the files in `expected/` anew, and the difference is for review; a page is for a browser, too.

#[path = "../golden_alerts/compare.rs"]
mod compare;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Layouts, and how the files of each end.
const LAYOUTS: [(&str, &str); 3] = [("markdown", "md"), ("html", "html"), ("json", "json")];

#[test]
fn reports_are_what_they_were() {
    let mut faults = Vec::new();
    let alerts = alerts();
    assert!(alerts.len() >= 6, "{alerts:?}");
    for alert in &alerts {
        for (layout, end) in LAYOUTS {
            let expected = folder("expected").join(alert.file_stem().expect("a name")).with_extension(end);
            faults.extend(compare::with_file(&expected, &settled(&report(alert, layout))));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What cannot be told of a report with its alert in sight is looked for: a list of what every one of them says.
#[test]
fn every_report_tells_what_is_to_be_done() {
    for alert in alerts() {
        let report = report(&alert, "markdown");
        for words in ["### Timeline", "### What to check next", "### How to contain", "was executed", "Risk "]
        {
            let told = report.contains(words) || words == "was executed" && report.contains(" was run ");
            assert!(told, "{}: no `{words}` in\n{report}", alert.display());
        }
        for step in ["### What to check next", "### What to keep", "### How to contain"] {
            let section = report.split(step).nth(1).and_then(|rest| rest.split("\n### ").next());
            assert!(
                section.is_some_and(|text| text.contains("```sh")),
                "{}: {step}\n{report}",
                alert.display()
            );
        }
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden_reports").join(name)
}

fn alerts() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder("alerts")).expect("it lies in the source tree");
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    all.sort();
    all
}

fn report(alert: &Path, layout: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_detector"))
        .args(["report", "--format", layout])
        .arg(alert)
        .output()
        .expect("the agent's program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{}: {said}", alert.display());
    String::from_utf8(output.stdout).expect("text")
}

/// Without what differs from run to run (when it was made), and without the style sheet, which is a file of its own.
fn settled(report: &str) -> String {
    let mut text = report.to_owned();
    for (before, behind) in [("Made ", ".\n"), ("\"made\">made ", "<"), ("\"made\": \"", "\"")] {
        replace(&mut text, before, behind, "WHEN");
    }
    replace(&mut text, "<style>\n", "</style>", "report.css\n");
    text
}

/// Puts `with` between the first `before` and the `behind` that follows it.
fn replace(text: &mut String, before: &str, behind: &str, with: &str) {
    let Some(start) = text.find(before).map(|at| at + before.len()) else { return };
    let Some(length) = text[start..].find(behind) else { return };
    text.replace_range(start..start + length, with);
}

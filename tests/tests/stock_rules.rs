//! Falco's own rule files, as users have them: they load, the rules about execs run, and they report what they should.
//! The files are not ours to ship: `DETECTOR_FALCO_RULES` names a folder that has them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use detector_tests::not_run::{Reason, not_run};
use detector_tests::process::{self, Finished};
use detector_tests::{Docker, agent, exec_rules};

detector_tests::same_on_every_kernel!("rules are judged in user space");

/// Rules of the stable file that a successful exec alone decides.
const STABLE: [&str; 11] = [
    "Fileless execution via memfd_create",
    "Execution from /dev/shm",
    "Terminal shell in container",
    "Run shell untrusted",
    "System user interactive",
    "Netcat Remote Code Execution in Container",
    "Search Private Keys or Passwords",
    "Find AWS Credentials",
    "Remove Bulk Data from Disk",
    "Debugfs Launched in Privileged Container",
    "Drop and execute new binary in container",
];

/// The rule files; `None`, and the case is listed as not run, where nobody has named a folder of them.
#[track_caller]
fn files(case: &str) -> Option<Vec<PathBuf>> {
    let Some(folder) = std::env::var_os("DETECTOR_FALCO_RULES").map(PathBuf::from) else {
        let reason =
            "Falco's rule files are not part of the project: DETECTOR_FALCO_RULES can name a folder of them";
        not_run(case, Reason::Unobtainable, reason);
        return None;
    };
    let entries = match folder.read_dir() {
        Ok(entries) => entries,
        Err(error) => panic!("cannot read the folder {} of DETECTOR_FALCO_RULES: {error}", folder.display()),
    };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    assert!(!files.is_empty(), "no rule file in {}", folder.display());
    Some(files)
}

/// Those whose name has this in it, in the order of their names.
fn named<'files>(files: &'files [PathBuf], part: &str) -> Vec<&'files Path> {
    let has = |file: &&PathBuf| file.file_name().is_some_and(|name| name.to_string_lossy().contains(part));
    files.iter().filter(has).map(PathBuf::as_path).collect()
}

fn detector(arguments: &[&OsStr]) -> Finished {
    let mut command = Command::new(agent::program());
    command.args(arguments);
    process::run(command)
}

#[test]
fn every_stock_file_is_valid() {
    let Some(files) = files("every_stock_file_is_valid") else { return };
    for file in files {
        let text = detector(&[OsStr::new("-V"), file.as_os_str()]).ok();
        assert!(text.starts_with(&format!("{}: Ok", file.display())), "{text}");
    }
}

#[test]
fn the_exec_rules_of_each_stable_file_are_loaded() {
    let Some(files) = files("the_exec_rules_of_each_stable_file_are_loaded") else { return };
    for file in named(&files, "falco_rules") {
        let text = detector(&[OsStr::new("-r"), file.as_os_str(), OsStr::new("-L")]).ok();
        for rule in STABLE {
            assert!(
                text.lines().any(|line| line.starts_with(rule)),
                "{}: `{rule}` is missing",
                file.display()
            );
            assert!(!text.contains(&format!("skipped `{rule}`")), "{}: `{rule}` is skipped", file.display());
        }
    }
}

#[test]
fn stock_rules_report_deeds_and_not_their_twins() {
    let Some(files) = files("stock_rules_report_deeds_and_not_their_twins") else { return };
    let Some(docker) = Docker::for_case("stock_rules_report_deeds_and_not_their_twins") else { return };
    let newest = named(&files, "falco_rules").last().copied();
    let chosen: Vec<&Path> = newest.into_iter().chain(named(&files, "incubating")).collect();
    assert_eq!(chosen.len(), 2, "one stable and one incubating file among {files:?}");
    exec_rules::check(&docker, &chosen);
}

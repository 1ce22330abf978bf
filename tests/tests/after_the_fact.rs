//! The commands for alerts of the past with what really happened: a report that looks at a real container, and rules that
//! are tried on a real recording.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use detector_tests::process::{self, Finished};
use detector_tests::{Agent, Alert, BareContainer, Docker, agent, agent_for, case, docker, marker};
use serde_json::Value;
use tempfile::TempDir;

detector_tests::same_on_every_kernel!("alerts, recordings and engines are looked at in user space");

/// A container with a dropped file that was executed, and the alert of it.
fn dropped<'docker>(docker: &'docker Docker, agent: &Agent) -> (docker::Container<'docker>, Alert) {
    let name = marker("live");
    let container = docker.start_container(&["/bin/sleep", "1000"]);
    let script = format!("cp /bin/probe /tmp/{name}; /tmp/{name}; exit 0");
    let _ = container.exec(&["/bin/sh", "-c", &script]).ok();
    (container, agent.expect_one(&name))
}

/// A report about one alert that looks at this host, with the client of this daemon.
struct Report {
    document: Value,
}

impl Report {
    fn make(docker: &Docker, alert: &Alert) -> Self {
        Self::of(docker, &alert.line, &["--live"])
    }

    fn of(docker: &Docker, alert: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("alert.json");
        std::fs::write(&file, alert).expect("a file in a new folder can be written");
        let mut command = Command::new(agent::program());
        command.args(["report", "--format", "json"]).args(arguments).arg(&file);
        command.envs(docker.client_environment());
        let text = process::run(command).ok();
        Self { document: serde_json::from_str(&text).expect("a report in JSON") }
    }

    fn blocks(&self, section: &str) -> Vec<&Value> {
        let sections = self.document["incidents"][0]["sections"].as_array().expect("sections");
        let found = sections.iter().find(|one| one["id"] == section);
        found.unwrap_or_else(|| panic!("no section {section}"))["blocks"]
            .as_array()
            .expect("blocks")
            .iter()
            .collect()
    }

    /// The texts of the rows with this label.
    fn live(&self, label: &str) -> Vec<&str> {
        let rows = self.blocks("live").into_iter().filter_map(|block| block["rows"].as_array()).flatten();
        rows.filter(|row| row["label"] == label).filter_map(|row| row["value"]["text"].as_str()).collect()
    }
}

#[test]
fn a_report_looks_at_the_container_while_it_is_there_and_says_when_it_is_gone() {
    const CASE: &str = "a_report_looks_at_the_container_while_it_is_there_and_says_when_it_is_gone";
    let Some(docker) = Docker::alone_for_case(CASE) else { return };
    let Some(agent) = agent_for(CASE) else { return };
    let (container, alert) = dropped(&docker, &agent);

    let report = Report::make(&docker, &alert);
    for (label, expected) in [
        ("Processes now", "\"1\""),
        ("Process", "/bin/sleep 1000"),
        ("The file now", "still there"),
        ("Engine", "\"docker\""),
        ("State", "\"running\""),
        ("Image", docker::IMAGE),
        ("Privileged", "\"false\""),
        ("Network", "\"none\""),
    ] {
        let [told] = report.live(label)[..] else { panic!("{label}: {:?}", report.live(label)) };
        assert!(told.contains(expected), "{label}: {told}");
    }
    let inode = report.live("The file now")[0];
    let known = !alert.part("output_fields")["proc.exe_ino"].is_null();
    assert_eq!(inode.contains("the same inode"), known, "{inode}");
    assert!(!report.live("Mount").is_empty());
    let rows = report.blocks("live").into_iter().filter_map(|block| block["rows"].as_array()).flatten();
    for row in rows {
        let told = row["value"]["text"].as_str().unwrap_or_default();
        assert!(told.contains(" (at 20") && told.ends_with(" UTC)"), "a fact without its time: {told}");
    }
    let moments = report.blocks("timeline")[0]["moments"].as_array().expect("moments");
    assert!(moments.iter().any(|moment| moment["label"] == "image created"), "{moments:?}");

    drop(container);
    let report = Report::make(&docker, &alert);
    assert_eq!(report.live("Process"), Vec::<&str>::new());
    assert!(report.live("Processes now")[0].contains("\"0\""), "{:?}", report.live("Processes now"));
    assert!(
        report.live("Engine's view")[0].contains("no engine on this host"),
        "{:?}",
        report.live("Engine's view")
    );
    assert!(report.live("State").is_empty());
}

/// The daemon is there and takes the question, and never answers.
#[test]
fn a_report_does_not_wait_for_an_engine_that_hangs() {
    const CASE: &str = "a_report_does_not_wait_for_an_engine_that_hangs";
    let Some(docker) = Docker::alone_for_case(CASE) else { return };
    let Some(agent) = agent_for(CASE) else { return };
    let (_container, alert) = dropped(&docker, &agent);
    let frozen = docker.freeze_daemon();
    let report = Report::make(&docker, &alert);
    drop(frozen);
    assert!(
        report.live("Engine's view")[0].contains("no answer within 5 s"),
        "{:?}",
        report.live("Engine's view")
    );
    // What needs no engine is told all the same.
    assert!(report.live("Process")[0].contains("/bin/sleep 1000"), "{:?}", report.live("Process"));
}

/// The commands of these sections, in order.
fn commands(docker: &Docker, alert: &str, sections: &[&str]) -> Vec<String> {
    let report = Report::of(docker, alert, &[]);
    let blocks = sections.iter().flat_map(|section| report.blocks(section));
    let steps = blocks.filter_map(|block| block["steps"].as_array()).flatten();
    steps.filter_map(|step| step["command"].as_str().map(str::to_owned)).collect()
}

fn shell(docker: &Docker, folder: &Path, script: &str) -> Finished {
    let mut sh = Command::new("sh");
    sh.args(["-e", "-c", script]).current_dir(folder).envs(docker.client_environment());
    process::run(sh)
}

/// A report that names commands which fail helps nobody. All of them are run, first for an alert of ours, then as for one
/// of Falco's, which names no engine.
#[test]
fn the_commands_of_a_report_work_on_the_container_that_it_is_about() {
    const CASE: &str = "the_commands_of_a_report_work_on_the_container_that_it_is_about";
    let Some(docker) = Docker::alone_for_case(CASE) else { return };
    let Some(agent) = agent_for(CASE) else { return };
    // A name with a blank is quoted, and one that begins like this is what busybox takes for its own.
    let name = format!("busybox {}", marker("commands"));
    let container = docker.start_container(&["/bin/sleep", "1000"]);
    let script = format!("cp /bin/busybox '/tmp/{name}'; '/tmp/{name}' sleep 1000 >/dev/null 2>&1 & exit 0");
    let _ = container.exec(&["/bin/sh", "-c", &script]).ok();
    let alert = agent.expect_one(&name);

    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut run = Vec::new();
    for command in commands(&docker, &alert.line, &["check", "keep"]) {
        let finished = shell(&docker, folder.path(), &command);
        assert_eq!(finished.code(), 0, "{finished}");
        run.push(command);
    }
    for word in [
        "docker inspect",
        "docker logs",
        "docker diff",
        "docker pause",
        "docker cp",
        "docker export",
        "ps -o",
    ] {
        assert!(run.iter().any(|command| command.starts_with(word)), "no {word} among {run:#?}");
    }
    let sample = folder.path().join(format!("sample-{}", container.short_id()));
    let kept = std::fs::metadata(&sample).expect("docker cp made it");
    assert!(kept.is_file() && kept.len() > 0, "{}", sample.display());
    assert_eq!(container.inspect("{{.State.Status}}"), "paused");

    let falco = alert.line.replace("\"drop.runtime\":\"docker\",", "");
    assert_ne!(falco, alert.line, "the alert says what runs the container");
    let unpause = format!("docker unpause {}", container.id());
    let script = [vec![unpause.clone()], commands(&docker, &falco, &["check", "keep"])].concat().join("\n");
    assert!(script.contains("\"$E\" export"), "{script}");
    let finished = shell(&docker, folder.path(), &script);
    assert_eq!(finished.code(), 0, "{finished}");

    let script = [vec![unpause], commands(&docker, &alert.line, &["contain"])].concat();
    for command in script {
        let finished = shell(&docker, folder.path(), &command);
        // Killed with the container before it could be stopped by itself.
        assert!(finished.code() == 0 || command.starts_with("kill -STOP"), "{finished}");
    }
    assert_eq!(container.inspect("{{.State.Status}}"), "exited");
}

/// The stock rule, and an exception for one file.
struct Rules {
    folder: TempDir,
    stock: PathBuf,
    more: PathBuf,
}

impl Rules {
    fn with_exception_for(path: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (stock, more) = (folder.path().join("stock.yaml"), folder.path().join("more.yaml"));
        let exception = format!(
            "- rule: Drop and execute new binary in container\n  exceptions:\n    - name: expected\n      fields: [proc.exepath]\n      \
             comps: [=]\n      values: [[{path}]]\n  override: {{exceptions: append}}\n"
        );
        std::fs::write(&stock, include_str!("../../detector/rules/falco_rules.yaml")).expect("a rule file");
        std::fs::write(&more, exception).expect("a rule file");
        Self { folder, stock, more }
    }
}

fn detector(arguments: &[&OsStr]) -> Finished {
    let mut command = Command::new(agent::program());
    command.args(arguments);
    process::run(command)
}

#[test]
fn rules_are_tried_on_a_recording_of_this_kernel() {
    const CASE: &str = "rules_are_tried_on_a_recording_of_this_kernel";
    if !case::has_root(CASE) {
        return;
    }
    let (expected, other) = (marker("expected"), marker("other"));
    let rules = Rules::with_exception_for(&format!("/tmp/{expected}"));
    let recording = rules.folder.path().join("execs.rec");
    let agent = Agent::start_with(&["-o", &format!("record_to={}", recording.display())].map(OsStr::new));
    let container = BareContainer::new();
    for name in [&expected, &other] {
        let _ = container.sh(&format!("cp /bin/probe /tmp/{name}; /tmp/{name}; exit 0")).ok();
        let _ = agent.expect_one(name);
    }
    agent.stop();

    let (r, alerts, against) = (OsStr::new("-r"), OsStr::new("--alerts"), OsStr::new("--against"));
    let path = |path: &'static str| OsStr::new(path);
    let [stock, more, file]: [&Path; 3] = [&rules.stock, &rules.more, &recording];
    let changed = detector(&[
        path("test-rules"),
        alerts,
        file.as_os_str(),
        r,
        stock.as_os_str(),
        r,
        more.as_os_str(),
        against,
        stock.as_os_str(),
    ]);
    assert_eq!(changed.code(), 2, "{changed}");
    let text = String::from_utf8_lossy(&changed.stdout).into_owned();
    let lost = text.lines().find(|line| line.starts_with('-')).unwrap_or_default();
    assert!(lost.contains(" 1  Drop and execute new binary in container"), "{text}");
    assert!(
        text.contains(&format!("first: /tmp/{expected} in "))
            && text.contains(", 1 changed, 0 cannot be told"),
        "{text}"
    );
    assert!(!text.contains(&other), "{text}");

    let same = detector(&[
        path("test-rules"),
        alerts,
        file.as_os_str(),
        r,
        stock.as_os_str(),
        against,
        stock.as_os_str(),
    ]);
    assert_eq!(same.code(), 0, "{same}");
    assert!(String::from_utf8_lossy(&same.stdout).contains(", 0 changed, 0 cannot be told"), "{same}");

    let stale = detector(&[
        path("explain"),
        path("--stale"),
        file.as_os_str(),
        r,
        stock.as_os_str(),
        r,
        more.as_os_str(),
    ]);
    assert!(
        stale.ok().contains(
            "used   exception `expected` of `Drop and execute new binary in container` matches 1 of"
        )
    );
}

//! The commands for alerts of the past, called as a user calls them.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

const RULE: &str = "Drop and execute new binary in container";

fn detector(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_detector"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the agent's program starts");
    child
        .stdin
        .take()
        .expect("a pipe was asked for")
        .write_all(input.as_bytes())
        .expect("it reads its input");
    child.wait_with_output().expect("it ends")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

fn alert(path: &str, parent: &str) -> String {
    format!(
        r#"{{"hostname":"h","output":"x","output_fields":{{"container.id":"0123456789ab","container.image.repository":"registry.example/agent","container.name":"agent-1","evt.arg.flags":"EXE_WRITABLE|EXE_UPPER_LAYER","evt.time":1728129802000456789,"evt.type":"execve","proc.exepath":"{path}","proc.name":"agent","proc.pname":"{parent}","user.name":"root","user.uid":0}},"priority":"Critical","rule":"{RULE}","source":"syscall","tags":["TA0003"],"time":"2024-10-05T12:03:22.000456789Z"}}"#
    )
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file in a new folder can be written");
    path.display().to_string()
}

#[test]
fn a_report_comes_from_a_pipe_in_every_layout() {
    let input = format!("{}\nbroken {{\n", alert("/tmp/x", "sh"));
    for (format, start) in
        [("text", "INCIDENT"), ("markdown", "# Incident"), ("html", "<!DOCTYPE html>"), ("json", "{")]
    {
        let output = detector(&["report", "-", "--format", format], &input);
        assert!(output.status.success(), "{}", err(&output));
        assert!(out(&output).starts_with(start), "{format}: {}", out(&output));
        assert!(out(&output).contains("/tmp/x"), "{format}");
        assert!(err(&output).contains("standard input:2: "), "{}", err(&output));
    }
}

#[test]
fn the_report_is_of_the_container_that_was_asked_for() {
    let other = alert("/tmp/y", "sh").replace("agent-1", "other").replace("0123456789ab", "ffff56789abc");
    let input = format!("{}\n{other}\n", alert("/tmp/x", "sh"));
    let output = detector(&["report", "-", "--container", "other"], &input);
    assert!(out(&output).contains("/tmp/y") && !out(&output).contains("/tmp/x"), "{}", out(&output));
    let output = detector(&["report", "-", "--last", "1"], &input);
    assert!(out(&output).contains("/tmp/y") && !out(&output).contains("/tmp/x"), "{}", out(&output));
    let output = detector(&["report", "-", "--container", "nobody"], &input);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("none of the 2 alerts"), "{}", err(&output));
}

#[test]
fn suggest_explain_and_test_rules_agree() {
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<String> =
        (1..6).map(|number| alert(&format!("/opt/agent/1.{number}.0/bin/agent"), "updater")).collect();
    let noise = lines.join("\n");
    let all = write(folder.path(), "all.json", &format!("{noise}\n{}\n", alert("/tmp/x", "sh")));
    let suggested = detector(&["suggest", &all], "");
    assert!(suggested.status.success(), "{}", err(&suggested));
    assert!(err(&suggested).contains("of 6 alerts 5 would be silent, 1 would come"), "{}", err(&suggested));
    let proposal = write(folder.path(), "mine.yaml", &out(&suggested));
    let stock = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/falco_rules.yaml");

    let valid = detector(&["-V", stock, "-V", &proposal], "");
    assert!(valid.status.success(), "{}{}", out(&valid), err(&valid));

    let tested = detector(&["test-rules", "--alerts", &all, "-r", stock, "-r", &proposal], "");
    assert_eq!(tested.status.code(), Some(2), "{}", err(&tested));
    assert!(out(&tested).contains("6 alerts: 1 as before, 5 changed, 0 cannot be told"), "{}", out(&tested));
    let same = detector(&["test-rules", "--alerts", &all, "-r", stock], "");
    assert_eq!(same.status.code(), Some(0), "{}{}", out(&same), err(&same));

    let one = write(folder.path(), "one.json", noise.lines().next().unwrap());
    let explained = detector(&["explain", &one, "-r", stock, "-r", &proposal], "");
    assert!(
        out(&explained).contains("does not fire: silenced by the exception suggested_1_agent"),
        "{}",
        out(&explained)
    );
    assert!(out(&explained).contains("<- \"/opt/agent/1.1.0/bin/agent\""), "{}", out(&explained));

    let attack = write(folder.path(), "attack.json", &alert("/tmp/x", "sh"));
    let stale = detector(&["explain", "--stale", &attack, "-r", stock, "-r", &proposal], "");
    assert!(out(&stale).contains("stale  exception `suggested_1_agent`"), "{}", out(&stale));
    let used = detector(&["explain", "--stale", &all, "-r", stock, "-r", &proposal], "");
    assert!(out(&used).contains("matches 5 of 6 events"), "{}", out(&used));
}

#[test]
fn what_a_rule_needs_and_the_alert_does_not_have_is_told() {
    let bare = r#"{"rule":"Drop and execute new binary in container","output_fields":{"evt.type":"execve"}}"#;
    let output = detector(&["explain", "-"], bare);
    assert!(
        out(&output).contains("cannot be told: the alert does not have container.id"),
        "{}",
        out(&output)
    );
}

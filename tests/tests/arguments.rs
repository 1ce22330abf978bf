//! Arguments are the attacker's text: odd, huge or absent ones neither hide the alert nor break its line.

use detector_tests::{Alert, BareContainer, Facts, agent_for, alert_schema, case, marker, witness};
use serde_json::Value;

fn one_drop(case: &str, verb: &str, rest: &str) -> Option<(Alert, Facts, String)> {
    let agent = agent_for(case)?;
    let (container, name) = (BareContainer::new(), marker(verb));
    let output = container.sh(&format!("cp /bin/probe /tmp/{name}; probe {verb} /tmp/{name} {rest}")).ok();
    let (alert, facts) = (agent.expect_one(&name), Facts::parse(&output));
    witness::check_all_but_arguments(&alert, &facts, container.short_id());
    assert_eq!(alert.text("drop.origin"), "new", "in {alert}");
    Some((alert, facts, name))
}

/// Line end, quotes, control characters, UTF-8, bytes that are no UTF-8, `%field`: all arrive as they were.
#[test]
fn odd_ones_arrive_unchanged() {
    let Some((alert, facts, name)) = one_drop("odd_ones_arrive_unchanged", "odd-argv", "") else { return };
    let expected =
        format!("{}  a b \"' x\ny \t \u{1} žluťoučký 🐎 \u{fffd}\u{fffd} %proc.name", case::comm_of(&name));
    assert_eq!(alert.text("proc.cmdline"), expected, "in {alert}");
    assert_eq!(facts.arguments.len(), 10);
    assert_eq!(alert.field("drop.truncated"), &Value::Null, "in {alert}");
    let text = alert.part_text("output");
    assert!(text.contains("%proc.name") && text.contains("žluťoučký 🐎"), "in {alert}");
    // The schema has checked that no control character is in the text; the line must still tell of the line end.
    alert_schema::check(&alert);
}

/// 4096 bytes of argv are kept, as Falco does, and the alert says that it was cut.
#[test]
fn a_huge_one_is_cut_visibly() {
    let Some((alert, facts, name)) = one_drop("a_huge_one_is_cut_visibly", "big-argv", "9000") else {
        return;
    };
    assert_eq!(facts.arguments_lossy()[1].len(), 9000);
    let exe = alert.text("proc.exe");
    assert_eq!(exe, format!("/tmp/{name}"));
    let start = format!("{} ", case::comm_of(&name));
    let arguments = alert.text("proc.cmdline").strip_prefix(&start).expect("comm and a blank");
    assert!(arguments.bytes().all(|byte| byte == b'a'), "in {alert}");
    // Both with their terminating NUL are 4096 bytes; whether the cut argument's NUL is counted is the agent's choice.
    let kept = exe.len() + 1 + arguments.len();
    assert!((4095..=4096).contains(&kept), "{kept} bytes of argv were kept, in {alert}");
    assert!(alert.text("drop.truncated").contains("arg"), "in {alert}");
}

#[test]
fn no_argv_at_all() {
    let Some((alert, facts, name)) = one_drop("no_argv_at_all", "no-argv", "") else { return };
    assert!(facts.arguments.is_empty() || facts.arguments == [""], "{facts:?}");
    assert_eq!(
        (alert.text("proc.exe"), alert.text("proc.cmdline")),
        ("", case::comm_of(&name)),
        "in {alert}"
    );
    assert_eq!(alert.field("drop.truncated"), &Value::Null, "in {alert}");
}

/// A spoofed argv[0] changes proc.exe alone: path and name are the kernel's.
#[test]
fn a_spoofed_name() {
    let Some((alert, _, name)) = one_drop("a_spoofed_name", "argv0", "'[kworker/0:1]' x") else { return };
    assert_eq!(alert.text("proc.exe"), "[kworker/0:1]", "in {alert}");
    assert_eq!(alert.text("proc.name"), case::comm_of(&name), "in {alert}");
    assert_eq!(alert.text("proc.cmdline"), format!("{} x", case::comm_of(&name)), "in {alert}");
    assert_eq!(alert.text("proc.exepath"), format!("/tmp/{name}"), "in {alert}");
}

/// Only an empty argv[0]: it is an argument, and no further one.
#[test]
fn one_empty_argument() {
    let Some((alert, facts, name)) = one_drop("one_empty_argument", "argv0", "''") else { return };
    assert_eq!(facts.arguments, [""]);
    assert_eq!(
        (alert.text("proc.exe"), alert.text("proc.cmdline")),
        ("", case::comm_of(&name)),
        "in {alert}"
    );
}

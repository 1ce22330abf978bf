//! Each mistake: its code, its place, and what the user reads.

use detector::rules::report::render_text;

use crate::{found, found_but_unused, load_texts, rule};

#[test]
fn mistakes_of_structure_are_found_where_they_are() {
    let cases = [
        ("a: b\n", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:1"),
        ("text\n", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:1"),
        ("- text\n", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:3"),
        ("- [a]\n", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:3"),
        ("- a: [\n", "LOAD_ERR_YAML_PARSE 1.yaml:2:1"),
        ("- rul: R\n", "LOAD_UNKNOWN_ITEM 1.yaml:1:3"),
        ("- required_engine_version: x\n", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:28"),
        ("- required_engine_version: 0.64.0\n", "LOAD_ERR_VALIDATE 1.yaml:1:28"),
        ("- required_engine_version: 64\n", "LOAD_ERR_VALIDATE 1.yaml:1:28"),
        ("- required_engine_version: 1.0.0\n", "LOAD_ERR_VALIDATE 1.yaml:1:28"),
        ("- required_plugin_versions: x\n", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:29"),
        ("- required_plugin_versions: [{name: json, version: 0.7.0}]\n", "LOAD_ERR_VALIDATE 1.yaml:1:37"),
        ("- required_plugin_versions: [{name: container}]\n", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:31"),
        (
            "- required_plugin_versions: [{name: container, version: x}]\n",
            "LOAD_ERR_YAML_VALIDATE 1.yaml:1:57",
        ),
        ("- list: l\n", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:3"),
        ("- {list: l, items: a}\n", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:20"),
        ("- {list: l, items: [[a]]}\n", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:21"),
        ("- {list: l, items: [], append: maybe}\n", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:32"),
        ("- list:\n  items: []\n", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:7"),
        ("- {list: l, item: [a], items: []}\n", "LOAD_UNKNOWN_KEY 1.yaml:1:13"),
        ("- {list: l, items: [], items: []}\n", "LOAD_UNKNOWN_KEY 1.yaml:1:24"),
        ("- {list: 'l l', items: []}\n", "LOAD_INVALID_LIST_NAME 1.yaml:1:10"),
        ("- {macro: 1m, condition: evt.num = 1}\n", "LOAD_INVALID_MACRO_NAME 1.yaml:1:11"),
        ("- {macro: m}\n", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:4"),
        ("- {macro: m, condition: [a]}\n", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:25"),
        ("- {macro: m, condition: ''}\n", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:25"),
        ("- {macro: m, condition: evt.num =}\n", "LOAD_ERR_COMPILE_CONDITION 1.yaml:1:33"),
        ("- {rule: R}\n", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:10"),
        ("- {rule: R, enabled: x}\n", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:22"),
        ("- {rule: R, enabled: true}\n", "LOAD_ERR_VALIDATE 1.yaml:1:10"),
        ("- {rule: R, desc: d}\n", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:10"),
    ];
    for (text, expected) in cases {
        let report = load_texts(&[text]);
        let all = found_but_unused(&report);
        assert_eq!(all.first().map(String::as_str), Some(expected), "{text:?}: {all:?}");
    }
}

#[test]
fn mistakes_of_rules_are_found_where_they_are() {
    let cases = [
        (rule("evt.type = execve", "").replace("INFO", "HIGH"), "LOAD_ERR_YAML_VALIDATE 1.yaml:5:13"),
        (rule("evt.type = execve", "  tags: a\n"), "LOAD_ERR_YAML_VALIDATE 1.yaml:6:9"),
        (rule("evt.type = execve", "  exceptions: a\n"), "LOAD_ERR_YAML_VALIDATE 1.yaml:6:15"),
        (rule("evt.type = execve", "  exceptions: [a]\n"), "LOAD_ERR_YAML_VALIDATE 1.yaml:6:16"),
        (rule("evt.type = execve", "  capture_duration: soon\n"), "LOAD_ERR_YAML_VALIDATE 1.yaml:6:21"),
        (rule("evt.type = execve", "  outputs: a\n"), "LOAD_UNKNOWN_KEY 1.yaml:6:3"),
        (rule("evt.type = execve and nothing", ""), "LOAD_ERR_VALIDATE 1.yaml:3:36"),
        (rule("evt.type = execve and proc.nme = a", ""), "LOAD_ERR_COMPILE_CONDITION 1.yaml:3:36"),
        (rule("evt.type = execve and proc.tty = a", ""), "LOAD_ERR_COMPILE_CONDITION 1.yaml:3:47"),
        (rule("(evt.type = execve", ""), "LOAD_ERR_COMPILE_CONDITION 1.yaml:3:14"),
        (
            rule("evt.type = execve", "").replace(": o", ": o %proc.nme"),
            "LOAD_ERR_COMPILE_OUTPUT 1.yaml:4:14",
        ),
        (rule("evt.type = execve", "").replace(": o", ": o 100%"), "LOAD_ERR_COMPILE_OUTPUT 1.yaml:4:16"),
        (rule("evt.type = execve and evt.dir=<", ""), "LOAD_DEPRECATED_ITEM 1.yaml:3:36"),
    ];
    for (text, expected) in cases {
        let report = load_texts(&[&text]);
        assert_eq!(found(&report), [expected], "{text}");
    }
}

#[test]
fn overrides_must_fit_the_keys_that_are_given() {
    let base = rule("evt.type = execve", "");
    let cases = [
        ("- {rule: R, condition: x, override: append}\n", "LOAD_ERR_YAML_VALIDATE 2.yaml:1:37"),
        ("- {rule: R, condition: x, override: {condition: add}}\n", "LOAD_ERR_YAML_VALIDATE 2.yaml:1:49"),
        ("- {rule: R, priority: INFO, override: {priority: append}}\n", "LOAD_ERR_YAML_VALIDATE 2.yaml:1:50"),
        ("- {rule: R, source: syscall, override: {source: replace}}\n", "LOAD_ERR_YAML_VALIDATE 2.yaml:1:41"),
        ("- {rule: R, override: {condition: append}}\n", "LOAD_ERR_YAML_VALIDATE 2.yaml:1:24"),
        (
            "- {rule: R, condition: x, output: o, override: {condition: append}}\n",
            "LOAD_ERR_YAML_VALIDATE 2.yaml:1:27",
        ),
        (
            "- {rule: R, condition: x, append: true, override: {condition: append}}\n",
            "LOAD_ERR_YAML_VALIDATE 2.yaml:1:35",
        ),
        ("- {rule: R, output: x, append: true}\n", "LOAD_ERR_VALIDATE 2.yaml:1:32"),
        ("- {rule: S, condition: x, override: {condition: append}}\n", "LOAD_ERR_VALIDATE 2.yaml:1:10"),
        ("- {rule: S, priority: INFO, override: {priority: replace}}\n", "LOAD_ERR_VALIDATE 2.yaml:1:10"),
        ("- {macro: m, condition: x, override: {condition: append}}\n", "LOAD_ERR_VALIDATE 2.yaml:1:11"),
        ("- {list: l, items: [x], override: {items: append}}\n", "LOAD_ERR_VALIDATE 2.yaml:1:10"),
        (
            "- {rule: R, condition: 'and evt.num = 1', source: other, override: {condition: append}}\n",
            "LOAD_ERR_VALIDATE 2.yaml:1:51",
        ),
        (&rule("ka.verb = x", "  source: other\n"), "LOAD_ERR_VALIDATE 2.yaml:6:11"),
    ];
    for (text, expected) in cases {
        let report = load_texts(&[&base, text]);
        let errors: Vec<String> = found(&report).into_iter().filter(|line| line.contains("_ERR_")).collect();
        assert_eq!(errors, [expected], "{text}");
    }
}

#[test]
fn macros_see_only_what_is_before_them() {
    let cases: [(&str, &[&str]); 4] = [
        (
            "- {macro: a, condition: b}\n- {macro: b, condition: evt.num = 1}\n",
            &["LOAD_ERR_VALIDATE 1.yaml:1:25"],
        ),
        ("- {macro: a, condition: a}\n", &["LOAD_ERR_VALIDATE 1.yaml:1:25"]),
        ("- {macro: a, condition: nothing}\n", &["LOAD_ERR_VALIDATE 1.yaml:1:25"]),
        (
            "- {macro: a, condition: evt.num = 1}\n- {macro: b, condition: a}\n- {macro: a, condition: b}\n",
            &["LOAD_ERR_VALIDATE 1.yaml:2:11", "LOAD_ERR_VALIDATE 1.yaml:3:11"],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(found_but_unused(&load_texts(&[text])), expected, "{text}");
    }
}

#[test]
fn what_is_not_used_is_warned_of() {
    let text = "- {list: used, items: [inner]}\n- {list: inner, items: [a]}\n- {list: idle, items: [idle]}\n- {macro: m, condition: proc.name in (used)}\n- {macro: idle_too, condition: m}\n";
    let report = load_texts(&[text]);
    assert_eq!(found(&report), ["LOAD_UNUSED_LIST 1.yaml:3:10", "LOAD_UNUSED_MACRO 1.yaml:5:11"]);
}

#[test]
fn what_depends_on_a_mistake_is_not_reported_again() {
    let texts = [
        "- {macro: m, condition: proc.name =}\n- {list: l}\n",
        &rule("m and proc.name in (l)", "").replace("priority: INFO", "priority: LOUD"),
        "- {macro: n, condition: m}\n- {rule: R, enabled: false, override: {enabled: replace}}\n- {list: l, items: [a], override: {items: append}}\n",
        &rule("evt.type = execve and m", "").replace("rule: R", "rule: S"),
    ];
    assert_eq!(
        found(&load_texts(&texts)),
        [
            "LOAD_ERR_COMPILE_CONDITION 1.yaml:1:35",
            "LOAD_ERR_YAML_VALIDATE 1.yaml:2:4",
            "LOAD_ERR_YAML_VALIDATE 2.yaml:5:13"
        ]
    );
}

#[test]
fn a_mistake_in_a_macro_is_shown_in_the_macro_and_once() {
    let texts = [
        "- macro: m\n  condition: >\n    evt.type = execve\n    and proc.nme = a\n",
        &rule("m", ""),
        &rule("m and proc.name = a", "").replace("rule: R", "rule: S"),
    ];
    assert_eq!(found(&load_texts(&texts)), ["LOAD_ERR_COMPILE_CONDITION 1.yaml:4:9"]);
}

#[test]
fn what_the_user_reads() {
    let text = "\
- list: shells
  items: [bash, sh]

- macro: spawned
  condition: >
    evt.type in (execve,
                 execveat)
    and not proc.nme in (shells)

- rule: First
  desc: d
  condition: spawned and proc.is_exe_upper_layer = maybe
  output: \"x=%proc.nam\\ty\"
  priority: CRITCAL
  tag: [a]

- rule: Second
  desc: d
  condition: spawnd
  output: o
  priority: INFO
";
    let report = load_texts(&[text]);
    let expected = include_str!("what_the_user_reads.txt");
    assert_eq!(render_text(&report.diagnostics), expected);
}

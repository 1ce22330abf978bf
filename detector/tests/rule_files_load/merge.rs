//! What several items with one name make together.

use detector::alert::Priority;

use crate::{condition, found, found_but_unused, load_texts, rule};

/// Conditions that come out of items, without any finding but deprecation.
#[test]
fn items_merge_into_these_conditions() {
    let base = rule("proc.name = a", "");
    let append = "- rule: R\n  condition: and proc.pname = b\n  override: {condition: append}\n";
    let cases: [(&str, &[&str], &str); 14] = [
        ("a definition", &[&base], "proc.name = a"),
        ("append over files", &[&base, append], "proc.name = a and proc.pname = b"),
        ("append in one file", &[&format!("{base}{append}")], "proc.name = a and proc.pname = b"),
        (
            "append binds as text, so `or` is not parenthesised",
            &[&rule("proc.name = a or proc.name = c", ""), append],
            "proc.name = a or proc.name = c and proc.pname = b",
        ),
        ("the last definition wins", &[&base, &rule("proc.name = z", "")], "proc.name = z"),
        (
            "replace",
            &[&base, "- rule: R\n  condition: proc.name = z\n  override: {condition: replace}\n"],
            "proc.name = z",
        ),
        (
            "a macro defined later is seen by a rule",
            &[&rule("m", ""), "- {macro: m, condition: proc.name = a}\n"],
            "proc.name = a",
        ),
        (
            "a macro's last definition counts everywhere",
            &[
                "- {macro: m, condition: proc.name = a}\n",
                &rule("m", ""),
                "- {macro: m, condition: proc.name = z}\n",
            ],
            "proc.name = z",
        ),
        (
            "append to a macro",
            &[
                "- {macro: m, condition: proc.name = a}\n",
                "- {macro: m, condition: or proc.name = z, override: {condition: append}}\n",
                &rule("m and proc.pname = b", ""),
            ],
            "(proc.name = a or proc.name = z) and proc.pname = b",
        ),
        (
            "append to a list",
            &[
                "- {list: l, items: [a, b]}\n",
                "- {list: l, items: [c], override: {items: append}}\n",
                &rule("proc.name in (l)", ""),
            ],
            "proc.name in (a, b, c)",
        ),
        (
            "replace a list",
            &[
                "- {list: l, items: [a, b]}\n",
                "- {list: l, items: [c], override: {items: replace}}\n",
                &rule("proc.name in (l, d)", ""),
            ],
            "proc.name in (c, d)",
        ),
        (
            "lists of lists, an empty one among them",
            &[
                "- {list: none, items: []}\n- {list: one, items: [a]}\n- {list: l, items: [one, none, 'b c']}\n",
                &rule("proc.name in (none, l)", ""),
            ],
            "proc.name in (a, \"b c\")",
        ),
        (
            "an empty list",
            &["- {list: l, items: []}\n", &rule("not proc.name in (l)", "")],
            "not proc.name in ()",
        ),
        (
            "a macro that was changed sees macros in between",
            &[
                "- {macro: m, condition: proc.name = a}\n- {macro: n, condition: proc.name = b}\n",
                "- {macro: m, condition: or n, override: {condition: append}}\n",
                &rule("m", ""),
            ],
            "proc.name = a or proc.name = b",
        ),
    ];
    for (what, texts, expected) in cases {
        let texts: Vec<String> =
            texts.iter().map(|text| text.replace("INFO\n", "INFO\n  warn_evttypes: false\n")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let report = load_texts(&texts);
        assert_eq!(found(&report), Vec::<String>::new(), "{what}");
        assert_eq!(condition(&report), Some(expected), "{what}");
    }
}

#[test]
fn deprecated_append_does_what_override_does_and_is_warned_of() {
    let texts = [
        "- {list: l, items: [a]}\n- {macro: m, condition: proc.name in (l)}\n",
        "- {list: l, items: [b], append: true}\n- {macro: m, condition: or proc.name = c, append: true}\n",
        &rule("evt.type = execve and (m)", ""),
        "- rule: R\n  condition: and proc.pname = d\n  append: true\n",
    ];
    let report = load_texts(&texts);
    assert_eq!(
        condition(&report),
        Some("evt.type = execve and (proc.name in (a, b) or proc.name = c) and proc.pname = d")
    );
    assert_eq!(
        found(&report),
        [
            "LOAD_DEPRECATED_ITEM 2.yaml:1:33",
            "LOAD_DEPRECATED_ITEM 2.yaml:2:51",
            "LOAD_DEPRECATED_ITEM 4.yaml:3:11"
        ]
    );
}

#[test]
fn every_key_is_appended_or_replaced() {
    let base = rule("evt.type = execve", "  tags: [b, a]\n  enabled: false\n");
    let report = load_texts(&[
        &base,
        "- rule: R\n  output: two\n  desc: e\n  tags: [c, a]\n  override: {output: append, desc: append, tags: append}\n",
    ]);
    let loaded = &report.rules[0];
    assert_eq!(found(&report), Vec::<String>::new());
    assert_eq!((loaded.details.output.as_str(), loaded.desc.as_str()), ("o two", "d e"));
    assert_eq!(loaded.tags.iter().map(String::as_str).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert!(!loaded.enabled);

    let report = load_texts(&[
        &base,
        "- rule: R\n  output: two\n  desc: e\n  tags: [c]\n  priority: debug\n  enabled: true\n  capture: true\n  capture_duration: 7\n  override:\n    output: replace\n    desc: replace\n    tags: replace\n    priority: replace\n    enabled: replace\n    capture: replace\n    capture_duration: replace\n",
    ]);
    let loaded = &report.rules[0];
    assert_eq!(found(&report), Vec::<String>::new());
    assert_eq!((loaded.details.output.as_str(), loaded.desc.as_str()), ("two", "e"));
    assert_eq!(loaded.tags.iter().map(String::as_str).collect::<Vec<_>>(), ["c"]);
    assert_eq!((loaded.enabled, loaded.priority), (true, Priority::Debug));
    let definition = report.definitions.rules.get("R").expect("defined");
    assert_eq!((definition.capture, definition.capture_duration), (true, 7));
}

#[test]
fn one_item_can_append_to_one_key_and_replace_another() {
    let report = load_texts(&[
        &rule("evt.type = execve", ""),
        "- rule: R\n  condition: and proc.name = a\n  priority: ERROR\n  override: {condition: append, priority: replace}\n",
    ]);
    assert_eq!(condition(&report), Some("evt.type = execve and proc.name = a"));
    assert_eq!(report.rules[0].priority, Priority::Error);
}

#[test]
fn a_redefined_rule_keeps_its_turn() {
    let named = |name: &str, value: &str| {
        rule(&format!("evt.type = execve and proc.name = {value}"), "")
            .replace("rule: R", &format!("rule: {name}"))
    };
    let report = load_texts(&[&named("A", "1"), &named("B", "1"), &named("A", "2")]);
    let order: Vec<_> =
        report.rules.iter().map(|rule| (rule.name.as_str(), rule.details.condition.as_str())).collect();
    assert_eq!(
        order,
        [("A", "evt.type = execve and proc.name = 2"), ("B", "evt.type = execve and proc.name = 1")]
    );
}

#[test]
fn enabled_alone_switches_and_is_deprecated() {
    let base = rule("evt.type = execve", "");
    let report = load_texts(&[&base, "- {rule: R, enabled: false}\n"]);
    assert_eq!(found(&report), ["LOAD_DEPRECATED_ITEM 2.yaml:1:22"]);
    assert!(!report.rules[0].enabled);
    let report = load_texts(&[&base, "- {rule: R, enabled: false, override: {enabled: replace}}\n"]);
    assert_eq!(found(&report), Vec::<String>::new());
    assert!(!report.rules[0].enabled);
}

#[test]
fn a_redefinition_forgets_everything() {
    let report = load_texts(&[
        &rule(
            "evt.type = execve",
            "  tags: [a]\n  enabled: false\n  exceptions: [{name: e, fields: proc.name, values: [x]}]\n",
        ),
        &rule("evt.type = execve", ""),
    ]);
    let loaded = &report.rules[0];
    assert_eq!(condition(&report), Some("evt.type = execve"));
    assert!(loaded.enabled && loaded.tags.is_empty());
}

#[test]
fn several_documents_and_empty_ones_are_one_file() {
    let report = load_texts(&[
        &format!("---\n---\n- {{macro: m, condition: evt.type = execve}}\n---\n{}---\n", rule("m", "")),
        "",
    ]);
    assert_eq!(found_but_unused(&report), Vec::<String>::new());
    assert_eq!(condition(&report), Some("evt.type = execve"));
}

#[test]
fn outputs_get_what_is_added_to_them() {
    use detector::rules::resolve::{AppendOutput, LoadOptions};
    let text = rule("evt.type = execve", "  tags: [t]\n")
        .replace("output: o", "output: o (%container.info) %proc.name");
    let added = |format: &str, tag: &str| AppendOutput {
        format: format.to_owned(),
        tags: [tag.to_owned()].into(),
        ..AppendOutput::default()
    };
    let options = LoadOptions {
        container_info: "id=%container.id".to_owned(),
        append_output: vec![added("p=%proc.pname", "t"), added("no=%proc.cwd", "other")],
        ..LoadOptions::default()
    };
    let report = crate::load_with(&[&text], &options);
    assert_eq!(found(&report), Vec::<String>::new());
    assert_eq!(report.rules[0].details.output, "o (id=%container.id) %proc.name p=%proc.pname");
    assert_eq!(report.rules[0].details.output_fields, ["container.id", "proc.name", "proc.pname"]);
    let report = load_texts(&[&text]);
    assert_eq!(found(&report), ["LOAD_DEPRECATED_ITEM 1.yaml:4:14"]);
    assert_eq!(report.rules[0].details.output, "o () %proc.name");
}

//! The forms that scripts read: what `-V`, `-L` and `-l` write.

use detector::rules::report::{
    describe_json, describe_text, falco_json, falco_text, falco_warnings, file_results,
};
use serde_json::{Value, json};

use crate::{load_texts, rule};

const BAD: &str = "- macro: m\n  condition: proc.nme = a\n- rule: R\n  desc: d\n  condition: m\n  output: o\n  priority: INFO\n";

#[test]
fn files_are_ok_ok_with_warnings_or_invalid() {
    let good = rule("evt.type = execve", "");
    let report = load_texts(&[&good, "- {list: l, items: []}\n", BAD]);
    let results = file_results(&report.files, &report.diagnostics);
    let expected = "\
1.yaml: Ok
2.yaml: Ok, with warnings
3.yaml: Invalid
1 Errors:
In rules content: (3.yaml:0:0)
    macro 'm': (3.yaml:0:2)
    condition expression: (3.yaml:1:13)
------
  condition: proc.nme = a
             ^
------
LOAD_ERR_COMPILE_CONDITION (the condition cannot be used): unknown field `proc.nme` (did you mean `proc.name`?)
";
    // An unused list is only told when there are no mistakes.
    let two = load_texts(&[&good, "- {list: l, items: []}\n"]);
    let warned = falco_warnings(&file_results(&two.files, &two.diagnostics));
    assert_eq!(
        warned,
        ["2.yaml: Ok, with warnings
1 Warnings:
In rules content: (2.yaml:0:0)
    list 'l': (2.yaml:0:2)
    value for: (2.yaml:0:9)
------
- {list: l, items: []}
         ^
------
LOAD_UNUSED_LIST (the list is not used): list `l` is not used
"]
    );
    assert_eq!(
        falco_text(&file_results(&two.files, &two.diagnostics)),
        "1.yaml: Ok\n2.yaml: Ok, with warnings"
    );
    assert_eq!(falco_text(&results), expected.replace("2.yaml: Ok, with warnings", "2.yaml: Ok"));
}

#[test]
fn json_has_the_keys_that_scripts_look_for() {
    let report = load_texts(&[BAD]);
    let json = falco_json(&file_results(&report.files, &report.diagnostics), Some(json!({})));
    assert_eq!(
        json,
        json!({"falco_load_results": [{
            "name": "1.yaml",
            "successful": false,
            "errors": [{
                "code": "LOAD_ERR_COMPILE_CONDITION",
                "codedesc": "the condition cannot be used",
                "message": "unknown field `proc.nme` (did you mean `proc.name`?)",
                "context": {
                    "locations": [
                        {"item_type": "rules content", "item_name": "", "position": {"name": "1.yaml", "line": 0, "column": 0, "offset": 0}},
                        {"item_type": "macro", "item_name": "m", "position": {"name": "1.yaml", "line": 0, "column": 2, "offset": 2}},
                        {"item_type": "condition expression", "item_name": "", "position": {"name": "1.yaml", "line": 1, "column": 13, "offset": 24}},
                    ],
                    "snippet": "  condition: proc.nme = a\n             ^\n",
                },
            }],
            "warnings": [],
            "schema_valid": true,
            "schema_warnings": [],
        }]})
    );
    let report = load_texts(&["- {list: l, items: [], extra: 1}\n"]);
    let json = falco_json(&file_results(&report.files, &report.diagnostics), Some(json!({"rules": []})));
    let result = &json["falco_load_results"][0];
    assert_eq!(result["successful"], true);
    assert_eq!(result["schema_valid"], false);
    assert_eq!(result["schema_warnings"], json!(["1.yaml:1:24: unknown key `extra` is ignored"]));
    assert_eq!(json["falco_describe_results"], json!({"rules": []}));
}

fn described() -> (String, Value) {
    let other = rule("evt.type = open", "").replace("rule: R", "rule: S");
    let text = "- {list: l, items: [a, inner]}\n- {list: inner, items: [b]}\n- {macro: m, condition: proc.name in (l)}\n";
    let rule = rule(
        "evt.type = execve and m",
        "  tags: [x]\n  enabled: false\n  exceptions: [{name: e, fields: user.name, values: [root]}]\n",
    );
    let report = load_texts(&["- required_engine_version: 26\n", text, &rule, &other]);
    (describe_text(&report, None).expect("all"), describe_json(&report, None).expect("all"))
}

#[test]
fn the_list_of_rules_names_those_that_are_skipped() {
    let lines = described().0;
    assert_eq!(
        lines,
        format!(
            "{:51}Description\n{:51}-----------\n{:51}d (switched off)\n\n1 rules loaded, 1 of them switched off; 1 skipped\nskipped `S`: only for events of type open\n",
            "Rule", "----", "R"
        )
    );
}

#[test]
fn the_description_of_a_rule_says_what_it_is_made_of() {
    let json = described().1;
    assert_eq!(json["required_engine_version"], "0.26.0");
    assert_eq!(
        json["rules"],
        json!([{
            "info": {
                "name": "R", "condition": "evt.type = execve and m", "priority": "Informational", "output": "o",
                "description": "d", "enabled": false, "source": "syscall", "capture": false, "capture_duration": 0,
                "tags": ["x"],
            },
            "details": {
                "macros": ["m"],
                "lists": [],
                "condition_operators": ["=", "in"],
                "condition_fields": ["evt.type", "proc.name", "user.name"],
                "output_fields": [],
                "exception_names": ["e"],
                "exception_operators": ["in"],
                "exception_fields": ["user.name"],
                "events": ["execve"],
                "condition_compiled": "evt.type = execve and proc.name in (a, b) and not user.name in (root)",
                "output_compiled": "o",
                "plugins": [],
            },
        }])
    );
    assert_eq!(json["skipped_rules"], json!([{"name": "S", "reason": "only for events of type open"}]));
    assert_eq!(
        json["lists"][0],
        json!({
            "info": {"name": "l", "items": ["a"]},
            "details": {"used": true, "lists": ["inner"], "items_compiled": ["a", "b"], "plugins": []},
        })
    );
    assert_eq!(json["macros"][0]["details"]["lists"], json!(["l"]));
}

#[test]
fn one_rule_is_described_alone_and_an_unknown_one_not_at_all() {
    let report = load_texts(&[
        &rule("evt.type = execve", ""),
        &rule("evt.type = execve", "").replace("rule: R", "rule: S"),
    ]);
    let one = describe_json(&report, Some("S")).expect("loaded");
    assert_eq!(one["rules"].as_array().map(Vec::len), Some(1));
    assert_eq!(one["rules"][0]["info"]["name"], "S");
    let text = describe_text(&report, Some("S")).expect("loaded");
    assert!(text.contains("\nS ") && !text.contains("\nR "), "{text}");
    assert_eq!(describe_json(&report, Some("T")), None);
    assert_eq!(describe_text(&report, Some("T")), None);
}

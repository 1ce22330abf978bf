//! Exceptions of rules: what they add to the condition, and how later files extend them.

use crate::{condition, found, load_texts, rule};

fn with(exceptions: &str) -> String {
    rule("evt.type = execve", &format!("  exceptions:\n{exceptions}"))
}

#[test]
fn exceptions_become_a_part_of_the_condition() {
    let cases = [
        (
            "    - {name: e, fields: proc.name, values: [a, b]}\n",
            "evt.type = execve and not proc.name in (a, b)",
        ),
        (
            "    - {name: e, fields: [proc.name, proc.pname], comps: [=, startswith], values: [[a, b], [c, d]]}\n",
            "evt.type = execve and not (proc.name = a and proc.pname startswith b or proc.name = c and proc.pname startswith d)",
        ),
        (
            "    - {name: e, fields: proc.name, values: [a]}\n    - {name: f, fields: [proc.pname], values: [['x y']]}\n",
            "evt.type = execve and not proc.name in (a) and not proc.pname = \"x y\"",
        ),
        (
            "    - {name: e, fields: proc.name}\n    - {name: f, fields: [proc.name, user.name]}\n",
            "evt.type = execve",
        ),
        (
            "    - {name: e, fields: 'proc.aname[2]', comps: pmatch, values: [/usr]}\n",
            "evt.type = execve and not proc.aname[2] pmatch (/usr)",
        ),
    ];
    for (exceptions, expected) in cases {
        let report = load_texts(&[&with(exceptions)]);
        assert_eq!(found(&report), Vec::<String>::new(), "{exceptions}");
        assert_eq!(condition(&report), Some(expected), "{exceptions}");
    }
}

#[test]
fn a_condition_with_or_is_one_side_of_its_exceptions() {
    let text = rule(
        "evt.type = execve or evt.type = execveat",
        "  exceptions: [{name: e, fields: proc.name, values: [a]}]\n",
    );
    let report = load_texts(&[&text]);
    assert_eq!(
        condition(&report),
        Some("(evt.type = execve or evt.type = execveat) and not proc.name in (a)")
    );
}

#[test]
fn a_value_can_be_the_name_of_a_list() {
    let list = "- {list: shells, items: [sh, bash]}\n";
    let report = load_texts(&[list, &with("    - {name: e, fields: proc.name, values: [shells, zsh]}\n")]);
    assert_eq!(found(&report), Vec::<String>::new());
    assert_eq!(condition(&report), Some("evt.type = execve and not proc.name in (sh, bash, zsh)"));
}

#[test]
fn later_items_append_values_and_exceptions() {
    let base = with("    - {name: e, fields: [proc.name], comps: [contains], values: [[a]]}\n");
    for how in ["append: true", "override: {exceptions: append}"] {
        let change = format!(
            "- rule: R\n  exceptions:\n    - {{name: e, values: [[b]]}}\n    - {{name: f, fields: user.name, values: [c]}}\n  {how}\n"
        );
        let report = load_texts(&[&base, &change]);
        assert_eq!(report.errors().count(), 0, "{how}");
        assert_eq!(
            condition(&report),
            Some(
                "evt.type = execve and not (proc.name contains a or proc.name contains b) and not user.name in (c)"
            ),
            "{how}"
        );
    }
    let replace = "- rule: R\n  exceptions: [{name: g, fields: user.name, values: [c]}]\n  override: {exceptions: replace}\n";
    assert_eq!(condition(&load_texts(&[&base, replace])), Some("evt.type = execve and not user.name in (c)"));
}

#[test]
fn mistakes_in_exceptions_are_shown_where_they_are() {
    let base = with("    - {name: e, fields: proc.name, values: [a]}\n");
    let append = |exception: &str| {
        format!("- rule: R\n  exceptions:\n    - {exception}\n  override: {{exceptions: append}}\n")
    };
    let cases: [(&[&str], &[&str]); 9] = [
        (&[&with("    - {name: e, fields: proc.nme}\n")], &["LOAD_ERR_COMPILE_CONDITION 1.yaml:7:25"]),
        (&[&with("    - {name: e, values: [a]}\n")], &["LOAD_ERR_YAML_VALIDATE 1.yaml:7:14"]),
        (&[&with("    - {fields: proc.name}\n")], &["LOAD_ERR_YAML_VALIDATE 1.yaml:7:8"]),
        (&[&with("    - {name: e, fields: [proc.name], values: [a]}\n")], &["LOAD_ERR_VALIDATE 1.yaml:7:47"]),
        (
            &[&with("    - {name: e, fields: proc.name}\n    - {name: e, fields: proc.name}\n")],
            &["LOAD_EXCEPTION_NAME_NOT_UNIQUE 1.yaml:8:14"],
        ),
        (&[&base, &append("{name: e, fields: proc.name, values: [b]}")], &["LOAD_ERR_VALIDATE 2.yaml:3:25"]),
        (&[&base, &append("{name: x, values: [b]}")], &["LOAD_ERR_VALIDATE 2.yaml:3:14"]),
        (&[&base, &append("{name: e}")], &["LOAD_APPEND_NO_VALUES 2.yaml:3:14"]),
        (&[&base, &append("{name: e, values: [[b]]}")], &["LOAD_ERR_VALIDATE 2.yaml:3:26"]),
    ];
    for (texts, expected) in cases {
        let report = load_texts(texts);
        assert_eq!(found(&report), expected, "{texts:?}");
    }
}

//! What a compiled condition tells about itself: fields, constant truth, allowed values, explanation; and that
//! evaluation goes left to right and no further than needed.

use std::cell::RefCell;

use detector_rule_lang::{FieldSource, Program, Value};

use crate::event::{Event, Named, build};

fn program(text: &str) -> Program<String> {
    build(text, &Named::default()).unwrap()
}

/// Notes what is asked.
struct Asked(RefCell<Vec<String>>);

impl<'e> FieldSource<'e, String> for Asked {
    fn value(&mut self, field: &String) -> Option<Value<'e>> {
        self.0.borrow_mut().push(field.clone());
        Event.value(field)
    }
}

#[test]
fn evaluation_stops_when_the_result_is_known() {
    for (text, asked) in [
        ("t.name = x and t.path = y", &["t.name"][..]),
        ("t.name = Sshd or t.path = y", &["t.name"]),
        ("t.name = Sshd and t.path = y", &["t.name", "t.path"]),
        ("not t.name = Sshd and t.path = y", &["t.name"]),
        ("(t.name = x or t.empty exists) and t.path = y", &["t.name", "t.empty", "t.path"]),
    ] {
        let mut source = Asked(RefCell::default());
        program(text).matches(&mut source);
        assert_eq!(source.0.into_inner(), asked, "{text}");
    }
}

#[test]
fn explanation_shows_every_check_and_which_were_needed() {
    let program = program(
        "t.name = Sshd and (a.names = zsh or t.null = x or t.empty exists or other.x = 1) or t.path = z",
    );
    let explanation = program.explain(&mut Event);
    assert!(explanation.holds);
    let seen: Vec<_> = explanation
        .findings
        .iter()
        .map(|f| (f.text, f.values.as_ref().map(Vec::len), f.holds, f.needed))
        .collect();
    assert_eq!(
        seen,
        [
            ("t.name = Sshd", Some(1), true, true),
            ("a.names = zsh", Some(3), false, true),
            ("t.null = x", None, false, true),
            ("t.empty exists", Some(1), true, true),
            ("other.x = 1", None, false, false),
            ("t.path = z", Some(1), false, false),
        ]
    );
}

#[test]
fn fields_in_order() {
    let program = program(
        "t.name = val(t.path) and concat(t.same, t.arg[1]) exists or not n.signed > 1 or other.x = y",
    );
    let mut fields = Vec::new();
    program.for_each_field(|info| fields.push(info.field.clone()));
    assert_eq!(fields, ["t.name", "t.path", "t.same", "t.arg[1]", "n.signed"]);
    let other: Vec<_> =
        program.other_event_fields().iter().map(|(name, span)| (name.as_str(), span.start)).collect();
    assert_eq!(other, [("other.x", 80)]);
}

#[test]
fn a_condition_of_other_events_only_is_known_to_be_false() {
    for (text, constant) in [
        ("other.x = y", Some(false)),
        ("not other.x = y", Some(true)),
        ("other.x = y and t.name = z", Some(false)),
        ("other.x = y or t.name = z", None),
        ("not other.x = y or t.name = z", Some(true)),
        ("not other.x = y and t.name = z", None),
        ("(other.x = 1 or other.y exists) and (t.name = z or t.path = z)", Some(false)),
        ("t.name = z", None),
    ] {
        assert_eq!(program(text).constant(), constant, "{text}");
    }
}

#[test]
fn allowed_values_of_a_field() {
    let universe = [Value::text("execve"), Value::text("execveat"), Value::text("open")];
    for (text, allowed) in [
        ("t.fixed = execve", [true, false, false]),
        ("t.fixed in (execve, execveat)", [true, true, false]),
        ("t.fixed startswith exec", [true, true, false]),
        ("t.fixed startswith anyof (exe, op)", [true, true, true]),
        ("t.fixed != open", [true, true, false]),
        ("not t.fixed = open", [true, true, false]),
        ("t.name = x", [true, true, true]),
        ("not t.name = x", [true, true, true]),
        ("t.fixed = execve and t.name = x", [true, false, false]),
        ("t.fixed = execve or t.name = x", [true, true, true]),
        ("t.fixed = execve or t.fixed = open", [true, false, true]),
        ("t.fixed = execve and t.fixed = open", [false, false, false]),
        // Negation of a conjunction holds when either part fails, so the other field frees all.
        ("not (t.fixed = execve and t.name = x)", [true, true, true]),
        ("not (t.fixed = execve or t.name = x)", [false, true, true]),
        ("not (t.fixed = execve and t.fixed startswith exec)", [false, true, true]),
        ("not not t.fixed = execve", [true, false, false]),
        ("t.fixed exists", [true, true, true]),
        ("t.fixed = execve and other.x = 1", [true, false, false]),
    ] {
        assert_eq!(program(text).values_allowed(|field| field == "t.fixed", &universe), allowed, "{text}");
    }
}

#[test]
fn what_is_decided_beforehand_is_not_asked_again() {
    for (text, left) in [
        (
            "(t.name = Sshd or t.same = x) and not t.name = y and (t.name = z or t.path exists)",
            &["t.path"][..],
        ),
        ("t.name = y and t.path exists", &[]),
        ("t.name = Sshd or t.path exists", &[]),
        ("not (t.name = y or t.path exists)", &["t.path"]),
        ("not (t.name = Sshd and not t.name = y)", &[]),
        ("t.path exists or t.same exists", &["t.path", "t.same"]),
        ("other.x = y or t.path exists", &["t.path"]),
    ] {
        let whole = program(text);
        let decided =
            whole.clone().decided(|check| check.text.starts_with("t.name").then(|| check.holds(&mut Event)));
        let mut fields = Vec::new();
        decided.for_each_field(|info| fields.push(info.field.as_str()));
        assert_eq!(fields, left, "{text}");
        assert_eq!(decided.matches(&mut Event), whole.matches(&mut Event), "{text}");
    }
}

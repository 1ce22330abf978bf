//! Rules that are left out, and why.

use crate::{found, load_texts, rule};

#[test]
fn rules_that_no_exec_can_match_are_skipped_with_the_reason() {
    let cases = [
        ("evt.type = open", Some("only for events of type open")),
        ("evt.type in (open, openat) and proc.name = a", Some("only for events of type open, openat")),
        ("not evt.type in (execve, execveat)", Some("only for events of type execve, execveat")),
        ("evt.type != execve and evt.type != execveat", Some("only for events of type execve, execveat")),
        ("evt.type = execve and evt.type = open", Some("only for events of type execve, open")),
        ("fd.name startswith /etc", Some("needs fd.name, which exec events do not have")),
        (
            "evt.type = execve and fd.name = /etc and fd.sport = 1",
            Some("needs fd.name, fd.sport, which exec events do not have"),
        ),
        ("fd.name exists", Some("needs fd.name, which exec events do not have")),
        ("evt.type in (open, execve)", None),
        ("evt.type != execve", None),
        ("not evt.type = open", None),
        ("(evt.type = open and fd.name = /etc) or (evt.type = execve and proc.name = a)", None),
        ("evt.type = execve and not fd.name = /etc", None),
        ("evt.type = execve and (fd.name = /etc or proc.name = a)", None),
        ("not (evt.type = open or fd.name exists)", None),
    ];
    for (condition, reason) in cases {
        let report = load_texts(&[&rule(condition, "  warn_evttypes: false\n")]);
        assert_eq!(report.errors().count(), 0, "{condition}: {:?}", found(&report));
        let skipped: Vec<String> = report.skipped.iter().map(|skipped| skipped.reason.to_string()).collect();
        assert_eq!(skipped, reason.into_iter().collect::<Vec<_>>(), "{condition}");
        assert_eq!(report.rules.len(), usize::from(reason.is_none()), "{condition}");
    }
}

#[test]
fn a_rule_of_another_source_is_skipped_with_a_warning() {
    let report = load_texts(&[&rule("ka.verb = get and jevt.value[/x] = y", "  source: k8s_audit\n")]);
    assert_eq!(found(&report), ["LOAD_UNKNOWN_SOURCE 1.yaml:1:9"]);
    assert_eq!(report.skipped[0].reason.to_string(), "unknown source k8s_audit");
    assert!(report.is_valid());
}

#[test]
fn unknown_fields_skip_a_rule_that_wants_it_so() {
    for (text, place) in [
        (rule("proc.nope = a", "  skip-if-unknown-filter: true\n"), "1.yaml:3:14"),
        (
            rule("evt.type = execve", "  skip-if-unknown-filter: true\n").replace(": o", ": o %proc.nope"),
            "1.yaml:4:14",
        ),
    ] {
        let report = load_texts(&[&text]);
        assert_eq!(found(&report), [format!("LOAD_UNKNOWN_FILTER {place}")], "{text}");
        assert_eq!((report.rules.len(), report.skipped.len()), (0, 1));
        let report = load_texts(&[&text.replace("  skip-if-unknown-filter: true\n", "")]);
        assert_eq!(report.errors().count(), 1, "{text}");
    }
}

#[test]
fn other_mistakes_are_not_skipped() {
    let report = load_texts(&[&rule("proc.nope = a and proc.name = ", "  skip-if-unknown-filter: true\n")]);
    assert_eq!(report.errors().count(), 1);
}

#[test]
fn a_rule_for_all_events_is_warned_of() {
    let report = load_texts(&[&rule("proc.name = a", "")]);
    assert_eq!(found(&report), ["LOAD_NO_EVTTYPE 1.yaml:1:9"]);
    let report = load_texts(&[&rule("proc.name = a", "  warn_evttypes: false\n")]);
    assert_eq!(found(&report), Vec::<String>::new());
}

#[test]
fn event_types_that_do_not_exist_are_mistakes_like_fields() {
    for (condition, place, help) in [
        ("evt.type = opne", "1.yaml:3:25", Some("did you mean `open`?")),
        ("evt.type in (execve, open, nosuchcall)", "1.yaml:3:41", None),
        ("proc.name = a and not evt.type != execv", "1.yaml:3:48", Some("did you mean `execve`?")),
    ] {
        let report = load_texts(&[&rule(condition, "")]);
        let errors: Vec<_> = report.errors().collect();
        assert_eq!(found(&report), [format!("LOAD_ERR_COMPILE_CONDITION {place}")], "{condition}");
        assert!(errors[0].message.starts_with("unknown event type `"), "{}", errors[0].message);
        assert_eq!(errors[0].help.as_deref(), help, "{condition}");
        let report = load_texts(&[&rule(condition, "  skip-if-unknown-filter: true\n")]);
        assert_eq!(found(&report), [format!("LOAD_UNKNOWN_FILTER {place}")]);
        assert_eq!(report.skipped.len(), 1);
    }
    // Of system calls, of Falco's own events, and patterns, which need not be names.
    let known =
        "evt.type in (execve, openat2, signaldeliver, container, syscall) and not evt.type startswith nosuch";
    assert_eq!(found(&load_texts(&[&rule(known, "")])), [""; 0]);
}

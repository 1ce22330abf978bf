//! Macros and lists: what their names stand for, and where they cannot.

use detector_rule_lang::{Kind, NoNames, SourceId, expand, parse, parse_list_item};

use crate::event::{Event, Named, build};

fn names() -> Named {
    Named::default()
        .with_macro("is_sshd", "t.name = Sshd")
        .with_macro("either", "t.name = x or is_sshd")
        .with_list("shells", &["bash", "zsh"])
        .with_list("daemons", &["Sshd", "\"(systemd)\"", "shells"])
        .with_list("one", &["Sshd"])
        .with_list("nested_one", &["one"])
        .with_list("none", &[])
        .with_list("docker", &["docker", "Sshd"])
        .with_list("blank", &["two words"])
        .with_list("number", &["4096"])
}

#[track_caller]
fn expands(text: &str, expected: &str) {
    let expr = parse(text).expr.unwrap();
    assert_eq!(expand(&expr, &names()).unwrap().to_string(), expected);
}

#[test]
fn a_macro_stands_for_its_condition_as_in_parentheses() {
    expands("is_sshd", "t.name = Sshd");
    expands("either and is_sshd", "(t.name = x or t.name = Sshd) and t.name = Sshd");
    expands("not either", "not (t.name = x or t.name = Sshd)");
}

#[test]
fn lists_of_lists_become_flat() {
    expands("t.name in (daemons)", "t.name in (Sshd, \"(systemd)\", bash, zsh)");
    expands("t.name in daemons", "t.name in (Sshd, \"(systemd)\", bash, zsh)");
    expands("t.name in (a, (shells, (b)), none)", "t.name in (a, bash, zsh, b)");
    expands("t.name in (none)", "t.name in ()");
    expands("t.name in none", "t.name in ()");
    expands("t.name in unknown", "t.name in (unknown)");
    expands("t.name startswith anyof shells", "t.name startswith anyof (bash, zsh)");
    expands("t.path pmatch (shells)", "t.path pmatch (bash, zsh)");
    expands("t.name in (blank)", "t.name in (\"two words\")");
}

#[test]
fn a_quoted_name_is_a_value() {
    expands("t.name in (\"shells\", 'one')", "t.name in (\"shells\", \"one\")");
    expands("t.name = \"shells\"", "t.name = \"shells\"");
}

#[test]
fn a_list_that_names_itself_means_the_value() {
    expands("t.name in (docker)", "t.name in (docker, Sshd)");
}

#[test]
fn where_one_value_stands_a_list_of_one_fits() {
    expands("t.name = one", "t.name = Sshd");
    expands("t.name != nested_one", "t.name != Sshd");
    expands("n.unsigned >= number", "n.unsigned >= 4096");
    expands("concat(t.name, one) = x", "concat(t.name, Sshd) = x");
    for (text, count) in [("t.name = shells", "2 items"), ("t.name contains none", "0 items")] {
        let errors = expand(&parse(text).expr.unwrap(), &names()).unwrap_err();
        assert_eq!(errors[0].kind, Kind::List);
        assert!(errors[0].message.contains(count), "{}", errors[0]);
    }
}

#[test]
fn mistakes_in_macros_point_into_the_macro() {
    let names = Named::default()
        .with_macro("inner", "n.unsigned = x and t.nam = y")
        .with_macro("outer", "inner or unknown or inner");
    let errors = build("t.name = a and outer", &names).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!((errors[0].kind, errors[0].span.source), (Kind::UnknownMacro, SourceId(2)));
    let errors = build("inner or inner", &names).unwrap_err();
    let found: Vec<_> = errors.iter().map(|e| (e.kind, e.span.source, e.span.start)).collect();
    assert_eq!(found, [(Kind::Literal, SourceId(1), 13), (Kind::UnknownField, SourceId(1), 19)]);
    assert_eq!(errors[1].hint.as_deref(), Some("did you mean `t.name`?"));
}

#[test]
fn all_unknown_macros_at_once_with_the_closest_name() {
    let errors = build("is_sshd and is_shd or eithr or zebra or zebra", &names()).unwrap_err();
    let found: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "unknown macro `is_shd` (did you mean `is_sshd`?)",
            "unknown macro `eithr` (did you mean `either`?)",
            "unknown macro `zebra`",
            "unknown macro `zebra`",
        ]
    );
}

#[test]
fn a_macro_cannot_contain_itself() {
    let names =
        Named::default().with_macro("a", "t.name = x or b").with_macro("b", "not (c)").with_macro("c", "a");
    let errors = build("a", &names).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].kind, Kind::RecursiveMacro);
    assert_eq!(errors[0].message, "macro `a` contains itself: `a` -> `b` -> `c` -> `a`");
    assert_eq!(errors[0].span.source, SourceId(3));
}

#[test]
fn without_expansion_a_macro_is_unknown() {
    let expr = parse("t.name = x or is_sshd").expr.unwrap();
    assert_eq!(
        detector_rule_lang::compile(&expr, &crate::event::Catalog).unwrap_err()[0].kind,
        Kind::UnknownMacro
    );
    assert_eq!(expand(&expr, &NoNames).unwrap_err()[0].kind, Kind::UnknownMacro);
    assert!(build("either and t.name in (daemons)", &names()).unwrap().matches(&mut Event));
}

#[test]
fn items_of_lists_read_as_in_a_condition() {
    let read = |text: &str| -> Result<Vec<String>, String> {
        match parse_list_item(text, SourceId(7)) {
            Ok(items) => Ok(items.iter().map(ToString::to_string).collect()),
            Err(errors) => {
                assert_eq!(errors[0].span.source, SourceId(7));
                Err(errors[0].message.clone())
            }
        }
    };
    assert_eq!(read("/tmp"), Ok(vec!["/tmp".to_owned()]));
    assert_eq!(read("\"(systemd)\""), Ok(vec!["\"(systemd)\"".to_owned()]));
    assert_eq!(read("'a b'"), Ok(vec!["\"a b\"".to_owned()]));
    assert_eq!(read("two words"), Ok(vec!["\"two words\"".to_owned()]));
    assert_eq!(read("a,b"), Ok(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(read("runc:[0:PARENT]"), Ok(vec!["runc:[0:PARENT]".to_owned()]));
    assert!(read("(systemd").is_err());
    assert!(read("a(b").is_err());
    assert!(read("").is_err());
    assert!(read("two \"words").is_err());
    assert!(read("a=b").is_err());
}

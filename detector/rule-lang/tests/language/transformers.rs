//! Transformers on both sides, comparisons of two fields, and which fields allow neither.

use crate::event::{Event, Named, build, fails, holds, refused};

#[test]
fn texts() {
    holds(&[
        "tolower(t.name) = sshd",
        "toupper(t.name) = SSHD",
        "basename(t.path) = ssh",
        "len(t.name) = 4",
        "len(t.empty) = 0",
    ]);
    holds(&[
        "tolower(basename(t.path)) in (ssh)",
        "len(b.bytes) = 6",
        "b64(t.name) exists",
        "len(b64(t.name)) = 3",
    ]);
    fails(&[
        "tolower(t.name) = Sshd",
        "len(t.name) > 4",
        "b64(t.arg['a b']) exists",
        "not b64(t.arg['a b']) != x and t.name = x",
    ]);
    holds(&["not b64(t.arg['a b']) != x"]);
}

#[test]
fn a_missing_argument_makes_the_check_false() {
    fails(&[
        "tolower(t.null) = x",
        "tolower(t.null) != x",
        "len(t.null) = 0",
        "concat(t.name, t.null) != x",
        "basename(t.null) exists",
    ]);
    fails(&[
        "t.name != val(t.null)",
        "t.name != tolower(t.null)",
        "join(\",\", l.null) != x",
        "join(\",\", (t.name, t.null)) != x",
    ]);
    holds(&["not tolower(t.null) != x", "not t.name != val(t.null)"]);
}

#[test]
fn the_right_side_may_depend_on_the_event() {
    holds(&[
        "t.name = val(t.same)",
        "t.path endswith basename(t.path)",
        "t.path contains val(t.empty)",
        "t.name = concat(S, shd)",
    ]);
    holds(&[
        "t.name != val(t.path)",
        "t.path startswith concat(\"/\", usr)",
        "tolower(t.name) = tolower(t.same)",
        "t.path glob concat(\"*\", ssh)",
    ]);
    holds(&[
        "t.path pmatch val(t.path)",
        "t.name in val(t.same)",
        "n.unsigned > len(t.path)",
        "a.names = tolower(concat(t.name))",
    ]);
    holds(&[
        "t.name iglob tolower(t.same)",
        "t.name icontains tolower(t.same)",
        "a.names in val(l.items) or t.name in val(t.same)",
    ]);
    fails(&[
        "t.name = val(t.path)",
        "t.name != val(t.same)",
        "a.names in val(l.items)",
        "a.names intersects val(l.items)",
    ]);
    holds(&["l.items in val(l.items)", "l.items intersects val(l.items)"]);
    holds(&["b.bytes = val(b.bytes)"]);
}

#[test]
fn lists() {
    holds(&[
        "len(l.items) = 3",
        "join(\" \", l.items) = \"-c -x file\"",
        "join(\"\", (t.name, \"-\", t.same)) = Sshd-Sshd",
    ]);
    holds(&[
        "getopt(l.items, \"c:\")[c] = -x",
        "getopt(l.items, \"cx:\")[x] = file",
        "getopt(l.items, \"cx\")[c] = \"\"",
    ]);
    holds(&["getopt(concat(\"-a b\"  , t.empty), \"a:\")[a] = b", "tolower(l.items) in (-c, -x, file)"]);
    fails(&["getopt(l.items, \"cx\")[q] exists", "len(l.null) = 0", "getopt(l.null, \"c\")[c] exists"]);
}

#[test]
fn what_does_not_go_together() {
    refused(&[
        ("tolower(n.unsigned) = x", "`tolower()` takes a text here"),
        ("len(n.unsigned) = 1", "takes a text or a list here"),
        ("concat(t.name, n.unsigned) = x", "takes one text here"),
        ("concat(t.name, l.items) = x", "takes one text here"),
        ("join(\",\", t.name) = x", "takes a list of texts here"),
        ("join(l.items, l.items) = x", "takes one text here"),
        ("join(\",\", (t.name, l.items)) = x", "`l.items` is not one text"),
        ("getopt(l.items, \"c\") = x", "the letter of one option in brackets"),
        ("getopt(l.items, \"c\")[cc] = x", "the letter of one option in brackets"),
        ("tolower(l.items) = x", "is a list"),
        ("len(t.name) = x", "not a number"),
        ("tolower(t.name) > 1", "is a text and cannot be compared by `>`"),
        ("t.name = val(n.unsigned)", "different types"),
        ("n.unsigned = val(n.signed)", "different types"),
        ("t.name = val(l.items)", "a list stands where one value is needed"),
        ("f.yes < val(f.yes)", "only numbers have an order"),
        ("tolower(t.fixed) = x", "`t.fixed` cannot be transformed"),
        ("t.name = val(t.fixed)", "`t.fixed` cannot stand on the right side"),
        ("t.name = tolower(a.names)", "cannot stand on the right side"),
        ("tolower(a.names) = x", "cannot be transformed"),
        ("tolower(t.nme) = x", "unknown field `t.nme` (did you mean `t.name`?)"),
        ("t.arg = x", "`t.arg`: needs an argument"),
        ("t.name[1] = x", "`t.name[1]`: takes no argument"),
    ]);
}

#[test]
fn both_sides_are_reported() {
    let errors = build("t.nme = val(t.pth) and concat(t.nme2, t.pth2) = x", &Named::default()).unwrap_err();
    assert_eq!(errors.len(), 4);
}

#[test]
fn a_field_name_as_a_text_is_worth_a_warning() {
    let program =
        build("t.name = t.path and t.name in (t.same, t.nothing) and t.name = \"t.path\"", &Named::default());
    let program = program.unwrap();
    let marked: Vec<_> = program.warnings().iter().map(|w| w.span.start).collect();
    assert_eq!(marked, [9, 31]);
    assert!(!program.matches(&mut Event));
}

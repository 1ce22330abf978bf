//! `=`, `==`, `!=` over every type, and what a missing value does to them.

use crate::event::{fails, holds, refused};

#[test]
fn texts_byte_by_byte() {
    holds(&["t.name = Sshd", "t.name == \"Sshd\"", "t.name != sshd", "t.empty = \"\"", "t.arg[1] = one"]);
    fails(&["t.name = sshd", "t.name = Ssh", "t.name = Sshd1", "t.name != Sshd", "t.empty != \"\""]);
    holds(&["b.bytes != x", "t.arg[\"a b\"] = \"two words\""]);
}

#[test]
fn numbers_by_the_type_of_the_field() {
    holds(&[
        "n.signed = -5",
        "n.unsigned = 4096",
        "n.unsigned = 0x1000",
        "n.unsigned = 0X1000",
        "n.unsigned = +4096",
    ]);
    holds(&["n.unsigned = \"4096\"", "n.signed != 5", "n.float = 1.5", "n.float != 1"]);
    fails(&["n.signed = 5", "n.unsigned != 4096", "n.float = 2"]);
    refused(&[
        ("n.unsigned = -1", "out of range (from 0 to 18446744073709551615)"),
        ("n.unsigned = 18446744073709551616", "out of range"),
        ("n.signed = 9223372036854775808", "out of range"),
        ("n.signed = 1.5", "not a whole number"),
        ("n.signed = x", "`n.signed` is a signed number, and x is not a number"),
        ("n.signed = \"\"", "not a number"),
        ("n.float = x", "not a number"),
    ]);
}

#[test]
fn bools_are_true_or_false_and_nothing_else() {
    holds(&["f.yes = true", "f.yes != false"]);
    fails(&["f.yes = false", "f.yes != true"]);
    for text in ["f.yes = 1", "f.yes = True", "f.yes = yes", "f.yes in (true, yes)"] {
        refused(&[(text, "neither `true` nor `false`")]);
    }
}

#[test]
fn a_missing_value_fails_every_comparison() {
    fails(&[
        "t.null = x",
        "t.null != x",
        "t.null = \"\"",
        "n.null = 0",
        "n.null != 0",
        "f.null = true",
        "f.null = false",
    ]);
    holds(&["not t.null = x", "not t.null != x", "not f.null = true"]);
    fails(&["not not t.null != x"]);
}

#[test]
fn a_field_of_other_events_is_missing_too() {
    fails(&["other.x = y", "other.x != y", "t.name = Sshd and other.x != y"]);
    holds(&["not other.x = y", "other.x = y or t.name = Sshd", "not other.x exists"]);
}

#[test]
fn of_several_values_any_decides() {
    holds(&["a.names = sshd", "a.names = systemd", "a.names != sshd", "not a.names = zsh"]);
    fails(&["a.names = zsh", "not a.names = bash"]);
}

#[test]
fn a_list_field_is_no_single_value() {
    refused(&[
        ("l.items = -c", "`l.items` is a list and cannot be compared by `=`"),
        ("l.items contains c", "is a list"),
    ]);
}

//! `<`, `<=`, `>`, `>=`.

use crate::event::{fails, holds, refused};

#[test]
fn numbers_of_every_type() {
    holds(&[
        "n.signed < 0",
        "n.signed <= -5",
        "n.signed > -6",
        "n.signed >= -5",
        "n.unsigned > 0xfff",
        "n.float > 1",
        "n.float < 1.75",
    ]);
    fails(&["n.signed < -5", "n.signed > -5", "n.unsigned < 4096", "n.unsigned >= 4097", "n.float >= 1.6"]);
}

#[test]
fn a_missing_value_has_no_order() {
    fails(&["n.null < 1", "n.null >= 0"]);
    holds(&["not n.null < 1", "not n.null >= 0"]);
}

#[test]
fn what_has_no_order() {
    refused(&[
        ("t.name > 1", "`t.name` is a text and cannot be compared by `>`"),
        ("f.yes < 1", "only numbers have an order"),
        ("n.unsigned > name", "not a number"),
        ("n.unsigned > 1.5", "not a whole number"),
        ("n.unsigned >= -1", "out of range"),
    ]);
}

#[test]
fn texts_of_the_event_have_one_among_themselves() {
    holds(&["t.name >= val(t.same)", "t.name > val(t.path)", "t.name > val(t.empty)"]);
    fails(&["t.name < val(t.same)", "t.name > val(t.null)", "t.null > val(t.name)"]);
}

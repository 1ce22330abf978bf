//! `in`, `intersects`, `pmatch`, `exists`, and the modifiers.

use crate::event::{fails, holds, refused};

#[test]
fn in_holds_when_the_value_is_listed() {
    holds(&["t.name in (x, Sshd)", "t.name in Sshd", "t.name in ((x, (Sshd)))", "n.unsigned in (1, 0x1000)"]);
    holds(&[
        "n.signed in (-5)",
        "f.yes in (true)",
        "n.float in (1, 1.5)",
        "t.empty in (\"\")",
        "t.null = x or t.name in (Sshd)",
    ]);
    fails(&[
        "t.name in (x)",
        "t.name in ()",
        "t.name in (sshd, Ssh, Sshd1)",
        "n.unsigned in ()",
        "f.yes in (false)",
    ]);
    fails(&["t.null in (x)", "t.null in ()", "n.null in (0)", "n.float in (2)"]);
    holds(&["not t.null in (x)", "not t.name in ()"]);
    refused(&[("n.unsigned in (1, x, -1)", "x is not a number"), ("t.name in (val(t.same))", "")][..1]);
}

#[test]
fn every_wrong_item_is_reported() {
    let errors =
        crate::event::build("n.unsigned in (1, x, -1, y)", &crate::event::Named::default()).unwrap_err();
    assert_eq!(errors.len(), 3);
}

#[test]
fn in_of_a_list_field_wants_all_items() {
    holds(&["l.items in (-c, -x, file, other)"]);
    fails(&["l.items in (-c, -x)", "l.items in ()", "l.null in (-c)", "l.null in ()"]);
}

#[test]
fn in_of_ancestors_wants_any() {
    holds(&["a.names in (zsh, sshd)", "not a.names in (zsh)"]);
    fails(&["a.names in (zsh)", "a.names in ()"]);
}

#[test]
fn intersects_wants_any_item() {
    holds(&["l.items intersects (y, file)", "a.names intersects (bash)", "t.name intersects (Sshd, x)"]);
    fails(&[
        "l.items intersects (y)",
        "l.items intersects ()",
        "l.null intersects (y)",
        "t.name intersects (x)",
    ]);
}

#[test]
fn pmatch_goes_by_components() {
    holds(&[
        "t.path pmatch (/usr)",
        "t.path pmatch (/usr/)",
        "t.path pmatch (//usr//local)",
        "t.path pmatch (/x, /usr/local/bin/ssh)",
        "t.path pmatch (/)",
        "t.path pmatch (/usr/local/bin/ssh/deeper, /usr/local)",
        "t.path pmatch (/usr/local, /usr/local/bin/ssh/deeper)",
        "t.path pmatch (/usr/*/bin)",
        "t.path pmatch (/???/l[a-o]cal)",
        "t.path pmatch (/usr/share, /usr/loc*/sbin, /usr/*/bin)",
        "t.path pmatch (\"/usr/\\\\local\")",
        "not t.null pmatch (/)",
    ]);
    fails(&[
        "t.path pmatch (/us)",
        "t.path pmatch (/usr/loc)",
        "t.path pmatch (/usr/local/bin/ssh/x)",
        "t.path pmatch (/usr/*/ssh)",
        "t.path pmatch (/local)",
        "t.path pmatch ()",
        "t.null pmatch (/)",
    ]);
    refused(&[("n.unsigned pmatch (/x)", "only for texts"), ("b.bytes pmatch (/x)", "only for texts")]);
    let long = format!("t.path pmatch ({})", "/x".repeat(2000));
    refused(&[(&long, "more than 1000 components")]);
}

#[test]
fn exists_means_a_value_also_an_empty_one() {
    holds(&[
        "t.name exists",
        "t.empty exists",
        "l.items exists",
        "a.names exists",
        "not t.null exists",
        "tolower(t.name) exists",
    ]);
    fails(&["t.null exists", "l.null exists", "f.null exists", "other.x exists", "b64(t.arg['a b']) exists"]);
}

#[test]
fn modifiers_count_elements() {
    holds(&[
        "t.path startswith anyof (/tmp, /usr)",
        "t.path contains allof (local, bin)",
        "t.path endswith oneof (ssh, scp)",
        "t.name = anyof (x, Sshd)",
        "t.name != allof (x, y)",
        "t.path glob anyof (/x*, /usr*)",
        "t.path regex anyof (x, '/usr/.*')",
        "a.names startswith anyof (sys, zz)",
        "n.unsigned = anyof (1, 4096)",
    ]);
    fails(&[
        "t.path startswith anyof (/tmp, /var)",
        "t.path contains allof (local, sbin)",
        "t.path contains oneof (local, bin)",
        "t.path contains oneof (x, y)",
        "t.path contains anyof ()",
        "t.path contains allof ()",
        "t.path contains oneof ()",
        "t.null contains anyof (x)",
        "t.null != allof (x)",
    ]);
    refused(&[
        ("t.path contains anyof val(t.name)", "a modifier needs a list of values"),
        ("t.path regex anyof (x, '[')", "invalid regular expression"),
    ]);
}

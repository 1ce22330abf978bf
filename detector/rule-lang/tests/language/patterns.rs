//! `glob`, `iglob`, `regex`. The glob matcher is also compared with fnmatch(3) in `tests/fnmatch.rs`.

use crate::event::{Event, Named, build, fails, holds, refused};

#[test]
fn glob_takes_the_whole_value() {
    holds(&[
        "t.path glob /usr/*",
        "t.path glob *ssh",
        "t.path glob *",
        "t.path glob /usr/local/bin/ssh",
        "t.path glob /usr/local/bin/s?h",
    ]);
    holds(&[
        "t.path glob /usr*local*ssh",
        "t.name glob [R-T]shd",
        "t.name glob [!a-z]*",
        "t.name glob [[:upper:]]*",
        "t.empty glob *",
        "t.empty glob \"\"",
    ]);
    fails(&[
        "t.path glob usr*",
        "t.path glob /usr",
        "t.path glob /usr/?",
        "t.name glob sshd",
        "t.name glob [a-z]*",
        "t.null glob *",
        "t.empty glob ?",
    ]);
    holds(&["t.name glob \\S\\s\\h\\d"]);
    refused(&[("n.unsigned glob 4*", "only for texts")]);
}

#[test]
fn iglob_folds_ascii() {
    holds(&["t.name iglob sSHD", "t.name iglob s*D", "t.name iglob [a-z]shd", "t.name iglob [A-Z]SHD"]);
    fails(&["t.name iglob [!s]*", "t.name iglob xshd"]);
}

#[test]
fn regex_takes_the_whole_value() {
    holds(&[
        "t.name regex S.*",
        "t.name regex S|Sshd",
        "t.name regex 'Ss|S(s)hd'",
        "t.path regex '/(usr|bin)/.*ssh'",
        "t.name regex '^Sshd$'",
    ]);
    fails(&[
        "t.name regex Ss",
        "t.name regex shd",
        "t.name regex 's|h'",
        "t.null regex .*",
        "t.empty regex .+",
    ]);
    holds(&["t.empty regex .*", "t.name regex '[[:upper:]][[:lower:]]+'", "a.names regex 'b.*h'"]);
}

#[test]
fn a_pattern_cannot_break_out_of_its_anchors() {
    refused(&[
        ("t.name regex 'x)|(Ss'", "invalid regular expression"),
        ("t.name regex '('", "invalid regular expression"),
    ]);
    refused(&[
        ("t.name regex '(?x) a #'", "invalid regular expression"),
        ("t.name regex \"\\xff\"", "not UTF-8"),
        ("t.name regex 'a{1000}{1000}{1000}'", "invalid regular expression"),
        ("n.unsigned regex 4.*", "only for texts"),
        ("t.name regex val(t.path)", "known when the rule is loaded"),
    ]);
}

#[test]
fn a_pattern_without_operators_is_worth_a_warning() {
    let warnings = |text| build(text, &Named::default()).unwrap().warnings().len();
    assert_eq!(warnings("t.name regex Sshd or t.name regex Sshd.*"), 1);
    assert!(build("t.name regex Sshd", &Named::default()).unwrap().matches(&mut Event));
}

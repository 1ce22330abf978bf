//! `contains`, `icontains`, `startswith`, `endswith`, and the operators of byte buffers.

use crate::event::{fails, holds, refused};

#[test]
fn contains() {
    holds(&[
        "t.path contains local",
        "t.path contains /usr",
        "t.path contains \"\"",
        "t.name contains Sshd",
        "t.empty contains \"\"",
    ]);
    fails(&["t.path contains Local", "t.path contains sshd", "t.empty contains x", "t.null contains \"\""]);
    holds(&["b.bytes contains \"\\xba\\xbe\"", "a.names contains emd", "not t.null contains x"]);
}

#[test]
fn icontains_folds_ascii_only() {
    holds(&[
        "t.path icontains LOCAL",
        "t.name icontains sSHD",
        "t.name icontains \"\"",
        "t.path icontains bin/SSH",
    ]);
    fails(&[
        "t.path icontains LOCALS",
        "t.name icontains sshdd",
        "t.null icontains \"\"",
        "t.empty icontains x",
    ]);
    refused(&[("n.unsigned icontains x", "only for texts"), ("b.bytes icontains x", "only for texts")]);
}

#[test]
fn startswith_and_endswith() {
    holds(&[
        "t.path startswith /usr/",
        "t.path startswith \"\"",
        "t.path endswith /ssh",
        "t.path endswith \"\"",
    ]);
    fails(&[
        "t.path startswith usr",
        "t.path endswith /SSH",
        "t.name startswith Sshdx",
        "t.null startswith \"\"",
    ]);
    holds(&["b.bytes endswith \"\\xff\"", "a.names endswith emd"]);
    refused(&[("n.signed startswith 1", "only for texts"), ("f.yes endswith e", "`f.yes` is a bool")]);
}

#[test]
fn bytes_in_hexadecimal() {
    holds(&[
        "b.bytes bcontains cafe",
        "b.bytes bcontains CAFEBABE",
        "b.bytes bstartswith 00ca",
        "b.bytes bcontains ff",
    ]);
    fails(&["b.bytes bcontains cafebabf", "b.bytes bstartswith cafe"]);
    refused(&[
        ("b.bytes bcontains caf", "pairs of hexadecimal digits"),
        ("b.bytes bcontains xyzw", "pairs of hexadecimal digits"),
        ("b.bytes bcontains \"\"", "pairs of hexadecimal digits"),
        ("t.name bcontains cafe", "for texts there are `contains` and `startswith`"),
        ("n.unsigned bstartswith cafe", "only for byte buffers"),
    ]);
}

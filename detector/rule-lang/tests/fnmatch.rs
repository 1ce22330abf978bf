//! The glob matcher against the C library's fnmatch(3), which is what Falco calls.

use std::ffi::CString;

use detector_rule_lang::Glob;
use proptest::prelude::*;

/// What fnmatch(3) says. Neither text has a NUL.
fn fnmatch(pattern: &[u8], text: &[u8], fold_case: bool) -> bool {
    let c_string = |bytes| CString::new(bytes).expect("no pattern or text has a NUL");
    let (pattern, text) = (c_string(pattern), c_string(text));
    let flags = if fold_case { libc::FNM_CASEFOLD } else { 0 };
    // SAFETY: both are NUL-terminated, live through the call, and are only read.
    unsafe { libc::fnmatch(pattern.as_ptr(), text.as_ptr(), flags) == 0 }
}

#[cfg(test)]
#[track_caller]
fn same(pattern: &str, text: &str) {
    for fold_case in [false, true] {
        // The C library does not fold inside these; ours does. Nobody writes them in `iglob`.
        if fold_case && (pattern.contains("[.") || pattern.contains("[=")) {
            continue;
        }
        let ours = Glob::new(pattern.as_bytes(), fold_case).matches(text.as_bytes());
        let theirs = fnmatch(pattern.as_bytes(), text.as_bytes(), fold_case);
        assert_eq!(ours, theirs, "{pattern:?} on {text:?}, fold_case {fold_case}");
    }
}

#[test]
fn corners() {
    let texts = [
        "",
        "a",
        "A",
        "-",
        "]",
        "[",
        "!",
        "^",
        "\\",
        "ab",
        "a]",
        "[a",
        "[]",
        ".a",
        "a/b",
        "/",
        "[:alpha:]",
        "b",
        "z",
        "5",
        "*",
    ];
    let patterns = [
        "",
        "*",
        "**",
        "?",
        "*?",
        "?*?",
        "a*b",
        "[a]",
        "[!a]",
        "[^a]",
        "[]]",
        "[!]]",
        "[]a]",
        "[a-]",
        "[-a]",
        "[a-c]",
        "[c-a]",
        "[!a-c]",
        "[",
        "[a",
        "[!",
        "[]",
        "[!]",
        "\\",
        "\\\\",
        "\\*",
        "\\a",
        "[\\]]",
        "[\\",
        "[a\\]",
        "[a-\\]",
        "[[:alpha:]]",
        "[![:alpha:]]",
        "[[:upper:]]",
        "[[:lower:]]",
        "[[:digit:]x]",
        "[[:alpha:]",
        "[[.a.]]",
        "[[=a=]]",
        "[[.-.]-z]",
        "[a-[.z.]]",
        "[*]",
        "[?]",
        "[a]*",
        "*]",
        "[[]",
        "[[]]",
        "[a-c-z]",
        "[--a]",
        "[!-a]",
        ".*",
        "*/*",
    ];
    for pattern in patterns {
        for text in texts {
            same(pattern, text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// Without class, equivalence and collation brackets, where the C library has opinions on malformed ones.
    #[test]
    fn the_same_for_random_patterns(pattern in r"[abAB*?\[\]!^\\/.-]{0,10}", text in r"[abAB*?\[\]!^\\/.-]{0,8}") {
        prop_assume!(!["[:", "[.", "[="].iter().any(|special| pattern.contains(special)));
        for fold_case in [false, true] {
            let ours = Glob::new(pattern.as_bytes(), fold_case).matches(text.as_bytes());
            prop_assert_eq!(ours, fnmatch(pattern.as_bytes(), text.as_bytes(), fold_case), "fold_case {}", fold_case);
        }
    }

    #[test]
    fn the_same_for_stars(pattern in "[ab*]{0,16}", text in "[ab]{0,24}") {
        let ours = Glob::new(pattern.as_bytes(), false).matches(text.as_bytes());
        prop_assert_eq!(ours, fnmatch(pattern.as_bytes(), text.as_bytes(), false));
    }
}

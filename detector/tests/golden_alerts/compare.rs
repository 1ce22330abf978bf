//! Golden files: compared, and written anew on demand.

use std::{fmt::Write as _, path::Path};

/// Set, to anything: files are written instead of compared.
const WRITE: &str = "DETECTOR_WRITE_GOLDEN";
/// Bytes shown on each side of a difference.
const AROUND: usize = 60;

/// What is different between the file and these lines, in words.
pub(crate) fn with_file(file: &Path, lines: &str) -> Option<String> {
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(file, lines).expect("golden files lie in the source tree");
        return None;
    }
    let expected = match std::fs::read_to_string(file) {
        Ok(expected) => expected,
        Err(error) => return Some(format!("{}: {error}; {WRITE}=1 writes it", file.display())),
    };
    difference(&expected, lines).map(|difference| {
        format!("{} is stale ({WRITE}=1 writes it anew, if this is wanted):\n{difference}", file.display())
    })
}

/// Every line that differs, from a little before the first difference on.
fn difference(expected: &str, found: &str) -> Option<String> {
    if expected == found {
        return None;
    }
    let (mut expected, mut found) = (expected.split('\n'), found.split('\n'));
    let mut report = String::new();
    for number in 1.. {
        match (expected.next(), found.next()) {
            (None, None) => break,
            (expected, found) if expected == found => {}
            (expected, found) => {
                let (expected, found) = (expected.unwrap_or("(no line)"), found.unwrap_or("(no line)"));
                let same =
                    expected.bytes().zip(found.bytes()).take_while(|(one, other)| one == other).count();
                let (expected, found) = (window(expected, same), window(found, same));
                // Writing to a String cannot fail.
                let _ = writeln!(report, "line {number}, byte {same}:\n  - {expected}\n  + {found}");
            }
        }
    }
    Some(report)
}

/// The text around a byte.
fn window(line: &str, at: usize) -> String {
    let bytes = line.as_bytes();
    let (start, end) = (at.saturating_sub(AROUND), (at + AROUND).min(bytes.len()));
    let before = if start > 0 { "..." } else { "" };
    let behind = if end < bytes.len() { "..." } else { "" };
    format!("{before}{}{behind}", String::from_utf8_lossy(&bytes[start..end]))
}

#[test]
fn a_difference_is_shown_with_what_surrounds_it() {
    assert_eq!(difference("a\nb\n", "a\nb\n"), None);
    assert_eq!(difference("a\nbc\n", "a\nbd\n").as_deref(), Some("line 2, byte 1:\n  - bc\n  + bd\n"));
    assert_eq!(difference("a\n", "a").as_deref(), Some("line 2, byte 0:\n  - \n  + (no line)\n"));
}

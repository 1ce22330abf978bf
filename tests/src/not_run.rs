//! Cases that could not run are written down, so that a green result never hides them.

use std::fs::OpenOptions;
use std::io::Write;

/// Why a case could not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Something that this machine could have is not there: a failure where everything is meant to run.
    Missing,
    /// The outside refuses what the case needs; nothing on this machine changes that.
    Unobtainable,
}

impl Reason {
    /// The word in the list.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unobtainable => "unobtainable",
        }
    }
}

/// Records that the case `name` did not run. The list is the file that `DETECTOR_NOT_RUN` names, one line each:
/// name, class and explanation with tabs between. Without that variable nobody reads a list, so this panics.
#[track_caller]
pub fn not_run(name: &str, class: Reason, reason: &str) {
    let line = format!("{name}\t{}\t{}", class.word(), one_line(reason));
    let Some(list) = std::env::var_os("DETECTOR_NOT_RUN") else {
        panic!(
            "not run: {line}\n(set DETECTOR_NOT_RUN to a file to list such cases, as `cargo xtask test` does)"
        );
    };
    // One write of one short line: appends of parallel test processes do not mix.
    let written = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&list)
        .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    if let Err(error) = written {
        panic!("cannot append to {}, the list of cases not run: {error}", list.display());
    }
    println!("not run: {line}");
}

fn one_line(text: &str) -> String {
    text.split(['\n', '\r', '\t'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_of_several_lines_becomes_one() {
        assert_eq!(
            one_line("go: module lookup failed:\n\tserver response: 403\n"),
            "go: module lookup failed:; server response: 403"
        );
    }
}

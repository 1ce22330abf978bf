//! The list of what could not run. A test appends a line `name<TAB>class<TAB>reason` to the file that
//! `DETECTOR_NOT_RUN` names, instead of passing silently.
use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// One test, or part of the run, that could not run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotRun {
    pub(super) name: String,
    pub(super) class: Class,
    pub(super) reason: String,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A required part is not on this machine: with `CI=true` that is a failure.
    Missing,
    /// The part was asked from its registry, which answers that it does not have it: never a failure by itself.
    Unobtainable,
    /// Whoever started the run wanted it without: never a failure by itself.
    LeftOut,
}

impl NotRun {
    pub(super) fn missing(name: &str, reason: &str) -> Self {
        Self { name: name.to_owned(), class: Class::Missing, reason: reason.to_owned() }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "MISSING",
            Self::Unobtainable => "UNOBTAINABLE",
            Self::LeftOut => "LEFT OUT",
        })
    }
}

/// Empties the list; tests that run as root or as the user may both append.
pub(super) fn start(list: &Path) -> Result<()> {
    if let Some(folder) = list.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    std::fs::write(list, "").with_context(|| format!("cannot write {}", list.display()))
}

/// What the tests wrote.
pub(super) fn read(list: &Path) -> Result<Vec<NotRun>> {
    let text = std::fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
    parse(&text).with_context(|| format!("{} is not understood", list.display()))
}

/// A test may say the same more than once (several cases, one reason): it is listed once.
fn parse(text: &str) -> Result<Vec<NotRun>> {
    let mut list = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let mut words = line.splitn(3, '\t');
        let (Some(name), Some(class), Some(reason)) = (words.next(), words.next(), words.next()) else {
            bail!("`{line}` is not `name<TAB>class<TAB>reason`");
        };
        let class = match class {
            "missing" => Class::Missing,
            "unobtainable" => Class::Unobtainable,
            other => bail!("`{name}` has the class `{other}`: only `missing` and `unobtainable` exist"),
        };
        let entry = NotRun { name: name.to_owned(), class, reason: reason.to_owned() };
        if !list.contains(&entry) {
            list.push(entry);
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_entries_once() {
        let list =
            parse("a\tmissing\tno docker\nb\tunobtainable\tthe proxy\tsaid no\na\tmissing\tno docker\n")
                .unwrap();
        assert_eq!(list.len(), 2);
        assert_eq!(list[0], NotRun::missing("a", "no docker"));
        assert_eq!((list[1].class, list[1].reason.as_str()), (Class::Unobtainable, "the proxy\tsaid no"));
    }

    #[test]
    fn a_line_that_is_not_understood_is_no_silent_pass() {
        assert!(parse("a\tmissing\n").is_err());
        assert!(parse("a\toptional\tbecause\n").is_err());
    }
}

//! The line of a configuration that a message is about, with a marker: as mistakes in rules are shown.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
};

/// Bytes of a file that are looked at for it.
const MAX_BYTES: u64 = 16 << 20;
/// Characters of the line that are shown.
const SHOWN: usize = 120;

/// The line at `FILE:LINE:COLUMN` with a marker, without a final newline; `None` for a place that is none (`-o ...`), or
/// a file that has changed meanwhile.
#[must_use]
pub fn excerpt(place: &str) -> Option<String> {
    let (rest, column) = place.rsplit_once(':')?;
    let (file, line) = rest.rsplit_once(':')?;
    let (line, column) = (line.parse::<usize>().ok()?, column.parse::<usize>().ok()?);
    let lines = BufReader::new(File::open(file).ok()?.take(MAX_BYTES)).lines();
    let text = lines.map_while(Result::ok).nth(line.checked_sub(1)?)?;
    Some(marked(&text, line, column.checked_sub(1)?))
}

fn marked(text: &str, line: usize, column: usize) -> String {
    let from = column.saturating_sub(SHOWN / 2);
    // What could talk to a terminal is shown as a blank.
    let shown: String =
        text.chars().skip(from).take(SHOWN).map(|one| if one.is_control() { ' ' } else { one }).collect();
    let gutter = " ".repeat(line.to_string().len());
    format!("{gutter} |\n{line} | {}\n{gutter} | {}^", shown.trim_end(), " ".repeat(column - from))
}

#[cfg(test)]
mod tests {
    use super::{excerpt, marked};

    #[test]
    fn the_line_is_shown_with_its_marker() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.yaml");
        std::fs::write(&file, "a: 1\nprioritü: high\n").unwrap();
        let shown = excerpt(&format!("{}:2:11", file.display())).unwrap();
        assert_eq!(shown, "  |\n2 | prioritü: high\n  |           ^");
        assert_eq!(excerpt(&format!("{}:9:1", file.display())), None);
    }

    #[test]
    fn what_is_no_place_has_no_line() {
        assert_eq!(excerpt("-o a=b:1:2"), None);
        assert_eq!(excerpt("defaults"), None);
    }

    #[test]
    fn a_long_line_is_cut_around_the_marker() {
        let text = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let shown = marked(&text, 1, 500);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[1].chars().nth(lines[2].find('^').unwrap()), Some('X'));
        assert!(lines[1].len() < 130);
    }
}

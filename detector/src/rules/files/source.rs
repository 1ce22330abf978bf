//! A rule file as text, and places in it: every diagnostic says file, line and column.

use std::{fmt, sync::Arc};

/// A rule file that was read.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    name: String,
    text: String,
    /// Byte offset of the start of each line.
    lines: Vec<usize>,
}

impl SourceFile {
    /// `name` as the user wrote it, `text` without byte order mark.
    #[must_use]
    pub fn new(name: &str, text: String) -> Arc<Self> {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        Arc::new(Self { name: name.to_owned(), text, lines })
    }

    /// Its name as the user wrote it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it holds.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line with this number (from 0), without its end.
    #[must_use]
    pub fn line(&self, number: usize) -> &str {
        let Some(&start) = self.lines.get(number) else { return "" };
        let end = self.lines.get(number + 1).copied().unwrap_or(self.text.len());
        self.text[start..end].trim_end_matches(['\n', '\r'])
    }

    /// Line and column (both from 0, columns in characters) of a byte.
    fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let offset = self.floor(offset);
        let line = self.lines.partition_point(|&start| start <= offset) - 1;
        (line, self.text[self.lines[line]..offset].chars().count())
    }

    /// The nearest start of a character at or before `offset`.
    fn floor(&self, offset: usize) -> usize {
        let offset = offset.min(self.text.len());
        (0..=offset).rev().find(|&at| self.text.is_char_boundary(at)).unwrap_or(0)
    }
}

/// A stretch of a rule file.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<SourceFile>,
    /// First byte.
    pub start: usize,
    /// Byte behind the last one.
    pub end: usize,
}

impl Place {
    /// A stretch of `file`.
    #[must_use]
    pub fn new(file: &Arc<SourceFile>, start: usize, end: usize) -> Self {
        Self { file: Arc::clone(file), start, end: end.max(start) }
    }

    /// Line of its start, from 0.
    #[must_use]
    pub fn line(&self) -> usize {
        self.file.line_and_column(self.start).0
    }

    /// Column of its start in characters, from 0.
    #[must_use]
    pub fn column(&self) -> usize {
        self.file.line_and_column(self.start).1
    }

    /// How many characters of its first line it covers, at least one.
    #[must_use]
    pub fn width(&self) -> usize {
        let (line, column) = self.file.line_and_column(self.start);
        let line_width = self.file.line(line).chars().count();
        let end = match self.file.line_and_column(self.end) {
            (end_line, end_column) if end_line == line => end_column,
            _ => line_width,
        };
        end.saturating_sub(column).max(1)
    }
}

/// As compilers write it: `file:line:column`, both from 1.
impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.file.line_and_column(self.start);
        write!(formatter, "{}:{}:{}", self.file.name, line + 1, column + 1)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self} ({}..{})", self.start, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, SourceFile};

    #[test]
    fn columns_count_characters_and_lines_end_before_their_break() {
        let file = SourceFile::new("a.yaml", "ä: b\r\nc: d".to_owned());
        let place = Place::new(&file, "ä: ".len(), "ä: b".len());
        assert_eq!((place.line(), place.column(), place.width()), (0, 3, 1));
        assert_eq!(place.to_string(), "a.yaml:1:4");
        assert_eq!((file.line(0), file.line(1), file.line(2)), ("ä: b", "c: d", ""));
    }

    #[test]
    fn a_place_over_several_lines_is_as_wide_as_the_rest_of_its_first_line() {
        let file = SourceFile::new("a.yaml", "one two\nthree".to_owned());
        assert_eq!(Place::new(&file, 4, 13).width(), 3);
    }

    #[test]
    fn offsets_outside_or_inside_a_character_are_rounded_down() {
        let file = SourceFile::new("a.yaml", "ä".to_owned());
        assert_eq!(Place::new(&file, 1, 99).column(), 0);
        assert_eq!(Place::new(&file, 99, 99).column(), 1);
        let empty = SourceFile::new("e.yaml", String::new());
        assert_eq!(Place::new(&empty, 5, 5).to_string(), "e.yaml:1:1");
    }
}

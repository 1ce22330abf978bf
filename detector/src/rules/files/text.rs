//! Text taken from a rule file, with a way back from each of its bytes to the file. A condition is written folded
//! over several lines, is joined from several files, and gets its exceptions added; an error in it must still point
//! at the character that the user wrote.

use std::{ops::Range, sync::Arc};

use saphyr_parser::ScalarStyle;

use super::source::{Place, SourceFile};

/// Text whose bytes know where they come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocatedText {
    text: String,
    /// Sorted by `at`; the first one starts at 0 unless the text is empty.
    runs: Vec<Run>,
}

/// Bytes of the text from `at` on (up to the next run) come from the file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    at: usize,
    file: Arc<SourceFile>,
    offset: usize,
    /// `None`: byte for byte from `offset` on. Otherwise all bytes of the run belong to the stretch up to here.
    end: Option<usize>,
}

impl LocatedText {
    /// Text that we made, all of it on behalf of `place`.
    #[must_use]
    pub fn made(text: &str, place: &Place) -> Self {
        let mut made = Self::default();
        made.push_made(text, place);
        made
    }

    /// A YAML scalar that stands at `start..end` of `file` and reads `text`.
    pub(super) fn scalar(
        file: &Arc<SourceFile>,
        (start, end): (usize, usize),
        style: ScalarStyle,
        text: &str,
    ) -> Self {
        let whole = Place::new(file, start, end);
        let Some(written) = file.text().get(start..end) else { return Self::made(text, &whole) };
        let runs = align(written, style, text).map(|pairs| {
            let run = |(at, from, to): (usize, usize, Option<usize>)| Run {
                at,
                file: Arc::clone(file),
                offset: start + from,
                end: to.map(|to| start + to),
            };
            pairs.into_iter().map(run).collect()
        });
        match runs {
            Some(runs) => Self { text: text.to_owned(), runs },
            None => Self::made(text, &whole),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Adds text that we made on behalf of `place`.
    pub fn push_made(&mut self, text: &str, place: &Place) {
        if !text.is_empty() {
            let (at, file) = (self.text.len(), Arc::clone(&place.file));
            self.runs.push(Run { at, file, offset: place.start, end: Some(place.end) });
            self.text.push_str(text);
        }
    }

    /// Adds another text with its places.
    pub fn push(&mut self, other: &Self) {
        let shift = self.text.len();
        self.runs.extend(other.runs.iter().map(|run| Run { at: run.at + shift, ..run.clone() }));
        self.text.push_str(&other.text);
    }

    /// Without blanks at both ends.
    #[must_use]
    pub fn trimmed(&self) -> Self {
        let start = self.text.len() - self.text.trim_start().len();
        self.slice(start..start + self.text.trim().len())
    }

    /// With every `token` replaced by text that stands for it.
    #[must_use]
    pub fn replaced(&self, token: &str, by: &str) -> Self {
        let mut replaced = Self::default();
        let mut from = 0;
        for (at, _) in self.text.match_indices(token) {
            replaced.push(&self.slice(from..at));
            if let Some(place) = self.place(at..at + token.len()) {
                replaced.push_made(by, &place);
            }
            from = at + token.len();
        }
        replaced.push(&self.slice(from..self.text.len()));
        replaced
    }

    /// A part of it, cut at starts of characters.
    fn slice(&self, range: Range<usize>) -> Self {
        let inside = |run: &&Run| run.at < range.end;
        let mut runs: Vec<Run> = Vec::new();
        for run in self.runs.iter().filter(inside) {
            let mut run = run.clone();
            if run.at <= range.start {
                // Of the runs that start before the part the last one counts.
                runs.clear();
                if run.end.is_none() {
                    run.offset += range.start - run.at;
                }
            }
            run.at = run.at.saturating_sub(range.start);
            runs.push(run);
        }
        Self { text: self.text[range].to_owned(), runs }
    }

    /// Where the bytes of `range` stand in a file; `None` only for a text without any place.
    #[must_use]
    pub fn place(&self, range: Range<usize>) -> Option<Place> {
        let first = self.run_of(range.start)?;
        let last = self.run_of(range.end.max(range.start + 1) - 1)?;
        let start = match first.end {
            None => first.offset + (range.start - first.at),
            Some(_) => first.offset,
        };
        let end = match (last.end, Arc::ptr_eq(&first.file, &last.file)) {
            (None, true) => last.offset + (range.end.max(range.start + 1) - last.at),
            (Some(end), true) => end,
            (_, false) => start + 1,
        };
        Some(Place::new(&first.file, start, end.max(start)))
    }

    fn run_of(&self, at: usize) -> Option<&Run> {
        let behind = self.runs.partition_point(|run| run.at <= at);
        self.runs.get(behind.checked_sub(1)?)
    }
}

/// Runs: (byte in `read`, byte in `written`) from which on both go on alike, or with a third number all of the run
/// stands for `written` up to there. `None` when the two cannot be brought together, so that no wrong place is ever
/// given.
///
/// This needs no rules of folding: outside of quotes every character that is not a blank comes over as it is, in
/// order, and blanks only stand for blanks.
fn align(written: &str, style: ScalarStyle, read: &str) -> Option<Vec<(usize, usize, Option<usize>)>> {
    let mut from = Written { text: written, at: 0, style };
    match style {
        ScalarStyle::DoubleQuoted => from.skip_to_content('"')?,
        ScalarStyle::SingleQuoted => from.skip_to_content('\'')?,
        ScalarStyle::Plain if !read.starts_with(['&', '!']) => from.skip_properties(),
        ScalarStyle::Plain | ScalarStyle::Literal | ScalarStyle::Folded => {}
    }
    let mut runs = Vec::new();
    let mut expected = None;
    for (at, character) in read.char_indices() {
        let (start, end) = from.find(character)?;
        let same_length = end - start == character.len_utf8();
        if expected != Some(start) || !same_length {
            runs.push((at, start, (!same_length).then_some(end)));
        }
        expected = same_length.then_some(end);
    }
    Some(runs)
}

struct Written<'t> {
    text: &'t str,
    at: usize,
    style: ScalarStyle,
}

impl Written<'_> {
    fn skip_to_content(&mut self, quote: char) -> Option<()> {
        self.at = self.text.find(quote)? + 1;
        Some(())
    }

    /// Anchors and tags before a plain scalar.
    fn skip_properties(&mut self) {
        while self.text[self.at..].starts_with(['&', '!']) {
            let rest = &self.text[self.at..];
            let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let blank = rest[word..].len() - rest[word..].trim_start().len();
            self.at += word + blank;
        }
    }

    /// The stretch that became `wanted`, and moves behind it.
    fn find(&mut self, wanted: char) -> Option<(usize, usize)> {
        loop {
            let rest = &self.text[self.at..];
            let Some(next) = rest.chars().next() else {
                // The break at the end of a block scalar can stand behind the end of the file.
                return wanted.is_whitespace().then_some((self.at, self.at));
            };
            let escape = match self.style {
                ScalarStyle::DoubleQuoted if next == '\\' => Some(escape_length(rest)?),
                ScalarStyle::SingleQuoted if rest.starts_with("''") => Some(2),
                _ => None,
            };
            let start = self.at;
            match escape {
                Some(length) if is_line_break(&rest[1..]) && next == '\\' => self.at += length,
                Some(length) => {
                    self.at += length;
                    return Some((start, self.at));
                }
                None if next == wanted => {
                    self.at += next.len_utf8();
                    return Some((start, self.at));
                }
                // One blank for a break with its indentation, a break for `\r\n`: the blank is where the break is,
                // the rest of it is skipped when the next visible character is looked for.
                None if next.is_whitespace() && wanted.is_whitespace() => {
                    self.at += next.len_utf8();
                    return Some((start, self.at));
                }
                None if next.is_whitespace() => self.at += next.len_utf8(),
                // Blanks read where none are written: an empty line in the source was already passed.
                None if wanted.is_whitespace() => return Some((self.at, self.at)),
                None => return None,
            }
        }
    }
}

fn is_line_break(text: &str) -> bool {
    text.starts_with(['\n', '\r'])
}

/// Length of the escape of a double-quoted scalar at the start of `text`; an escaped break takes its indentation.
fn escape_length(text: &str) -> Option<usize> {
    let escaped = text[1..].chars().next()?;
    Some(match escaped {
        'x' => 4,
        'u' => 6,
        'U' => 10,
        '\n' | '\r' => 1 + (text[1..].len() - text[1..].trim_start().len()),
        other => 1 + other.len_utf8(),
    })
    .filter(|&length| text.is_char_boundary(length))
}

#[cfg(test)]
mod tests {
    use super::{LocatedText, Place, SourceFile};
    use crate::yaml::{Value, read};

    /// Reads `yaml` (a scalar) and cuts out of it what stands for `word` in the text that was read.
    fn cut(yaml: &str, word: &str) -> String {
        let file = SourceFile::new("t.yaml", yaml.to_owned());
        let (documents, error) = read(yaml);
        assert_eq!(error, None);
        let node = &documents[0];
        let Value::Sequence(items) = &node.value else { panic!("a list") };
        let Value::Scalar(text, style) = &items[0].value else { panic!("a scalar") };
        let located = LocatedText::scalar(&file, (items[0].start, items[0].end), *style, text);
        let at = text.find(word).unwrap_or_else(|| panic!("{word:?} stands in {text:?}"));
        let place = located.place(at..at + word.len()).expect("a place");
        yaml[place.start..place.end].to_owned()
    }

    #[test]
    fn every_style_leads_back_to_what_was_written() {
        let cases = [
            ("- evt.type = open\n", "open", "open"),
            ("- one\n   two three\n", "three", "three"),
            ("- &a !!str one two\n", "two", "two"),
            ("- >\n    one\n    two\n\n    three\n      more\n    last\n", "last", "last"),
            ("- >\n    one\n    two\n\n    three\n      more\n    last\n", "more", "more"),
            ("- >-   # why\n  one # no remark\n  two\n", "two", "two"),
            ("- |\r\n  one\r\n  two\r\n", "two", "two"),
            ("- |2\n   one\n  two\n", "two", "two"),
            ("- 'it''s here'\n", "here", "here"),
            ("- 'it''s here'\n", "'", "''"),
            ("- \"a\\tb \\x41\\u00e4 end\"\n", "A", "\\x41"),
            ("- \"a\\tb \\x41\\u00e4 end\"\n", "end", "end"),
            ("- \"a\\\n   b c\n   d\"\n", "d", "d"),
            ("- ün ïcode wort\n", "wort", "wort"),
        ];
        for (yaml, word, written) in cases {
            assert_eq!(cut(yaml, word), written, "{word:?} in {yaml:?}");
        }
    }

    #[test]
    fn a_word_over_a_line_break_covers_both_lines() {
        assert_eq!(cut("- >\n  one\n  two\n", "one two"), "one\n  two");
    }

    #[test]
    fn joined_text_knows_both_files() {
        let one = SourceFile::new("1.yaml", "abc".to_owned());
        let two = SourceFile::new("2.yaml", "..def".to_owned());
        let mut text = LocatedText::scalar(&one, (0, 3), saphyr_parser::ScalarStyle::Plain, "abc");
        text.push_made(" ", &Place::new(&two, 2, 5));
        text.push(&LocatedText::scalar(&two, (2, 5), saphyr_parser::ScalarStyle::Plain, "def"));
        assert_eq!(text.as_str(), "abc def");
        assert_eq!(text.place(1..2), Some(Place::new(&one, 1, 2)));
        assert_eq!(text.place(5..7), Some(Place::new(&two, 3, 5)));
        assert_eq!(text.place(3..4), Some(Place::new(&two, 2, 5)));
        assert_eq!(text.place(1..6), Some(Place::new(&one, 1, 2)));
        assert_eq!(text.place(7..7).map(|place| place.start), Some(5));
    }

    #[test]
    fn trimmed_text_keeps_its_places() {
        let file = SourceFile::new("1.yaml", "  ab cd  ".to_owned());
        let style = saphyr_parser::ScalarStyle::Literal;
        let text = LocatedText::scalar(&file, (0, 9), style, "  ab cd  ").trimmed();
        assert_eq!(text.as_str(), "ab cd");
        assert_eq!(text.place(3..5), Some(Place::new(&file, 5, 7)));
    }

    #[test]
    fn text_that_does_not_fit_its_place_points_at_the_whole_of_it() {
        let file = SourceFile::new("1.yaml", "- abc".to_owned());
        let text = LocatedText::scalar(&file, (2, 5), saphyr_parser::ScalarStyle::Plain, "xyz");
        assert_eq!(text.place(1..2), Some(Place::new(&file, 2, 5)));
    }
}

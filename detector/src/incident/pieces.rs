//! Cuts an input into JSON objects and lines of text, whatever its layout: one object a line, several on one, objects
//! over many lines, arrays. Memory is bounded, also for a file without a single newline.

use std::io::{self, BufRead};

/// Bytes that one object or line may have. Falco's largest alerts have a few KB.
pub(super) const MAX_PIECE: usize = 1 << 20;
/// Bytes that are looked at together.
const SEGMENT: usize = 64 << 10;
/// Objects and arrays inside each other.
const MAX_DEPTH: u32 = 128;

/// What was cut out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// From `{` to its `}`.
    Object,
    /// A line that does not begin with an object.
    Line,
    /// Something that begins like an object and is none.
    Broken(&'static str),
}

/// Cuts one input.
pub(super) struct Pieces<R> {
    reader: R,
    segment: Vec<u8>,
    /// How much of the segment is used up.
    at: usize,
    /// Whether the segment ends at the end of a line.
    ends_line: bool,
    /// Line of the segment, from 1.
    line: u64,
    /// Bytes read so far.
    bytes: u64,
    piece: Vec<u8>,
}

impl<R: BufRead> Pieces<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, segment: Vec::new(), at: 0, ends_line: true, line: 0, bytes: 0, piece: Vec::new() }
    }

    /// Bytes read so far.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The bytes of the piece that [`Pieces::next`] found.
    pub(super) fn piece(&self) -> &[u8] {
        &self.piece
    }

    /// The next piece, with the line that it begins on.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Kind)>> {
        self.piece.clear();
        loop {
            if self.at == self.segment.len() && !self.fill()? {
                return Ok(None);
            }
            let rest = &self.segment[self.at..];
            // Brackets and commas between objects belong to an array around them.
            let Some(start) = rest
                .iter()
                .position(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'[' | b']' | b','))
            else {
                self.at = self.segment.len();
                continue;
            };
            let found = rest[start];
            // A line that begins with a bracket is an array only when nothing but objects stands in it.
            let is_text = found != b'{';
            if !is_text {
                self.at += start;
            }
            let line = self.line;
            let kind = if is_text { self.text()? } else { self.object()? };
            return Ok(Some((line, kind)));
        }
    }

    /// Takes the rest of the line.
    fn text(&mut self) -> io::Result<Kind> {
        let mut too_long = false;
        loop {
            let rest = &self.segment[self.at..];
            if self.piece.len() + rest.len() > MAX_PIECE {
                too_long = true;
            } else {
                self.piece.extend_from_slice(rest);
            }
            self.at = self.segment.len();
            if self.ends_line || !self.fill()? {
                break;
            }
        }
        while self.piece.last().is_some_and(u8::is_ascii_whitespace) {
            self.piece.pop();
        }
        Ok(if too_long { Kind::Broken("the line is longer than 1 MiB") } else { Kind::Line })
    }

    /// Takes an object; what breaks it off is left for the next piece.
    fn object(&mut self) -> io::Result<Kind> {
        let mut balance = Balance::default();
        let mut fresh_line = false;
        loop {
            let rest = &self.segment[self.at..];
            if fresh_line && rest.first() == Some(&b'{') && !balance.expects_value() {
                return Ok(Kind::Broken("a new object begins before this one ends"));
            }
            match balance.scan(rest) {
                Scan::Closed(length) => {
                    if self.piece.len() + length > MAX_PIECE {
                        self.at += length;
                        return Ok(Kind::Broken("the object is longer than 1 MiB"));
                    }
                    self.piece.extend_from_slice(&rest[..length]);
                    self.at += length;
                    return Ok(Kind::Object);
                }
                Scan::Wrong(length, why) => {
                    self.at += length;
                    self.skip_line()?;
                    return Ok(Kind::Broken(why));
                }
                Scan::Open => {
                    // Too large is still followed to its end, but not kept.
                    if self.piece.len() <= MAX_PIECE {
                        self.piece.extend_from_slice(rest);
                    }
                    self.at = self.segment.len();
                    fresh_line = self.ends_line;
                    if fresh_line && balance.in_text {
                        return Ok(Kind::Broken("a text has no end on its line"));
                    }
                    if !self.fill()? {
                        return Ok(Kind::Broken("the input ends inside an object"));
                    }
                }
            }
        }
    }

    fn skip_line(&mut self) -> io::Result<()> {
        self.at = self.segment.len();
        while !self.ends_line && self.fill()? {
            self.at = self.segment.len();
        }
        Ok(())
    }

    /// Reads the next segment; false at the end of the input.
    fn fill(&mut self) -> io::Result<bool> {
        if self.ends_line {
            self.line += 1;
        }
        self.segment.clear();
        self.at = 0;
        self.ends_line = false;
        while self.segment.len() < SEGMENT && !self.ends_line {
            let buffer = match self.reader.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if buffer.is_empty() {
                break;
            }
            let room = buffer.len().min(SEGMENT - self.segment.len());
            let taken = memchr::memchr(b'\n', &buffer[..room]).map_or(room, |newline| newline + 1);
            self.segment.extend_from_slice(&buffer[..taken]);
            self.ends_line = buffer[taken - 1] == b'\n';
            self.reader.consume(taken);
            self.bytes += taken as u64;
        }
        Ok(!self.segment.is_empty())
    }
}

/// How far an object is from being closed.
#[derive(Default)]
struct Balance {
    depth: u32,
    /// One bit for each level: set for an object, clear for an array.
    objects: u128,
    in_text: bool,
    escaped: bool,
    /// The last byte that is no blank, outside texts.
    last: u8,
}

enum Scan {
    /// After so many bytes.
    Closed(usize),
    Open,
    /// After so many bytes, and why.
    Wrong(usize, &'static str),
}

impl Balance {
    /// Whether an object may begin here.
    const fn expects_value(&self) -> bool {
        self.last == b':' || self.last == b'[' || (self.last == b',' && self.objects & 1 == 0)
    }

    fn scan(&mut self, bytes: &[u8]) -> Scan {
        let mut at = 0;
        while at < bytes.len() {
            if self.in_text {
                if self.escaped {
                    self.escaped = false;
                    at += 1;
                    continue;
                }
                let Some(next) = memchr::memchr2(b'"', b'\\', &bytes[at..]) else { return Scan::Open };
                at += next;
                if bytes[at] == b'"' {
                    self.in_text = false;
                    self.last = b'"';
                } else {
                    self.escaped = true;
                }
                at += 1;
                continue;
            }
            let byte = bytes[at];
            at += 1;
            match byte {
                b'"' => self.in_text = true,
                b'{' | b'[' => {
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        return Scan::Wrong(at, "more than 128 levels of nesting");
                    }
                    self.objects = self.objects << 1 | u128::from(byte == b'{');
                    self.last = byte;
                }
                b'}' | b']' => {
                    if (self.objects & 1 == 1) != (byte == b'}') {
                        return Scan::Wrong(at, "brackets do not match");
                    }
                    self.objects >>= 1;
                    self.depth -= 1;
                    self.last = byte;
                    if self.depth == 0 {
                        return Scan::Closed(at);
                    }
                }
                b' ' | b'\t' | b'\r' | b'\n' => {}
                other => self.last = other,
            }
        }
        Scan::Open
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, MAX_PIECE, Pieces, SEGMENT};

    fn cut(text: &str) -> Vec<(u64, Kind, String)> {
        let mut pieces = Pieces::new(text.as_bytes());
        let mut found = Vec::new();
        while let Some((line, kind)) = pieces.next().unwrap() {
            found.push((line, kind, String::from_utf8_lossy(pieces.piece()).into_owned()));
        }
        found
    }

    fn objects(text: &str) -> Vec<(u64, String)> {
        let found = cut(text);
        assert!(found.iter().all(|(_, kind, _)| *kind == Kind::Object), "{found:?}");
        found.into_iter().map(|(line, _, piece)| (line, piece)).collect()
    }

    #[test]
    fn every_layout_of_objects() {
        let two = |first, second| vec![(first, "{\"a\":1}".to_owned()), (second, "{\"b\":2}".to_owned())];
        for (text, expected) in [
            ("{\"a\":1}\n{\"b\":2}\n", two(1, 2)),
            ("{\"a\":1}{\"b\":2}", two(1, 1)),
            ("[{\"a\":1},\n {\"b\":2}]\n", two(1, 2)),
            ("\n\r\n{\"a\":1}\r\n\n{\"b\":2}", two(3, 5)),
        ] {
            assert_eq!(objects(text), expected, "{text}");
        }
        let pretty = "{\n  \"a\": [\n    {\n\"b\": \"}\\\"\"\n    },\n{\"c\": {}}]\n}";
        assert_eq!(objects(&format!("{pretty}\n{pretty}")), [(1, pretty.to_owned()), (8, pretty.to_owned())]);
    }

    #[test]
    fn what_breaks_off_costs_only_itself() {
        for (broken, why) in [
            ("{\"a\":\"b", "a text has no end on its line"),
            ("{\"a\":1", "a new object begins before this one ends"),
            ("{\"a\":1,", "a new object begins before this one ends"),
            ("{\"a\":[1}", "brackets do not match"),
        ] {
            let found = cut(&format!("{{\"x\":1}}\n{broken}\n{{\"y\":2}}\n"));
            let kinds: Vec<_> = found.iter().map(|(line, kind, _)| (*line, *kind)).collect();
            assert_eq!(kinds, [(1, Kind::Object), (2, Kind::Broken(why)), (3, Kind::Object)], "{broken}");
        }
        assert_eq!(cut("{\"a\":").len(), 1);
    }

    #[test]
    fn lines_of_text_stand_between_objects() {
        let found = cut("12:00:00.1: Critical x | a={b}\n{\"a\":1}\n[info] started\n");
        assert_eq!(found[0], (1, Kind::Line, "12:00:00.1: Critical x | a={b}".to_owned()));
        assert_eq!(found[1].1, Kind::Object);
        assert_eq!(found[2], (3, Kind::Line, "[info] started".to_owned()));
    }

    #[test]
    fn no_newline_for_a_long_time_is_no_problem() {
        let one = "{\"a\":\"xyz\"}";
        assert_eq!(objects(&one.repeat(3 * SEGMENT / one.len())).len(), 3 * SEGMENT / one.len());
    }

    #[test]
    fn what_is_too_long_is_skipped_and_not_kept() {
        let long = "x".repeat(2 * MAX_PIECE);
        let found = cut(&format!("{{\"a\":\"{long}\"}}\n{long}\n{{\"b\":1}}"));
        let kinds: Vec<_> =
            found.iter().map(|(line, kind, piece)| (*line, *kind, piece.len() > 2 * MAX_PIECE)).collect();
        assert_eq!(
            kinds,
            [
                (1, Kind::Broken("the object is longer than 1 MiB"), false),
                (2, Kind::Broken("the line is longer than 1 MiB"), false),
                (3, Kind::Object, false)
            ]
        );
    }
}

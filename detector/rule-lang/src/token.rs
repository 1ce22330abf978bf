//! The smallest pieces of the text: blanks, words, names, bare and quoted strings. No grammar above a single piece.

use crate::diagnostic::{Diagnostic, Kind, SourceId, Span};

/// A place in a text, moving forward.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'t> {
    text: &'t str,
    source: SourceId,
    /// Byte offset, always at the start of a character.
    pub(crate) at: usize,
}

pub(crate) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x08)
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

const fn is_bare(byte: u8) -> bool {
    !is_blank(byte) && !matches!(byte, b'(' | b')' | b'"' | b'\'' | b'=' | b',' | 0)
}

/// Whether a value can be written without quotes.
pub(crate) fn is_bare_string(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| is_bare(b))
}

const fn is_argument(byte: u8) -> bool {
    !is_blank(byte) && !matches!(byte, b'[' | b']' | b'"' | b'\'' | 0)
}

/// Whether a field's argument can be written without quotes.
pub(crate) fn is_bare_argument(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| is_argument(b))
}

/// Decimal with optional sign, fraction and exponent, or hexadecimal after `0x`: what may be ordered.
pub(crate) fn is_number(text: &[u8]) -> bool {
    if let [b'0', b'x' | b'X', digits @ ..] = text {
        return !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    }
    let unsigned = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    unsigned.first().is_some_and(u8::is_ascii_digit)
        && unsigned.iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        && std::str::from_utf8(unsigned).is_ok_and(|t| t.parse::<f64>().is_ok())
}

impl<'t> Cursor<'t> {
    pub(crate) const fn new(text: &'t str, source: SourceId) -> Self {
        Self { text, source, at: 0 }
    }

    pub(crate) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub(crate) const fn text(&self) -> &'t str {
        self.text
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(crate) fn skip_blanks(&mut self) {
        while self.peek().is_some_and(is_blank) {
            self.at += 1;
        }
    }

    /// Steps over `token` if it stands here.
    pub(crate) fn eat(&mut self, token: &str) -> bool {
        let here = self.rest().starts_with(token);
        if here {
            self.at += token.len();
        }
        here
    }

    /// Whether the word stands here, and no longer word.
    pub(crate) fn at_keyword(&self, word: &str) -> bool {
        let rest = self.rest().as_bytes();
        rest.starts_with(word.as_bytes())
            && rest.get(word.len()).is_none_or(|&b| is_blank(b) || matches!(b, b'(' | b')'))
    }

    /// The letters, digits and underscores from here on.
    pub(crate) fn word(&self) -> &'t str {
        let rest = self.rest();
        let end = rest.bytes().position(|b| !is_word(b)).unwrap_or(rest.len());
        &rest[..end]
    }

    /// The longest run of words, each starting with a letter, joined by dots. Empty if none starts here.
    pub(crate) fn dotted_name(&self) -> &'t str {
        let rest = self.rest().as_bytes();
        let mut end = 0;
        loop {
            let part = rest[end..].iter().position(|&b| !is_word(b)).unwrap_or(rest.len() - end);
            if part == 0 || !rest[end].is_ascii_alphabetic() {
                // Without the dot that led here.
                end = end.saturating_sub(1);
                break;
            }
            end += part;
            if rest.get(end) != Some(&b'.') {
                break;
            }
            end += 1;
        }
        &self.rest()[..end]
    }

    /// From `start` to here.
    pub(crate) const fn span_from(&self, start: usize) -> Span {
        Span { source: self.source, start, end: self.at }
    }

    /// The piece that stands here, for a marker: a word, a run of signs, or nothing at the end.
    pub(crate) fn here(&self) -> Span {
        let mut end = self.clone();
        match self.peek() {
            None => {}
            Some(b) if is_bare(b) => {
                while end.peek().is_some_and(is_bare) {
                    end.at += 1;
                }
            }
            Some(_) => end.at += 1,
        }
        Span { end: end.at, ..self.span_from(self.at) }
    }

    /// What stands here, for a message.
    pub(crate) fn found(&self) -> String {
        let span = self.here();
        if span.start == span.end {
            "the end".to_owned()
        } else {
            let piece = &self.text[span.start..span.end];
            match piece.char_indices().nth(40) {
                Some((cut, _)) => format!("`{}...`", piece[..cut].escape_debug()),
                None => format!("`{}`", piece.escape_debug()),
            }
        }
    }

    /// A bare string; empty if none stands here.
    pub(crate) fn bare_string(&mut self) -> &'t str {
        let start = self.at;
        while self.peek().is_some_and(is_bare) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    /// A bare argument in brackets; empty if none stands here.
    pub(crate) fn bare_argument(&mut self) -> &'t str {
        let start = self.at;
        while self.peek().is_some_and(is_argument) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    /// A quoted string with its escapes resolved. Must stand at a quote.
    pub(crate) fn quoted_string(&mut self) -> Result<Vec<u8>, Diagnostic> {
        let start = self.at;
        let quote = self.peek().unwrap_or(b'"');
        self.at += 1;
        let mut bytes = Vec::new();
        while let Some(byte) = self.peek() {
            match byte {
                b if b == quote => {
                    self.at += 1;
                    return Ok(bytes);
                }
                b'\\' => bytes.push(self.escape(quote)?),
                0 => {
                    let at = self.at;
                    self.at += 1;
                    return Err(no_nul(self.span_from(at)));
                }
                b => {
                    bytes.push(b);
                    self.at += 1;
                }
            }
        }
        Err(Diagnostic::new(
            Kind::Syntax,
            self.span_from(start),
            "a quoted string does not end",
            format!("no closing `{}`", char::from(quote)),
        ))
    }

    /// One escape; must stand at the backslash.
    fn escape(&mut self, quote: u8) -> Result<u8, Diagnostic> {
        let start = self.at;
        self.at += 1;
        let Some(c) = self.rest().chars().next() else {
            return Err(Diagnostic::new(
                Kind::Syntax,
                self.span_from(start),
                "a quoted string does not end",
                "ends in the middle of an escape",
            ));
        };
        self.at += c.len_utf8();
        Ok(match c {
            'b' => 0x08,
            'f' => 0x0c,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            // Falco keeps the blank for old rules: one backslash, and the blank is gone.
            '\\' | ' ' => b'\\',
            '/' => b'/',
            'x' => return self.hex_escape(start),
            c if u32::from(c) == u32::from(quote) => quote,
            c => {
                return Err(Diagnostic::new(
                    Kind::Syntax,
                    self.span_from(start),
                    format!("unknown escape `\\{}`", c.escape_debug()),
                    "not an escape",
                )
                .hint(format!(
                    "the escapes are \\b \\f \\n \\r \\t \\\\ \\/ \\{} \\xHH; a backslash itself is `\\\\`",
                    char::from(quote)
                )));
            }
        })
    }

    fn hex_escape(&mut self, start: usize) -> Result<u8, Diagnostic> {
        let digit = |cursor: &mut Self| {
            let value = cursor.peek().and_then(|b| char::from(b).to_digit(16))?;
            cursor.at += 1;
            u8::try_from(value).ok()
        };
        let value = digit(self).and_then(|high| Some((high << 4) | digit(self)?));
        match value {
            Some(0) => Err(no_nul(self.span_from(start))),
            Some(byte) => Ok(byte),
            None => Err(Diagnostic::new(
                Kind::Syntax,
                self.span_from(start),
                "`\\x` needs two hexadecimal digits",
                "incomplete escape",
            )),
        }
    }
}

fn no_nul(span: Span) -> Diagnostic {
    Diagnostic::new(Kind::Syntax, span, "a value cannot contain a NUL byte", "NUL")
        .hint("texts of the kernel end at the first NUL, so this could never match")
}

#[cfg(test)]
mod tests {
    use super::{Cursor, is_number};
    use crate::diagnostic::SourceId;

    #[test]
    fn a_name_ends_before_a_dot_that_leads_nowhere() {
        let name = |text| Cursor::new(text, SourceId(0)).dotted_name();
        assert_eq!(name("proc.name."), "proc.name");
        assert_eq!(name("proc.name.1"), "proc.name");
        assert_eq!(name("proc.aname[2]"), "proc.aname");
        assert_eq!(name("proc"), "proc");
        assert_eq!(name(".a"), "");
        assert_eq!(name("_a.b"), "");
        assert_eq!(name("1a.b"), "");
        assert_eq!(name("k8s.ns.name:"), "k8s.ns.name");
        assert_eq!(name("ä"), "");
        assert_eq!(name(""), "");
    }

    #[test]
    fn numbers_are_told_from_words() {
        for yes in ["0", "-1", "+1", "1.5", "1.", "1e+3", "1.5E-3", "0x1F", "0Xab", "18446744073709551616"] {
            assert!(is_number(yes.as_bytes()), "{yes}");
        }
        for no in ["", "-", "x", "0x", "0xg", "1-1", "1e", "e1", ".5", "inf", "nan", "1 ", "--1", "1_0"] {
            assert!(!is_number(no.as_bytes()), "{no}");
        }
    }
}

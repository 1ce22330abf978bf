//! Makes values harmless to look at: what would move a cursor, turn the direction of text or hide in it is written out.

use std::fmt::Write as _;

/// Characters of a value that are shown; the rest is counted.
const MAX_SHOWN: usize = 400;

/// The value as people may see it, on one line.
#[must_use]
pub fn visible(value: &str) -> String {
    let mut shown = String::with_capacity(value.len());
    let mut characters = value.chars();
    for character in characters.by_ref().take(MAX_SHOWN) {
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            // Writing to a String cannot fail.
            hidden if is_hidden(hidden) => drop(write!(shown, "\\u{{{:x}}}", u32::from(hidden))),
            plain => shown.push(plain),
        }
    }
    match characters.count() {
        0 => {}
        rest => drop(write!(shown, "... ({rest} more characters)")),
    }
    shown
}

/// Whether a character controls how others are shown, or is not seen itself.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(u32::from(character),
            0xad | 0x34f | 0x61c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f
            | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f
            | 0xfeff | 0xffa0 | 0xfff0..=0xfffb | 0xe0000..=0xe0fff | 0xe000..=0xf8ff)
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_moves_or_hides_is_written_out() {
        assert_eq!(visible("a\u{1b}[2J\nb\u{202e}c\u{200b}é"), "a\\u{1b}[2J\\nb\\u{202e}c\\u{200b}é");
        assert_eq!(visible("\u{9b}\u{7f}\u{feff}"), "\\u{9b}\\u{7f}\\u{feff}");
    }

    #[test]
    fn a_long_value_is_cut_and_says_so() {
        let shown = visible(&"x".repeat(1000));
        assert!(shown.ends_with("... (600 more characters)") && shown.len() < 450, "{shown}");
    }
}

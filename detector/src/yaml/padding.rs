//! Lines inside of brackets that stand too far left.
//!
//! YAML wants all lines of `items: [` to stand deeper than `items`, the closing bracket too. Many rule files put it
//! right below, and the loader that they were written for does not mind. So such lines are moved to the right before
//! they are parsed, and places are moved back.

/// Blanks put before a line: more than any nesting needs.
const WIDTH: usize = 64;

/// A text with some lines moved to the right.
#[derive(Default)]
pub(super) struct Padding {
    /// Numbers of the moved lines (from 0), sorted.
    lines: Vec<usize>,
    /// Where blanks were put, as bytes of the moved text, sorted.
    inserted_at: Vec<usize>,
}

impl Padding {
    /// Moves the line with this number, and those behind it up to one that closes a bracket. False if the line has
    /// been moved already: that was not what was wrong with it.
    pub(super) fn add(&mut self, text: &str, line: usize) -> bool {
        let Err(at) = self.lines.binary_search(&line) else { return false };
        let end = text.split('\n').skip(line).position(|line| line.contains([']', '}'])).unwrap_or(0);
        let next = self.lines.get(at).copied().unwrap_or(usize::MAX);
        let added: Vec<usize> = (line..=line + end).take_while(|&line| line < next).collect();
        self.lines.splice(at..at, added);
        true
    }

    /// The moved text.
    pub(super) fn apply(&mut self, text: &str) -> String {
        let mut moved = String::with_capacity(text.len() + self.lines.len() * WIDTH);
        self.inserted_at.clear();
        let mut lines = self.lines.iter().peekable();
        for (number, line) in text.split_inclusive('\n').enumerate() {
            if lines.next_if(|&&moved| moved == number).is_some() {
                self.inserted_at.push(moved.len());
                moved.extend(std::iter::repeat_n(' ', WIDTH));
            }
            moved.push_str(line);
        }
        moved
    }

    /// The byte of the text that stands at this byte of the moved text.
    pub(super) fn original(&self, moved: usize) -> usize {
        let before = self.inserted_at.partition_point(|&at| at <= moved);
        let Some(last) = before.checked_sub(1).and_then(|last| self.inserted_at.get(last)) else {
            return moved;
        };
        let inside = moved.min(last + WIDTH) - last;
        moved - inside - (before - 1) * WIDTH
    }
}

#[cfg(test)]
mod tests {
    use super::Padding;

    #[test]
    fn places_in_the_moved_text_lead_back() {
        let text = "a: [\nb,\nc]\nd: e\nf";
        let mut padding = Padding::default();
        assert!(padding.add(text, 1));
        assert!(!padding.add(text, 2));
        assert!(padding.add(text, 4));
        let moved = padding.apply(text);
        for (at, character) in text.char_indices().filter(|(_, character)| character.is_alphabetic()) {
            let found = moved.find(character).expect("every letter is there once");
            assert_eq!(padding.original(found), at, "{character}");
        }
        // Inside of the blanks it is the start of the line.
        assert_eq!(padding.original(10), 5);
    }
}

//! JSON for programs; what would talk to a terminal or turn text around is written as escapes of JSON.

use std::fmt::Write as _;

use super::document::Document;
use crate::incident::inert::is_hidden;

pub(super) fn render(document: &Document) -> String {
    // The document holds texts, numbers and lists only: writing it to memory cannot fail.
    let plain = serde_json::to_string_pretty(document).unwrap_or_default();
    let mut safe = String::with_capacity(plain.len());
    for character in plain.chars() {
        // Outside of texts the only hidden character is the newline.
        if character != '\n' && is_hidden(character) {
            let mut units = [0_u16; 2];
            for unit in character.encode_utf16(&mut units) {
                // Writing to a String cannot fail.
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(character);
        }
    }
    safe.push('\n');
    safe
}

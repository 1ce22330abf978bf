//! The text of an alert: `<time>: <Priority> <message>`.
//!
//! Values come from attackers. Control characters are written as escapes, so that nobody can forge a line or talk
//! to a terminal; everything else stands as it is.

use std::fmt::Write as _;

use super::TimeFormat;
use crate::{
    alert::{Alert, Piece},
    event::{Value, lossy},
};

/// What stands for a field without a value.
const NO_VALUE: &str = "<NA>";

/// The line, without its newline.
#[must_use]
pub fn text(alert: &Alert, format: TimeFormat) -> String {
    format!("{}: {} {}", format.text(alert.time_ns), alert.rule.priority.name(), message(alert))
}

/// The rule's output with its fields filled in.
#[must_use]
pub fn message(alert: &Alert) -> String {
    let mut message = String::with_capacity(512);
    for piece in &alert.rule.output {
        match piece {
            // A rule's author is no attacker, but a line break in a rule would still make two lines of one.
            Piece::Literal(literal) => push_escaped(&mut message, literal),
            Piece::Value { index, width } => {
                push_sized(&mut message, alert.values.get(*index).and_then(Option::as_ref), *width);
            }
            Piece::Computed { index, width } => {
                push_sized(&mut message, alert.computed.get(*index).and_then(Option::as_ref), *width);
            }
        }
    }
    message
}

/// With a width the text is cut, or filled with blanks, to this many characters.
fn push_sized(message: &mut String, value: Option<&Value<'_>>, width: Option<usize>) {
    let Some(width) = width else {
        return push_value(message, value);
    };
    let mut text = String::new();
    push_value(&mut text, value);
    let mut characters = text.chars();
    message.extend((0..width).map(|_| characters.next().unwrap_or(' ')));
}

fn push_value(message: &mut String, value: Option<&Value<'_>>) {
    match value {
        None => message.push_str(NO_VALUE),
        Some(Value::Text(bytes)) => push_escaped(message, &lossy(bytes)),
        Some(Value::Time { text, .. }) => message.push_str(text),
        // Writing to a String cannot fail.
        Some(Value::Signed(number)) => drop(write!(message, "{number}")),
        Some(Value::Unsigned(number)) => drop(write!(message, "{number}")),
        Some(value @ (Value::Hex(_) | Value::Double(_))) => message.push_str(&lossy(&value.to_text())),
        Some(Value::Bool(truth)) => drop(write!(message, "{truth}")),
    }
}

fn push_escaped(message: &mut String, text: &str) {
    // What is no ASCII starts with a byte above, where control characters can be, too.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return message.push_str(text);
    }
    for character in text.chars() {
        match character {
            '\n' => message.push_str("\\n"),
            '\r' => message.push_str("\\r"),
            '\t' => message.push_str("\\t"),
            control if control.is_control() => drop(write!(message, "\\u{:04x}", u32::from(control))),
            other => message.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{push_escaped, push_sized};
    use crate::event::Value;

    #[test]
    fn a_width_fills_or_cuts() {
        let sized = |width| {
            let mut text = String::new();
            push_sized(&mut text, Some(&Value::text("äbc")), Some(width));
            text
        };
        assert_eq!((sized(5).as_str(), sized(3).as_str(), sized(2).as_str()), ("äbc  ", "äbc", "äb"));
    }

    #[test]
    fn control_characters_cannot_forge_lines() {
        let mut text = String::new();
        push_escaped(&mut text, "a\nb\r\t\u{1b}[2J\u{7f}\u{9b} \"q\" \\ é");
        assert_eq!(text, "a\\nb\\r\\t\\u001b[2J\\u007f\\u009b \"q\" \\ é");
    }
}

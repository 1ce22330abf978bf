//! Findings as compilers show them: what, where, the line with a marker, what to do.

use std::fmt::Write as _;

use super::Diagnostic;

/// Columns of the source line that are shown; a longer line is cut around the marker.
const SHOWN_COLUMNS: usize = 120;

/// All findings, in the order given, and a last line that counts them. Empty when there are none.
#[must_use]
pub fn render_text<'d>(diagnostics: impl IntoIterator<Item = &'d Diagnostic>) -> String {
    let (mut text, mut errors, mut warnings) = (String::new(), 0, 0);
    for diagnostic in diagnostics {
        *(if diagnostic.code.is_error() { &mut errors } else { &mut warnings }) += 1;
        text.push_str(&render_one(diagnostic));
        text.push('\n');
    }
    let count = |number: usize, what| match number {
        0 => None,
        1 => Some(format!("1 {what}")),
        _ => Some(format!("{number} {what}s")),
    };
    let counts: Vec<String> =
        [count(errors, "error"), count(warnings, "warning")].into_iter().flatten().collect();
    if !counts.is_empty() {
        text.push_str(&counts.join(", "));
        text.push('\n');
    }
    text
}

fn render_one(diagnostic: &Diagnostic) -> String {
    let Diagnostic { code, message, place, label, help, within } = diagnostic;
    let severity = if code.is_error() { "error" } else { "warning" };
    let mut text = format!("{severity}[{}]: {}\n", code.name(), visible(message));
    let number = (place.line() + 1).to_string();
    let gutter = " ".repeat(number.len());
    let excerpt = Excerpt::of(diagnostic);
    // A file that could not be read has no line to show; writing to a String cannot fail.
    if place.file.text().is_empty() {
        let _ = writeln!(text, "{gutter}--> {}", visible(place.file.name()));
    } else {
        let _ = writeln!(text, "{gutter}--> {}", visible(&place.to_string()));
        let _ = writeln!(text, "{gutter} |");
        let _ = writeln!(text, "{number} | {}", excerpt.line);
        let label = label.as_ref().map(|label| format!(" {}", visible(label))).unwrap_or_default();
        let marker = "^".repeat(excerpt.width);
        let _ = writeln!(text, "{gutter} | {}{marker}{label}", " ".repeat(excerpt.column));
    }
    let named: Vec<String> = within
        .iter()
        .filter(|part| !part.name.is_empty())
        .map(|part| format!("{} `{}`", part.kind, visible(&part.name)))
        .collect();
    if !named.is_empty() {
        let _ = writeln!(text, "{gutter} = in {}", named.join(", "));
    }
    if let Some(help) = help {
        let _ = writeln!(text, "{gutter} = help: {}", visible(help));
    }
    text
}

/// The part of a line that is shown, and where the marker goes in it.
pub(super) struct Excerpt {
    pub(super) line: String,
    pub(super) column: usize,
    pub(super) width: usize,
}

impl Excerpt {
    pub(super) fn of(diagnostic: &Diagnostic) -> Self {
        let place = &diagnostic.place;
        let line: Vec<char> = visible(place.file.line(place.line())).chars().collect();
        let column = place.column().min(line.len());
        let width = place.width().min((line.len() - column).max(1));
        if line.len() <= SHOWN_COLUMNS {
            return Self { line: line.iter().collect(), column, width };
        }
        let from = column.saturating_sub(SHOWN_COLUMNS / 2).min(line.len() - SHOWN_COLUMNS);
        let to = from + SHOWN_COLUMNS;
        let (before, behind) = (if from > 0 { "..." } else { "" }, if to < line.len() { "..." } else { "" });
        let shown: String = line[from..to].iter().collect();
        let column_shown = column - from;
        Self {
            line: format!("{before}{shown}{behind}"),
            column: before.len() + column_shown,
            width: width.min(SHOWN_COLUMNS - column_shown).max(1),
        }
    }
}

/// Without characters that a terminal obeys. One character stays one, so that markers stay in place.
pub(super) fn visible(text: &str) -> String {
    let hidden = |character: char| {
        character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars()
        .map(|character| match character {
            '\t' => ' ',
            _ if hidden(character) => '\u{fffd}',
            _ => character,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::render_text;
    use crate::rules::{
        files::{Place, SourceFile},
        report::{Code, Diagnostic, Within},
    };

    #[test]
    fn an_error_looks_like_one_of_a_compiler() {
        let file = SourceFile::new("rules.yaml", "\n- rule: R\n  condition: proc.nme = x\n".to_owned());
        let place = Place::new(&file, 24, 32);
        let rule = Within { kind: "rule", name: "R".to_owned(), place: Place::new(&file, 3, 3) };
        let error = Diagnostic::new(Code::CompileCondition, place, "unknown field `proc.nme`")
            .label("not a field")
            .help("did you mean `proc.name`?")
            .within(&[rule]);
        let expected = "\
error[LOAD_ERR_COMPILE_CONDITION]: unknown field `proc.nme`
 --> rules.yaml:3:14
  |
3 |   condition: proc.nme = x
  |              ^^^^^^^^ not a field
  = in rule `R`
  = help: did you mean `proc.name`?

1 error
";
        assert_eq!(render_text([&error]), expected);
    }

    #[test]
    fn a_long_line_is_cut_around_the_marker() {
        let line = format!("{}here{}", "a".repeat(500), "b".repeat(500));
        let file = SourceFile::new("r.yaml", line);
        let text = render_text([&Diagnostic::new(Code::UnknownKey, Place::new(&file, 500, 504), "m")]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[3].len(), "1 | ".len() + 120 + 6);
        let column = lines[4].find("^^^^").expect("a marker");
        assert_eq!(&lines[3][column..column + 4], "here");
    }

    #[test]
    fn a_file_cannot_send_commands_to_the_terminal() {
        let file = SourceFile::new("r\u{1b}[2J.yaml", "- \u{1b}[31m\u{202e}x\t^\n".to_owned());
        let place = Place::new(&file, 2, 4);
        let text = render_text([&Diagnostic::new(Code::UnknownItem, place, "a \u{7} b").help("h\u{9b}")]);
        let obeyed = |character: char| character != '\n' && character.is_control() || character == '\u{202e}';
        assert!(!text.contains(obeyed), "{text:?}");
        assert!(text.contains("[31m"), "{text:?}");
    }

    #[test]
    fn nothing_found_is_nothing_shown() {
        assert_eq!(render_text([]), "");
    }
}

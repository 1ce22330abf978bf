//! A rule's output template: literal text and `%field` tokens, resolved once when the rule is loaded.

use super::fields::{self, Field};
use crate::alert::Piece;

/// Why an output cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutputError {
    /// `%` without a field behind it.
    #[error("`%` at byte {at} of the output is not followed by a field that is known: `{near}`")]
    NoField {
        /// Byte in the output.
        at: usize,
        /// What follows.
        near: String,
    },
}

/// An output whose fields are resolved.
pub(super) struct Output {
    /// Text and references into `fields`.
    pub(super) pieces: Vec<Piece>,
    /// Fields as written and resolved, sorted bytewise by their writing.
    pub(super) fields: Vec<(String, Field)>,
}

impl Output {
    /// Parses a template and adds fields that shall appear in the alert without standing in the text.
    pub(super) fn parse(template: &str, extra: &[&str]) -> Result<Self, OutputError> {
        let mut tokens: Vec<Token> = Vec::new();
        let mut rest = template;
        while let Some(percent) = rest.find('%') {
            let at = template.len() - rest.len() + percent;
            let after = &rest[percent + 1..];
            let (written, field) = longest_field(after)
                .ok_or_else(|| OutputError::NoField { at, near: after.chars().take(24).collect() })?;
            tokens.push(Token::Literal(rest[..percent].to_owned()));
            rest = &after[written.len()..];
            tokens.push(Token::Field(written.to_owned(), field));
        }
        tokens.push(Token::Literal(rest.to_owned()));

        let mut fields: Vec<(String, Field)> = Vec::new();
        let written = tokens.iter().filter_map(|token| match token {
            Token::Field(name, field) => Some((name.clone(), field.clone())),
            Token::Literal(_) => None,
        });
        let extra = extra.iter().filter_map(|name| Some(((*name).to_owned(), fields::lookup(name).field()?)));
        fields.extend(written.chain(extra));
        fields.sort_by(|one, other| one.0.cmp(&other.0));
        fields.dedup_by(|one, other| one.0 == other.0);

        let pieces = tokens.into_iter().filter_map(|token| match token {
            Token::Literal(text) => (!text.is_empty()).then_some(Piece::Literal(text)),
            Token::Field(name, _) => {
                fields.binary_search_by(|(field, _)| field.as_str().cmp(&name)).ok().map(Piece::Field)
            }
        });
        Ok(Self { pieces: pieces.collect(), fields })
    }
}

enum Token {
    Literal(String),
    Field(String, Field),
}

/// The longest start of `text` that is a field.
fn longest_field(text: &str) -> Option<(&str, Field)> {
    let end = text
        .find(|character: char| !(character.is_ascii_alphanumeric() || matches!(character, '.' | '_')))
        .unwrap_or(text.len());
    let with_argument =
        text[end..].starts_with('[').then(|| text[end..].find(']').map(|close| end + close + 1)).flatten();
    with_argument
        .into_iter()
        .chain((1..=end).rev())
        .find_map(|length| Some((text.get(..length)?, fields::lookup(text.get(..length)?).field()?)))
}

#[cfg(test)]
mod tests {
    use super::{Output, OutputError};
    use crate::alert::Piece;

    #[test]
    fn fields_are_sorted_and_the_text_keeps_its_order() {
        let output = Output::parse("a=%proc.name b=%proc.aname[2]: %proc.name.", &["evt.time"]).unwrap();
        let names: Vec<&str> = output.fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["evt.time", "proc.aname[2]", "proc.name"]);
        assert_eq!(
            output.pieces,
            [
                Piece::Literal("a=".to_owned()),
                Piece::Field(2),
                Piece::Literal(" b=".to_owned()),
                Piece::Field(1),
                Piece::Literal(": ".to_owned()),
                Piece::Field(2),
                Piece::Literal(".".to_owned()),
            ]
        );
    }

    #[test]
    fn an_unknown_field_is_an_error() {
        let error = Output::parse("x %nothing.known", &[]).err();
        assert_eq!(error, Some(OutputError::NoField { at: 2, near: "nothing.known".to_owned() }));
        assert!(Output::parse("100%", &[]).is_err());
    }
}

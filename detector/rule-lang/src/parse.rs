//! A condition's text to its tree: by hand, without recursion over parentheses, and with all mistakes in one go.
//!
//! After a mistake inside a check the parser skips to the next `and`, `or` or closing parenthesis and goes on, so each
//! broken check is reported once. The tree is only handed out when nothing was wrong.

mod check;

use crate::diagnostic::{Diagnostic, Kind, SourceId, Span};
use crate::limits;
use crate::operator::Transformer;
use crate::syntax::{Expr, ExprKind, Operand};
use crate::token::{Cursor, is_blank};

/// What became of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The tree; there exactly when `errors` is empty.
    pub expr: Option<Expr>,
    /// All mistakes, in the order of the text.
    pub errors: Vec<Diagnostic>,
}

/// Parses a condition.
#[must_use]
pub fn parse(text: &str) -> Parsed {
    parse_source(text, SourceId::default())
}

/// Parses a condition whose spans name `source`.
#[must_use]
pub fn parse_source(text: &str, source: SourceId) -> Parsed {
    let mut parser = Parser::new(Cursor::new(text, source));
    let expr = parser.condition();
    let expr = if parser.errors.is_empty() { expr } else { None };
    Parsed { expr, errors: parser.errors }
}

/// Parses one item of a list of a rule file as it would read inside a condition: `/tmp`, `"a b"`, a list's name, or
/// several of them with commas. An item with a blank and no quote in front counts as quoted, as in Falco.
pub fn parse_list_item(text: &str, source: SourceId) -> Result<Vec<Operand>, Vec<Diagnostic>> {
    let mut parser = Parser::new(Cursor::new(text, source));
    parser.list_item().map_err(|error| vec![error])
}

/// Parses the field or transformer that stands at the cursor, the longest there is, and moves behind it. `None` if none
/// starts here.
pub(crate) fn parse_operand(cursor: &mut Cursor<'_>) -> Result<Option<Operand>, Diagnostic> {
    let name = cursor.dotted_name();
    let function =
        cursor.rest().as_bytes().get(name.len()) == Some(&b'(') && Transformer::from_word(name).is_some();
    if name.is_empty() || !(function || name.contains('.')) {
        // Over the word, so that the caller's marker covers it.
        cursor.at += name.len();
        return Ok(None);
    }
    let mut parser = Parser::new(cursor.clone());
    let operand =
        if function { parser.field_or_transform(0) } else { Ok(Operand::Field(parser.field_prefix())) };
    cursor.at = parser.cursor.at;
    operand.map(Some)
}

struct Parser<'t> {
    cursor: Cursor<'t>,
    errors: Vec<Diagnostic>,
    /// A quote without end was met while skipping: later ones are not looked for again, so that skipping stays linear.
    unclosed_quote: bool,
}

/// What is open: the whole text, or a parenthesis.
#[derive(Default)]
struct Group {
    /// Of the parenthesis.
    start: usize,
    /// Finished operands of `or`.
    ors: Vec<Expr>,
    /// Finished operands of the `and` that is being read.
    ands: Vec<Expr>,
    /// `not`s that wait for their operand.
    nots: Vec<usize>,
}

impl Group {
    fn end_and(&mut self) {
        let ands = std::mem::take(&mut self.ands);
        self.ors.extend(combine(ands, ExprKind::And));
    }

    fn finish(mut self) -> Option<Expr> {
        self.end_and();
        combine(self.ors, ExprKind::Or)
    }
}

fn combine(mut items: Vec<Expr>, kind: impl FnOnce(Vec<Expr>) -> ExprKind) -> Option<Expr> {
    if items.len() < 2 {
        return items.pop();
    }
    let span = items[0].span.to(items[items.len() - 1].span);
    Some(Expr { kind: kind(items), span })
}

impl<'t> Parser<'t> {
    const fn new(cursor: Cursor<'t>) -> Self {
        Self { cursor, errors: Vec::new(), unclosed_quote: false }
    }

    /// Reads to the end of the text. The result means something only without errors.
    fn condition(&mut self) -> Option<Expr> {
        self.cursor.skip_blanks();
        if self.cursor.peek().is_none() {
            let span = self.cursor.span_from(self.cursor.at);
            self.errors.push(Diagnostic::new(Kind::Syntax, span, "the condition is empty", "nothing here"));
            return None;
        }
        let mut outer: Vec<Group> = Vec::new();
        let mut group = Group::default();
        // Parentheses and `not`s that are open, in all groups.
        let mut depth = 0;
        loop {
            // An operand.
            self.cursor.skip_blanks();
            let start = self.cursor.at;
            if self.cursor.peek() == Some(b'(') || self.cursor.at_keyword("not") {
                depth += 1;
                if depth > limits::NESTING {
                    self.errors.push(too_deep(self.cursor.here()));
                    return None;
                }
                if self.cursor.eat("(") {
                    outer.push(std::mem::replace(&mut group, Group { start, ..Group::default() }));
                } else {
                    self.cursor.at += "not".len();
                    group.nots.push(start);
                }
                continue;
            }
            if let Some(word) = ["and", "or"].into_iter().find(|word| self.cursor.at_keyword(word)) {
                self.errors.push(expected_condition(&self.cursor));
                self.cursor.at += word.len();
                continue;
            }
            if matches!(self.cursor.peek(), None | Some(b')')) {
                self.errors.push(expected_condition(&self.cursor));
            } else {
                match self.check() {
                    Ok(expr) => {
                        depth -= group.nots.len();
                        add(&mut group, expr);
                    }
                    Err(error) => {
                        self.errors.push(error);
                        self.cursor.at = start;
                        self.skip_to_connective();
                    }
                }
            }
            // What follows an operand, until another one is due.
            loop {
                self.cursor.skip_blanks();
                if self.cursor.at_keyword("and") {
                    self.cursor.at += "and".len();
                    break;
                }
                if self.cursor.at_keyword("or") {
                    self.cursor.at += "or".len();
                    group.end_and();
                    break;
                }
                let start = self.cursor.at;
                if self.cursor.eat(")") {
                    let Some(parent) = outer.pop() else {
                        self.errors.push(Diagnostic::new(
                            Kind::Syntax,
                            self.cursor.span_from(start),
                            "a closing parenthesis too many",
                            "closes nothing",
                        ));
                        continue;
                    };
                    let closed = std::mem::replace(&mut group, parent);
                    let span = self.cursor.span_from(closed.start);
                    // A `not` without operand was reported, and its depth no longer matters.
                    depth = depth.saturating_sub(1 + closed.nots.len());
                    if let Some(inner) = closed.finish() {
                        depth = depth.saturating_sub(group.nots.len());
                        add(&mut group, Expr { span, ..inner });
                    }
                } else if self.cursor.peek().is_none() {
                    while let Some(parent) = outer.pop() {
                        self.errors.push(Diagnostic::new(
                            Kind::Syntax,
                            Span { end: group.start + 1, ..self.cursor.span_from(group.start) },
                            "a parenthesis is not closed",
                            "no `)` for this",
                        ));
                        group = parent;
                    }
                    self.errors.sort_by_key(|error| error.span.start);
                    return group.finish();
                } else {
                    let error = check::expected_connective(&self.cursor);
                    self.errors.push(error);
                    self.skip_to_connective();
                }
            }
        }
    }

    /// Moves to the next `and`, `or` or `)` that is not inside quotes or parentheses opened after here, or to the end.
    fn skip_to_connective(&mut self) {
        let mut open = 0_usize;
        let mut after_boundary = false;
        while let Some(byte) = self.cursor.peek() {
            if open == 0 {
                let connective = self.cursor.at_keyword("and") || self.cursor.at_keyword("or");
                if byte == b')' || (after_boundary && connective) {
                    return;
                }
            }
            match byte {
                b'"' | b'\'' if !self.unclosed_quote => {
                    // The mistake in the string, if any, was the one reported.
                    let start = self.cursor.at;
                    if self.cursor.quoted_string().is_err() {
                        self.cursor.at = self.past_quote(start);
                    }
                    after_boundary = false;
                    continue;
                }
                b'(' => open += 1,
                b')' => open -= 1,
                _ => {}
            }
            after_boundary = is_blank(byte) || byte == b')';
            self.cursor.at += 1;
            while !self.cursor.text().is_char_boundary(self.cursor.at) {
                self.cursor.at += 1;
            }
        }
    }

    /// The end of a string with a bad escape, or the next byte if it does not end at all.
    fn past_quote(&mut self, start: usize) -> usize {
        let bytes = self.cursor.text().as_bytes();
        let mut at = start + 1;
        while at < bytes.len() {
            if bytes[at] == b'\\' {
                at += 2;
            } else if bytes[at] == bytes[start] {
                return at + 1;
            } else {
                at += 1;
            }
        }
        self.unclosed_quote = true;
        start + 1
    }
}

/// Adds a finished operand with the `not`s in front of it.
fn add(group: &mut Group, expr: Expr) {
    let mut expr = expr;
    while let Some(start) = group.nots.pop() {
        let span = Span { start, ..expr.span };
        expr = Expr { kind: ExprKind::Not(Box::new(expr)), span };
    }
    group.ands.push(expr);
}

fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::new(
        Kind::TooLarge,
        span,
        format!("nested deeper than {} levels", limits::NESTING),
        "one level too many",
    )
}

fn expected_condition(cursor: &Cursor<'_>) -> Diagnostic {
    Diagnostic::new(
        Kind::Syntax,
        cursor.here(),
        format!("expected a condition, found {}", cursor.found()),
        "a condition is missing before this",
    )
}

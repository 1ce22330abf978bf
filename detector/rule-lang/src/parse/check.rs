//! One check: a macro's name, `field exists`, or `left operator right`.

use super::Parser;
use crate::diagnostic::{Diagnostic, Kind, Span};
use crate::limits;
use crate::operator::{Modifier, Operator, RightSide, Transformer};
use crate::suggest::did_you_mean;
use crate::syntax::{Check, Expr, ExprKind, FieldRef, List, Literal, Operand, Transform};
use crate::token::{Cursor, is_number};

/// Symbols, the longer first.
const SYMBOLS: [(&str, Operator); 7] = [
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("=", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

impl Parser<'_> {
    /// A check. On an error the place of the cursor means nothing.
    pub(super) fn check(&mut self) -> Result<Expr, Diagnostic> {
        let start = self.cursor.at;
        let name = self.cursor.dotted_name();
        if name.is_empty() {
            return Err(no_check(&self.cursor));
        }
        let after_name = self.cursor.text().as_bytes().get(start + name.len()).copied();
        if !name.contains('.') && after_name != Some(b'(') {
            return self.macro_name(name);
        }
        let left = self.field_or_transform(0)?;
        if !left.has_field() {
            return Err(Diagnostic::new(
                Kind::Syntax,
                left.span(),
                "the left side names no field",
                "the same for every event",
            ));
        }
        if let Operand::Transform(t) = &left
            && t.function == Transformer::Val
        {
            return Err(Diagnostic::new(
                Kind::Syntax,
                t.span,
                "`val()` belongs on the right side",
                "write the field alone",
            ));
        }
        self.cursor.skip_blanks();
        if self.cursor.word() == "exists" {
            self.cursor.at += "exists".len();
            let span = self.cursor.span_from(start);
            return Ok(Expr { kind: ExprKind::Exists(left), span });
        }
        let operator = self.operator(&left)?;
        self.cursor.skip_blanks();
        let modifier = self.modifier(operator);
        self.cursor.skip_blanks();
        let right = self.right_side(operator, modifier)?;
        let span = self.cursor.span_from(start);
        Ok(Expr { kind: ExprKind::Check(Box::new(Check { left, operator, modifier, right })), span })
    }

    fn macro_name(&mut self, name: &str) -> Result<Expr, Diagnostic> {
        let start = self.cursor.at;
        self.cursor.at += name.len();
        let span = self.cursor.span_from(start);
        let mut ahead = self.cursor.clone();
        ahead.skip_blanks();
        if SYMBOLS.iter().any(|(symbol, _)| ahead.rest().starts_with(symbol))
            || Operator::from_word(ahead.word()).is_some()
            || ahead.word() == "exists"
        {
            return Err(Diagnostic::new(
                Kind::Syntax,
                span,
                format!("`{name}` is not a field"),
                "has no dot, so it can only be a macro",
            )
            .hint("fields are written with their class, as in `proc.name`"));
        }
        Ok(Expr { kind: ExprKind::Macro(name.to_owned()), span })
    }

    fn operator(&mut self, left: &Operand) -> Result<Operator, Diagnostic> {
        for (symbol, operator) in SYMBOLS {
            if self.cursor.eat(symbol) {
                return Ok(operator);
            }
        }
        let word = self.cursor.word();
        if let Some(operator) = Operator::from_word(word) {
            self.cursor.at += word.len();
            return Ok(operator);
        }
        let message = format!("expected an operator after `{left}`, found {}", self.cursor.found());
        let error = Diagnostic::new(Kind::Syntax, self.cursor.here(), message, "not an operator");
        let names = Operator::ALL.into_iter().map(Operator::as_str).chain(["exists"]);
        let hint = match did_you_mean(&word.to_ascii_lowercase(), names) {
            Some(close) if !word.is_empty() => format!("did you mean `{close}`?"),
            _ if matches!(word, "" | "and" | "or") => {
                "a field alone is no condition: compare it, or write `exists`".to_owned()
            }
            _ => "the operators are = != < <= > >= contains icontains startswith endswith glob iglob regex \
                  bcontains bstartswith in intersects pmatch exists"
                .to_owned(),
        };
        Err(error.hint(hint))
    }

    /// A modifier is one only if a list or a list's name follows: `proc.name = anyof` compares with a text.
    fn modifier(&mut self, operator: Operator) -> Option<Modifier> {
        if operator.right_side() != RightSide::Text {
            return None;
        }
        let word = self.cursor.word();
        let modifier = Modifier::from_word(word)?;
        let mut ahead = self.cursor.clone();
        ahead.at += word.len();
        let touching = ahead.at;
        ahead.skip_blanks();
        let list = ahead.peek() == Some(b'(');
        let name = ahead.at > touching
            && !ahead.dotted_name().is_empty()
            && !ahead.at_keyword("and")
            && !ahead.at_keyword("or");
        (list || name).then(|| {
            self.cursor.at = ahead.at;
            modifier
        })
    }

    fn right_side(&mut self, operator: Operator, modifier: Option<Modifier>) -> Result<Operand, Diagnostic> {
        let what = modifier.map_or_else(|| operator.to_string(), |m| format!("{operator} {m}"));
        if modifier.is_some() || operator.right_side() == RightSide::List {
            if self.cursor.peek() == Some(b'(') {
                return self.list(0).map(Operand::List);
            }
            if self.at_function() {
                return self.field_or_transform(0);
            }
            let literal = self.literal(&format!("a list after `{what}`"))?;
            if !literal.bare {
                return Err(Diagnostic::new(
                    Kind::Syntax,
                    literal.span,
                    format!("`{what}` needs a list"),
                    "one value",
                )
                .hint(format!("put it in parentheses: `({literal})`")));
            }
            return Ok(Operand::Literal(literal));
        }
        if self.cursor.peek() == Some(b'(') {
            return Err(Diagnostic::new(
                Kind::Syntax,
                self.cursor.here(),
                format!("`{what}` takes one value, not a list"),
                "a list starts here",
            )
            .hint(match operator {
                Operator::Equal => "use `in`".to_owned(),
                Operator::NotEqual => "use `not ... in`".to_owned(),
                _ if operator.right_side() == RightSide::Number => "compare with one number".to_owned(),
                _ => format!("use `{operator} anyof (...)`"),
            }));
        }
        if self.at_function() {
            return self.field_or_transform(0);
        }
        let literal = self.literal(&format!("a value after `{what}`"))?;
        if operator.right_side() == RightSide::Number {
            // A word may be the name of a list of one number: known only later.
            let name = literal.bare && literal.bytes.first().is_some_and(u8::is_ascii_alphabetic);
            let number = literal.bare && is_number(&literal.bytes);
            if !name && !number {
                return Err(Diagnostic::new(
                    Kind::Syntax,
                    literal.span,
                    format!("`{what}` needs a number"),
                    "not a number",
                )
                .hint("numbers are decimal, or hexadecimal after `0x`, without quotes"));
            }
        }
        Ok(Operand::Literal(literal))
    }

    /// Whether a word with a parenthesis right behind it stands here.
    fn at_function(&self) -> bool {
        let name = self.cursor.dotted_name();
        !name.is_empty() && self.cursor.rest().as_bytes().get(name.len()) == Some(&b'(')
    }

    /// A field with its argument, or a transformer with its arguments. Must stand at a dotted name.
    pub(crate) fn field_or_transform(&mut self, depth: usize) -> Result<Operand, Diagnostic> {
        let start = self.cursor.at;
        let name = self.cursor.dotted_name();
        self.cursor.at += name.len();
        if self.cursor.peek() != Some(b'(') {
            let argument = if self.cursor.peek() == Some(b'[') { Some(self.bracketed()?) } else { None };
            let span = self.cursor.span_from(start);
            return Ok(Operand::Field(FieldRef { name: name.to_owned(), argument, span }));
        }
        let Some(function) = Transformer::from_word(name) else {
            let known = Transformer::ALL.into_iter().map(Transformer::as_str);
            let close = did_you_mean(name, known).map(|close| format!("did you mean `{close}()`?"));
            let span = self.cursor.span_from(start);
            return Err(Diagnostic::new(
                Kind::Syntax,
                span,
                format!("unknown transformer `{name}()`"),
                "not a transformer",
            )
            .hint(
                "the transformers are tolower, toupper, b64, basename, len, val, concat, join, getopt; a value \
                 with parentheses needs quotes",
            )
            .maybe_hint(close));
        };
        let arguments = self.items(depth, true)?;
        let index = if function == Transformer::Getopt && self.cursor.peek() == Some(b'[') {
            Some(self.bracketed()?)
        } else {
            None
        };
        let span = self.cursor.span_from(start);
        let (fewest, most) = function.arity();
        if arguments.len() < fewest || arguments.len() > most {
            let count = if fewest == most { fewest.to_string() } else { format!("at least {fewest}") };
            return Err(Diagnostic::new(
                Kind::Syntax,
                span,
                format!("`{function}()` takes {count} argument{}", if fewest == 1 { "" } else { "s" }),
                format!("{} given", arguments.len()),
            ));
        }
        if function == Transformer::Val && !matches!(arguments[0], Operand::Field(_)) {
            return Err(Diagnostic::new(
                Kind::Syntax,
                arguments[0].span(),
                "`val()` takes a field",
                "not a field",
            ));
        }
        Ok(Operand::Transform(Transform { function, arguments, index, span }))
    }

    /// The longest field that starts here: brackets that are no argument belong to what follows. For templates.
    pub(super) fn field_prefix(&mut self) -> FieldRef {
        let start = self.cursor.at;
        let name = self.cursor.dotted_name();
        self.cursor.at += name.len();
        let end = self.cursor.at;
        let argument = if self.cursor.peek() == Some(b'[') { self.bracketed().ok() } else { None };
        if argument.is_none() {
            self.cursor.at = end;
        }
        FieldRef { name: name.to_owned(), argument, span: self.cursor.span_from(start) }
    }

    /// `[argument]`, bare or quoted. Must stand at the bracket.
    fn bracketed(&mut self) -> Result<String, Diagnostic> {
        let start = self.cursor.at;
        self.cursor.at += 1;
        let text = if matches!(self.cursor.peek(), Some(b'"' | b'\'')) {
            let at = self.cursor.at;
            let bytes = self.cursor.quoted_string()?;
            String::from_utf8(bytes).map_err(|_| {
                Diagnostic::new(
                    Kind::Syntax,
                    self.cursor.span_from(at),
                    "an argument in brackets must be UTF-8",
                    "is not",
                )
            })?
        } else {
            self.cursor.bare_argument().to_owned()
        };
        if text.is_empty() {
            return Err(Diagnostic::new(
                Kind::Syntax,
                Span { end: start + 1, ..self.cursor.span_from(start) },
                "nothing stands in the brackets",
                "an argument is missing",
            ));
        }
        if !self.cursor.eat("]") {
            return Err(Diagnostic::new(
                Kind::Syntax,
                self.cursor.here(),
                format!("expected `]`, found {}", self.cursor.found()),
                "the bracket is not closed",
            )
            .hint("an argument with blanks, brackets or quotes needs quotes"));
        }
        Ok(text)
    }

    fn list(&mut self, depth: usize) -> Result<List, Diagnostic> {
        let start = self.cursor.at;
        let items = self.items(depth, false)?;
        Ok(List { items, span: self.cursor.span_from(start) })
    }

    /// `(item, item)`: arguments of a transformer when `arguments`, else values. Must stand at the parenthesis.
    fn items(&mut self, depth: usize, arguments: bool) -> Result<Vec<Operand>, Diagnostic> {
        let open = self.cursor.here();
        if depth >= limits::OPERAND_NESTING {
            let message = format!("lists and transformers nested deeper than {}", limits::OPERAND_NESTING);
            return Err(Diagnostic::new(Kind::TooLarge, open, message, "one level too many"));
        }
        self.cursor.at += 1;
        let mut items = Vec::new();
        self.cursor.skip_blanks();
        if self.cursor.eat(")") {
            return Ok(items);
        }
        loop {
            self.cursor.skip_blanks();
            items.push(self.item(depth, arguments)?);
            self.cursor.skip_blanks();
            if self.cursor.eat(")") {
                return Ok(items);
            }
            if !self.cursor.eat(",") {
                let error = Diagnostic::new(
                    Kind::Syntax,
                    self.cursor.here(),
                    format!("expected `,` or `)`, found {}", self.cursor.found()),
                    "the list goes on without a comma",
                );
                return Err(if self.cursor.peek().is_none() {
                    Diagnostic { span: open, label: "never closed".to_owned(), ..error }
                } else {
                    error.hint("a value with blanks, quotes or `=` needs quotes around all of it")
                });
            }
        }
    }

    fn item(&mut self, depth: usize, argument: bool) -> Result<Operand, Diagnostic> {
        if self.cursor.peek() == Some(b'(') {
            let start = self.cursor.at;
            let items = self.items(depth + 1, argument)?;
            return Ok(Operand::List(List { items, span: self.cursor.span_from(start) }));
        }
        if argument {
            if self.at_function() {
                return self.field_or_transform(depth + 1);
            }
            // A whole bare word that looks like a field is one; `a.b/c` is a value.
            let name = self.cursor.dotted_name();
            let mut word = self.cursor.clone();
            let bare = word.bare_string();
            if name.contains('.') && (bare.len() == name.len() || bare.as_bytes()[name.len()] == b'[') {
                return self.field_or_transform(depth + 1);
            }
        }
        self.literal("a value").map(Operand::Literal)
    }

    fn literal(&mut self, what: &str) -> Result<Literal, Diagnostic> {
        let start = self.cursor.at;
        if matches!(self.cursor.peek(), Some(b'"' | b'\'')) {
            let bytes = self.cursor.quoted_string()?;
            return Ok(Literal { bytes, bare: false, span: self.cursor.span_from(start) });
        }
        let text = self.cursor.bare_string();
        if text.is_empty() {
            return Err(Diagnostic::new(
                Kind::Syntax,
                self.cursor.here(),
                format!("expected {what}, found {}", self.cursor.found()),
                "a value is missing before this",
            ));
        }
        Ok(Literal { bytes: text.as_bytes().to_vec(), bare: true, span: self.cursor.span_from(start) })
    }

    /// See [`super::parse_list_item`].
    pub(super) fn list_item(&mut self) -> Result<Vec<Operand>, Diagnostic> {
        let text = self.cursor.text();
        if text.contains(' ') && !text.starts_with(['"', '\'']) {
            self.cursor.at = text.len();
            let span = self.cursor.span_from(0);
            // Falco puts double quotes around the text as it is, so escapes and quotes in it count.
            let quoted = format!("\"{text}\"");
            let mut inner = Parser::new(Cursor::new(&quoted, span.source));
            return match inner.literal("a value") {
                Ok(literal) if inner.cursor.peek().is_none() => {
                    Ok(vec![Operand::Literal(Literal { span, ..literal })])
                }
                Ok(_) => Err(Diagnostic::new(
                    Kind::Syntax,
                    span,
                    "an item with blanks has a double quote inside",
                    "put quotes around all of it",
                )),
                Err(error) => Err(Diagnostic { span, ..error }),
            };
        }
        let mut items = Vec::new();
        loop {
            self.cursor.skip_blanks();
            items.push(self.item(0, false)?);
            self.cursor.skip_blanks();
            if self.cursor.peek().is_none() {
                return Ok(items);
            }
            if !self.cursor.eat(",") {
                return Err(Diagnostic::new(
                    Kind::Syntax,
                    self.cursor.here(),
                    format!("expected one value, found {} behind it", self.cursor.found()),
                    "not part of the value",
                )
                .hint("an item with parentheses, quotes or `=` needs double quotes inside the YAML quotes: '\"...\"'"));
            }
        }
    }
}

fn no_check(cursor: &Cursor<'_>) -> Diagnostic {
    let error = Diagnostic::new(
        Kind::Syntax,
        cursor.here(),
        format!("expected a field, a macro or `(`, found {}", cursor.found()),
        "no condition starts like this",
    );
    match cursor.peek() {
        Some(b'!') => error.hint("negation is written `not`"),
        Some(b'"' | b'\'') => error.hint("the field stands on the left: `proc.name = \"x\"`"),
        _ => error,
    }
}

/// Something stands where only `and`, `or` or `)` may.
pub(super) fn expected_connective(cursor: &Cursor<'_>) -> Diagnostic {
    let error = Diagnostic::new(
        Kind::Syntax,
        cursor.here(),
        format!("expected `and`, `or` or the end, found {}", cursor.found()),
        "not expected here",
    );
    let word = cursor.word();
    if let Some(lower) = ["and", "or"].into_iter().find(|lower| word.eq_ignore_ascii_case(lower)) {
        return error.hint(format!("keywords are lower case: `{lower}`"));
    }
    if cursor.rest().starts_with("&&") {
        return error.hint("written `and`");
    }
    if cursor.rest().starts_with("||") {
        return error.hint("written `or`");
    }
    if word == "not" {
        return error.hint("`and` or `or` must stand before `not`");
    }
    error.hint("a value with blanks, parentheses, quotes, commas or `=` needs quotes around all of it")
}

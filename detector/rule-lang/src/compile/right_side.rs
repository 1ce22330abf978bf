//! The right side of a check, read as the type of the left one.

use memchr::memmem::Finder;
use regex::bytes::Regex;

use super::{Compiler, Failure};
use crate::catalog::{FieldCatalog, Shape, Type};
use crate::constant::{Constant, NoConstant, Set};
use crate::diagnostic::{Diagnostic, Kind};
use crate::glob::Glob;
use crate::input::Input;
use crate::limits;
use crate::operator::Operator;
use crate::path_prefix::PathPrefixes;
use crate::syntax::{Check, Literal, Operand};
use crate::test::{Matcher, Test};

impl<C: FieldCatalog> Compiler<'_, C> {
    /// A right side that depends on the event.
    pub(super) fn against(
        &mut self,
        check: &Check,
        left: &Input<C::Field>,
        right: Input<C::Field>,
    ) -> Result<Test<C::Field>, Failure> {
        let operator = check.operator;
        let span = check.right.span();
        let error = if check.modifier.is_some() {
            Some(("a modifier needs a list of values", "not a list of values".to_owned()))
        } else if operator == Operator::Regex {
            Some((
                "`regex` needs a pattern that is known when the rule is loaded",
                "known only later".to_owned(),
            ))
        } else if left.ty() != right.ty() {
            Some((
                "the two sides are of different types",
                format!("{} against {}", left.ty().name(), right.ty().name()),
            ))
        } else if right.shape() == Shape::List && !matches!(operator, Operator::In | Operator::Intersects) {
            Some(("a list stands where one value is needed", "a list".to_owned()))
        } else {
            None
        };
        if let Some((message, label)) = error {
            return Err(self.error(Diagnostic::new(Kind::Type, span, message, label)));
        }
        // Texts have an order when both come from the event.
        if !matches!(left.ty(), Type::Text | Type::Bytes) || !is_order(operator) {
            self.operator_fits(check, left.ty())?;
        }
        Ok(Test::Against { operator, right })
    }

    /// Values of the rule.
    pub(super) fn constant_side(&mut self, check: &Check, ty: Type) -> Result<Test<C::Field>, Failure> {
        self.operator_fits(check, ty)?;
        let literals = match (&check.right, check.modifier) {
            (Operand::Literal(literal), None) if !is_list(check.operator) => {
                return self.matcher(check, ty, literal).map(Test::One);
            }
            (Operand::Literal(literal), _) => vec![literal],
            (operand, _) => self.literals(operand)?,
        };
        if check.modifier.is_none() && !is_list(check.operator) {
            return Err(self.error(Diagnostic::new(
                Kind::List,
                check.right.span(),
                format!("`{}` takes one value, not a list", check.operator),
                "a list",
            )));
        }
        let mut failed = None;
        let test = if let Some(modifier) = check.modifier {
            let mut matchers = Vec::with_capacity(literals.len());
            for literal in literals {
                match self.matcher(check, ty, literal) {
                    Ok(matcher) => matchers.push(matcher),
                    Err(failure) => failed = Some(failure),
                }
            }
            Test::Several { modifier, matchers }
        } else if check.operator == Operator::Pmatch {
            let mut paths = PathPrefixes::default();
            for literal in literals {
                match self.path(literal) {
                    Ok(()) => paths.add(&literal.bytes),
                    Err(failure) => failed = Some(failure),
                }
            }
            Test::Paths(Box::new(paths))
        } else {
            let mut set = Set::new(ty);
            for literal in literals {
                match self.constant(check, ty, literal) {
                    Ok(constant) => set.add(constant),
                    Err(failure) => failed = Some(failure),
                }
            }
            if check.operator == Operator::In { Test::In(set) } else { Test::Intersects(set) }
        };
        failed.map_or(Ok(test), Err)
    }

    /// The literals of a list, nested ones too.
    fn literals<'o>(&mut self, operand: &'o Operand) -> Result<Vec<&'o Literal>, Failure> {
        let mut all = Vec::new();
        // Depth is bounded by the parser; a stack of iterators keeps the order.
        let mut open = vec![std::slice::from_ref(operand).iter()];
        while let Some(items) = open.last_mut() {
            match items.next() {
                None => {
                    open.pop();
                }
                Some(Operand::Literal(literal)) => all.push(literal),
                Some(Operand::List(list)) => open.push(list.items.iter()),
                Some(other) => {
                    return Err(self.error(Diagnostic::new(
                        Kind::Type,
                        other.span(),
                        "a list on the right side has only values",
                        "depends on the event",
                    )));
                }
            }
        }
        Ok(all)
    }

    /// Whether values of this type know the operator.
    fn operator_fits(&mut self, check: &Check, ty: Type) -> Result<(), Failure> {
        let operator = check.operator;
        let text = ty == Type::Text;
        let hint = match operator {
            Operator::Equal | Operator::NotEqual | Operator::In | Operator::Intersects => return Ok(()),
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                if ty.is_number() {
                    return Ok(());
                }
                "only numbers have an order"
            }
            Operator::Bcontains | Operator::BstartsWith => {
                if ty == Type::Bytes {
                    return Ok(());
                }
                if text { "for texts there are `contains` and `startswith`" } else { "only for byte buffers" }
            }
            Operator::Contains | Operator::StartsWith | Operator::EndsWith => {
                if text || ty == Type::Bytes {
                    return Ok(());
                }
                "only for texts"
            }
            _ if text => return Ok(()),
            _ => "only for texts",
        };
        Err(self.error(
            Diagnostic::new(
                Kind::Type,
                check.left.span(),
                format!("`{}` is a {} and cannot be compared by `{operator}`", check.left, ty.name()),
                format!("a {}", ty.name()),
            )
            .hint(hint),
        ))
    }

    fn matcher(&mut self, check: &Check, ty: Type, literal: &Literal) -> Result<Matcher, Failure> {
        let bytes = literal.bytes.as_slice();
        Ok(match check.operator {
            Operator::Contains => contains(bytes),
            Operator::Icontains => Matcher::Icontains(bytes.into()),
            Operator::StartsWith => Matcher::StartsWith(bytes.into()),
            Operator::EndsWith => Matcher::EndsWith(bytes.into()),
            Operator::Bcontains => contains(&self.hexadecimal(literal)?),
            Operator::BstartsWith => Matcher::StartsWith(self.hexadecimal(literal)?.into()),
            Operator::Glob => Matcher::Glob(Glob::new(bytes, false)),
            Operator::Iglob => Matcher::Glob(Glob::new(bytes, true)),
            Operator::Regex => Matcher::Regex(self.regex(literal)?),
            operator => Matcher::Compare { operator, constant: self.constant(check, ty, literal)? },
        })
    }

    fn constant(&mut self, check: &Check, ty: Type, literal: &Literal) -> Result<Constant, Failure> {
        if ty == Type::Text {
            self.warn_of_field(literal);
        }
        Constant::read(ty, &literal.bytes).map_err(|why| {
            let error = Diagnostic::new(
                Kind::Literal,
                literal.span,
                format!("`{}` is a {}, and {literal} is {why}", check.left, ty.name()),
                why.to_string(),
            );
            let hint = match (ty, why) {
                (Type::Signed, NoConstant::OutOfRange) => Some(format!("from {} to {}", i64::MIN, i64::MAX)),
                (Type::Unsigned, NoConstant::OutOfRange) => Some(format!("from 0 to {}", u64::MAX)),
                _ => None,
            };
            self.error(error.maybe_hint(hint))
        })
    }

    /// `proc.name = proc.pname` compares with the text "proc.pname".
    fn warn_of_field(&mut self, literal: &Literal) {
        let Some(name) = literal.list_name().filter(|name| name.contains('.')) else { return };
        if self.catalog.resolve(name, None).is_ok() {
            self.warn(
                Diagnostic::new(
                    Kind::Suspicious,
                    literal.span,
                    format!("`{name}` is compared as a text, and there is a field of that name"),
                    "a text, not a field",
                )
                .hint(format!("write `val({name})` for the field, or quotes for the text")),
            );
        }
    }

    fn hexadecimal(&mut self, literal: &Literal) -> Result<Vec<u8>, Failure> {
        let bytes = literal.bytes.as_slice();
        let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let pairs = bytes.chunks(2).map(|pair| match *pair {
            [high, low] => Some((digit(high)? << 4) | digit(low)?),
            _ => None,
        });
        match pairs.collect::<Option<Vec<_>>>() {
            Some(decoded) if !decoded.is_empty() => Ok(decoded),
            _ => Err(self.error(Diagnostic::new(
                Kind::Literal,
                literal.span,
                "the value must be pairs of hexadecimal digits",
                "not hexadecimal",
            ))),
        }
    }

    /// The pattern alone must be valid: `a)|(b` would otherwise break out of the anchors.
    fn regex(&mut self, literal: &Literal) -> Result<Regex, Failure> {
        let invalid = |why: String| {
            Diagnostic::new(
                Kind::Literal,
                literal.span,
                format!("invalid regular expression: {why}"),
                "invalid pattern",
            )
        };
        let Ok(pattern) = std::str::from_utf8(&literal.bytes) else {
            return Err(self.error(invalid("not UTF-8".to_owned())));
        };
        let compiled = Regex::new(pattern).and_then(|_| Regex::new(&format!(r"\A(?:{pattern})\z")));
        let regex = compiled.map_err(|error| {
            // The library draws the pattern over several lines; the last one says what is wrong.
            let text = error.to_string();
            let why = text.lines().next_back().unwrap_or_default();
            self.error(invalid(why.strip_prefix("error: ").unwrap_or(why).to_owned()))
        })?;
        if !pattern.is_empty() && regex_syntax_free(pattern) {
            self.warn(
                Diagnostic::new(
                    Kind::Suspicious,
                    literal.span,
                    "the pattern has no operator and matches only the whole value",
                    "the same as `=`",
                )
                .hint("use `=`, or `contains` if a part of the value is meant"),
            );
        }
        Ok(regex)
    }

    fn path(&mut self, literal: &Literal) -> Result<(), Failure> {
        if memchr::memchr_iter(b'/', &literal.bytes).count() > limits::NESTING {
            let message = format!("a path of more than {} components", limits::NESTING);
            return Err(self.error(Diagnostic::new(Kind::TooLarge, literal.span, message, "too long")));
        }
        Ok(())
    }
}

fn contains(bytes: &[u8]) -> Matcher {
    Matcher::Contains(Box::new(Finder::new(bytes).into_owned()))
}

fn regex_syntax_free(pattern: &str) -> bool {
    !pattern.contains(['\\', '.', '+', '*', '?', '(', ')', '|', '[', ']', '{', '}', '^', '$'])
}

const fn is_order(operator: Operator) -> bool {
    matches!(operator, Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual)
}

const fn is_list(operator: Operator) -> bool {
    matches!(operator, Operator::In | Operator::Intersects | Operator::Pmatch)
}

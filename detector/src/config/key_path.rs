//! The path of a setting, as `-o` has it: `a.b`, `list[0]`, `list[]` (append), `a\.b` (a dot that is part of a key).

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A key of a map.
    Key(String),
    /// An item of a list.
    Index(usize),
    /// A new item at the end of a list.
    Append,
}

/// Why a path cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A key without letters.
    #[error("a key is empty")]
    EmptyKey,
    /// A bracket that does not end.
    #[error("`[` without `]`")]
    OpenBracket,
    /// Not a number in brackets.
    #[error("`[{0}]` is not an index: use a number, or nothing to append")]
    NoIndex(String),
    /// Text right behind a bracket.
    #[error("`{0}` behind `]`: a dot must stand between them")]
    BehindBracket(char),
    /// Append is not at the end.
    #[error("`[]` can only stand at the end")]
    AppendInside,
}

/// Parses a path.
pub(super) fn parse(path: &str) -> Result<Vec<Step>, PathError> {
    let mut steps = Vec::new();
    let mut key = String::new();
    let mut characters = path.chars().peekable();
    let mut key_wanted = true;
    while let Some(character) = characters.next() {
        match character {
            '\\' => key.push(characters.next().unwrap_or('\\')),
            '.' => {
                finish(&mut steps, &mut key, key_wanted)?;
                key_wanted = true;
            }
            '[' => {
                finish(&mut steps, &mut key, key_wanted)?;
                key_wanted = false;
                steps.push(index(&mut characters)?);
                if let Some(&next) = characters.peek()
                    && !matches!(next, '.' | '[')
                {
                    return Err(PathError::BehindBracket(next));
                }
            }
            other => key.push(other),
        }
    }
    finish(&mut steps, &mut key, key_wanted)?;
    if steps.iter().rev().skip(1).any(|step| *step == Step::Append) {
        return Err(PathError::AppendInside);
    }
    Ok(steps)
}

fn finish(steps: &mut Vec<Step>, key: &mut String, wanted: bool) -> Result<(), PathError> {
    if !key.is_empty() {
        steps.push(Step::Key(std::mem::take(key)));
        return Ok(());
    }
    if wanted { Err(PathError::EmptyKey) } else { Ok(()) }
}

fn index(characters: &mut impl Iterator<Item = char>) -> Result<Step, PathError> {
    let mut inside = String::new();
    loop {
        match characters.next() {
            None => return Err(PathError::OpenBracket),
            Some(']') if inside.is_empty() => return Ok(Step::Append),
            Some(']') => return inside.parse().map(Step::Index).map_err(|_| PathError::NoIndex(inside)),
            Some(character) => inside.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PathError, Step, parse};

    fn key(name: &str) -> Step {
        Step::Key(name.to_owned())
    }

    #[test]
    fn keys_indices_and_append() {
        assert_eq!(parse("json_output").unwrap(), [key("json_output")]);
        assert_eq!(parse("a.b[2].c").unwrap(), [key("a"), key("b"), Step::Index(2), key("c")]);
        assert_eq!(parse("rules[].disable.rule").unwrap_err(), PathError::AppendInside);
        assert_eq!(parse("rules[]").unwrap(), [key("rules"), Step::Append]);
        assert_eq!(parse(r"static_fields.a\.b").unwrap(), [key("static_fields"), key("a.b")]);
    }

    #[test]
    fn broken_paths_are_refused() {
        assert_eq!(parse(""), Err(PathError::EmptyKey));
        assert_eq!(parse("a..b"), Err(PathError::EmptyKey));
        assert_eq!(parse("a."), Err(PathError::EmptyKey));
        assert_eq!(parse("[0]"), Err(PathError::EmptyKey));
        assert_eq!(parse("a[0"), Err(PathError::OpenBracket));
        assert_eq!(parse("a[x]"), Err(PathError::NoIndex("x".to_owned())));
        assert_eq!(parse("a[0]b"), Err(PathError::BehindBracket('b')));
    }
}

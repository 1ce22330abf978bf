//! Shell patterns as fnmatch(3) reads them without flags: `*` and `?` also match `/` and a leading dot. Bytes, not
//! characters, as in the C locale. Compiled once; matching needs no memory and at most length times pattern steps.

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    parts: Vec<Part>,
    fold_case: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Byte(u8),
    AnyByte,
    OneOf(Box<ByteSet>),
    Star,
    /// A pattern that ends in a backslash matches nothing.
    Never,
}

/// One bit for each byte value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ByteSet([u64; 4]);

impl ByteSet {
    fn add(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    /// The bytes that are `byte` once folded: none for a capital letter, which nothing folds to.
    fn add_folded(&mut self, byte: u8, fold_case: bool) {
        if !(fold_case && byte.is_ascii_uppercase()) {
            self.add(byte);
        }
        if fold_case && byte.is_ascii_lowercase() {
            self.add(byte.to_ascii_uppercase());
        }
    }

    fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }
}

impl Glob {
    /// Compiles a pattern. Every text is one: what looks like a broken bracket stands for itself.
    #[must_use]
    pub fn new(pattern: &[u8], fold_case: bool) -> Self {
        let mut parts = Vec::with_capacity(pattern.len());
        let mut at = 0;
        while let Some(&byte) = pattern.get(at) {
            at += 1;
            parts.push(match byte {
                b'*' if parts.last() == Some(&Part::Star) => continue,
                b'*' => Part::Star,
                b'?' => Part::AnyByte,
                b'\\' => match pattern.get(at) {
                    None => Part::Never,
                    Some(&escaped) => {
                        at += 1;
                        Part::Byte(fold(escaped, fold_case))
                    }
                },
                b'[' => match bracket(&pattern[at..], fold_case) {
                    Some((set, length)) => {
                        at += length;
                        Part::OneOf(Box::new(set))
                    }
                    None => Part::Byte(b'['),
                },
                byte => Part::Byte(fold(byte, fold_case)),
            });
        }
        Self { parts, fold_case }
    }

    /// Whether the pattern has no wildcard: then it equals exactly one text (or case variants of it).
    #[must_use]
    pub fn literal(&self) -> Option<Vec<u8>> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Byte(byte) => Some(*byte),
                _ => None,
            })
            .collect()
    }

    /// Whether the pattern matches all of `text`.
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> bool {
        let (mut part, mut at) = (0, 0);
        // Where to go on if what follows the last star fails: the part behind it, and one byte more for the star.
        let mut retry: Option<(usize, usize)> = None;
        while at < text.len() {
            let step = match self.parts.get(part) {
                Some(Part::Star) => {
                    part += 1;
                    retry = Some((part, at));
                    continue;
                }
                Some(Part::Byte(byte)) => *byte == fold(text[at], self.fold_case),
                Some(Part::AnyByte) => true,
                Some(Part::OneOf(set)) => set.has(text[at]),
                Some(Part::Never) | None => false,
            };
            if step {
                part += 1;
                at += 1;
            } else if let Some((behind, from)) = retry {
                part = behind;
                at = from + 1;
                retry = Some((behind, at));
            } else {
                return false;
            }
        }
        self.parts[part..].iter().all(|part| *part == Part::Star)
    }
}

const fn fold(byte: u8, fold_case: bool) -> u8 {
    if fold_case { byte.to_ascii_lowercase() } else { byte }
}

/// A bracket expression from behind its `[`: the bytes it stands for and its length. `None` if it does not end.
fn bracket(pattern: &[u8], fold_case: bool) -> Option<(ByteSet, usize)> {
    let mut set = ByteSet::default();
    let negated = matches!(pattern.first(), Some(b'!' | b'^'));
    let mut at = usize::from(negated);
    let first = at;
    loop {
        match *pattern.get(at)? {
            b']' if at > first => break,
            b'[' if pattern.get(at + 1) == Some(&b':') => {
                if let Some((name, length)) = named(&pattern[at + 2..], b':')
                    && let Some(class) = class(name)
                {
                    for byte in 0..=u8::MAX {
                        if class(&byte) {
                            // Classes look at the byte as it is, also when case does not count.
                            set.add(byte);
                        }
                    }
                    at += 2 + length;
                    continue;
                }
            }
            _ => {}
        }
        let (low, length) = element(&pattern[at..])?;
        at += length;
        let range = pattern.get(at) == Some(&b'-') && pattern.get(at + 1).is_some_and(|&end| end != b']');
        if range {
            let (high, length) = element(&pattern[at + 1..])?;
            at += 1 + length;
            for byte in fold(low, fold_case)..=fold(high, fold_case) {
                set.add_folded(byte, fold_case);
            }
        } else {
            set.add_folded(fold(low, fold_case), fold_case);
        }
    }
    if negated {
        set.0.iter_mut().for_each(|word| *word = !*word);
    }
    Some((set, at + 1))
}

/// One byte inside brackets: plain, escaped, `[.x.]` or `[=x=]`.
fn element(pattern: &[u8]) -> Option<(u8, usize)> {
    match *pattern {
        [b'\\', byte, ..] => Some((byte, 2)),
        [b'[', mark @ (b'.' | b'='), ref rest @ ..] => match named(rest, mark) {
            Some((&[byte], length)) => Some((byte, 2 + length)),
            _ => Some((b'[', 1)),
        },
        [byte, ..] if byte != b'\\' => Some((byte, 1)),
        // A backslash at the end leaves the bracket open.
        _ => None,
    }
}

/// What stands before `mark]`, and the length with it.
fn named(pattern: &[u8], mark: u8) -> Option<(&[u8], usize)> {
    let end = pattern.windows(2).position(|pair| pair == [mark, b']'])?;
    Some((&pattern[..end], end + 2))
}

fn class(name: &[u8]) -> Option<fn(&u8) -> bool> {
    Some(match name {
        b"alpha" => u8::is_ascii_alphabetic,
        b"digit" => u8::is_ascii_digit,
        b"alnum" => u8::is_ascii_alphanumeric,
        b"upper" => u8::is_ascii_uppercase,
        b"lower" => u8::is_ascii_lowercase,
        b"space" => |b| matches!(b, b' ' | 0x09..=0x0d),
        b"blank" => |b| matches!(b, b' ' | b'\t'),
        b"punct" => u8::is_ascii_punctuation,
        b"print" => |b| matches!(b, 0x20..=0x7e),
        b"graph" => u8::is_ascii_graphic,
        b"cntrl" => u8::is_ascii_control,
        b"xdigit" => u8::is_ascii_hexdigit,
        _ => return None,
    })
}

//! What the transformers do to texts. Without change there is no copy.

use std::borrow::Cow;

pub(crate) fn to_lower(text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    if text.iter().any(u8::is_ascii_uppercase) { Cow::Owned(text.to_ascii_lowercase()) } else { text }
}

pub(crate) fn to_upper(text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    if text.iter().any(u8::is_ascii_lowercase) { Cow::Owned(text.to_ascii_uppercase()) } else { text }
}

/// What follows the last `/`; all of it without one.
pub(crate) fn basename(text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    let Some(slash) = memchr::memrchr(b'/', &text) else { return text };
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[slash + 1..]),
        Cow::Owned(mut text) => {
            text.drain(..=slash);
            Cow::Owned(text)
        }
    }
}

/// Decodes the standard alphabet, with or without padding. `None` for anything else.
pub(crate) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let padding = text.iter().rev().take_while(|&&b| b == b'=').count();
    let digits = &text[..text.len() - padding];
    if digits.len() % 4 == 1 || padding > 2 || (padding > 0 && !text.len().is_multiple_of(4)) {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.chunks(4) {
        let mut bits = 0_u32;
        for &digit in group {
            bits = (bits << 6) | sextet(digit)?;
        }
        // A short last group has 12 or 18 bits, of which 8 or 16 are bytes.
        bits <<= 6 * (4 - group.len());
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    Some(bytes)
}

fn sextet(digit: u8) -> Option<u32> {
    Some(u32::from(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

/// The argument of `wanted` in the arguments of a command, read as getopt(3) would with `options`: the last one wins,
/// an option without argument gives the empty text, operands are stepped over, `--` ends it. `None`: not given.
pub(crate) fn getopt(arguments: &[Cow<'_, [u8]>], options: &[u8], wanted: u8) -> Option<Vec<u8>> {
    // A leading `+`, `-` or `:` changes how getopt reports, not what is an option.
    let options = options.strip_prefix(b"+").or_else(|| options.strip_prefix(b"-")).unwrap_or(options);
    let options = options.strip_prefix(b":").unwrap_or(options);
    let mut found = None;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let Some(mut cluster) = argument.strip_prefix(b"-").filter(|letters| !letters.is_empty()) else {
            continue;
        };
        if cluster == b"-" {
            break;
        }
        while let [letter, behind @ ..] = cluster {
            cluster = behind;
            let known = if *letter == b':' { None } else { memchr::memchr(*letter, options) };
            let takes_argument = known.is_some_and(|at| options.get(at + 1) == Some(&b':'));
            let optional = known.is_some_and(|at| options.get(at + 2) == Some(&b':'));
            let value = if !takes_argument {
                Vec::new()
            } else if !behind.is_empty() || optional {
                std::mem::take(&mut cluster).to_vec()
            } else {
                // An option at the end whose argument is missing was not given as getopt sees it.
                let Some(next) = rest.next() else { break };
                next.to_vec()
            };
            if *letter == wanted && known.is_some() {
                found = Some(value);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{base64, basename, getopt, to_lower};

    #[test]
    fn base64_of_every_length() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
            ("Zg", "f"),
            ("Zm8", "fo"),
        ] {
            assert_eq!(base64(text.as_bytes()).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(base64(b"//79").as_deref(), Some([0xff, 0xfe, 0xfd].as_slice()));
        for wrong in ["Z", "Zg=", "Zg===", "Zm9v=", "Z=g=", "Zm 9v", "Zm9v\n", "Zm9_", "="] {
            assert_eq!(base64(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    #[test]
    fn basename_borrows_when_it_can() {
        assert_eq!(basename(Cow::Borrowed(b"/usr/bin/x")), Cow::Borrowed(b"x"));
        assert!(matches!(basename(Cow::Borrowed(b"/usr/bin/x")), Cow::Borrowed(_)));
        assert_eq!(basename(Cow::Owned(b"/a/b".to_vec())).as_ref(), b"b");
        assert_eq!(basename(Cow::Borrowed(b"/a/")).as_ref(), b"");
        assert_eq!(basename(Cow::Borrowed(b"plain")).as_ref(), b"plain");
        assert!(matches!(to_lower(Cow::Borrowed(b"abc")), Cow::Borrowed(_)));
    }

    #[test]
    fn options_as_getopt_reads_them() {
        let check = |line: &str, options: &str, wanted: char, expected: Option<&str>| {
            let words: Vec<Cow<'_, [u8]>> =
                line.split(' ').map(|word| Cow::Borrowed(word.as_bytes())).collect();
            let found = getopt(&words, options.as_bytes(), u8::try_from(wanted).unwrap());
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{line} {options} {wanted}");
        };
        check("-c cmd", "c:", 'c', Some("cmd"));
        check("-ccmd", "c:", 'c', Some("cmd"));
        check("-xc cmd", "xc:", 'c', Some("cmd"));
        check("-xc cmd", "xc:", 'x', Some(""));
        check("file -c cmd", "c:", 'c', Some("cmd"));
        check("-- -c cmd", "c:", 'c', None);
        check("-c", "c:", 'c', None);
        check("-c a -c b", "c:", 'c', Some("b"));
        check("-o -c x", "o:c", 'c', None);
        check("-c", "c::", 'c', Some(""));
        check("-cx", "c::", 'c', Some("x"));
        check("-c x", "c::", 'c', Some(""));
        check("-z", "c:", 'z', None);
        check("- -c x", "+:c:", 'c', Some("x"));
    }
}

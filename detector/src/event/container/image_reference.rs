//! Image references by their grammar: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`, or the bare id of an image.
//!
//! The grammar is that of the distribution project's `reference` package, which Docker, containerd and CRI-O share.
//! Nothing is added to what was written: `nginx` stays `nginx` and does not become `docker.io/library/nginx`.

/// The parts of a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageReference<'a> {
    /// Names an image.
    Name {
        /// Host and path.
        repository: &'a str,
        /// The tag, without `:`.
        tag: Option<&'a str>,
        /// `ALGORITHM:HEX`
        digest: Option<&'a str>,
    },
    /// The image's id, hexadecimal, without `sha256:`.
    Id(&'a str),
}

/// Longest host and path.
const NAME_LENGTH: usize = 255;
/// Longest tag.
const TAG_LENGTH: usize = 128;
/// Shortest hexadecimal part of a digest.
const DIGEST_LENGTH: usize = 32;
/// Length of the hexadecimal part of an id.
const ID_LENGTH: usize = 64;

impl<'a> ImageReference<'a> {
    /// Takes a reference apart; `None` when it is not one.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        parse(text)
    }
}

fn parse(text: &str) -> Option<ImageReference<'_>> {
    let id = text.strip_prefix("sha256:").unwrap_or(text);
    if id.len() == ID_LENGTH && is_lower_hex(id) {
        return Some(ImageReference::Id(id));
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    // A colon before the last slash belongs to a port.
    let path_start = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (repository, tag) = match rest[path_start..].find(':') {
        Some(colon) => (&rest[..path_start + colon], Some(&rest[path_start + colon + 1..])),
        None => (rest, None),
    };
    let sound = is_name(repository) && tag.is_none_or(is_tag) && digest.is_none_or(is_digest);
    sound.then_some(ImageReference::Name { repository, tag, digest })
}

fn is_name(name: &str) -> bool {
    if name.is_empty() || name.len() > NAME_LENGTH {
        return false;
    }
    let path = match name.split_once('/') {
        Some((first, path)) if is_host(first) => path,
        _ => name,
    };
    path.split('/').all(is_path_component)
}

/// The first component is a host when it cannot be part of a path (`.`, `:`, an upper-case letter), or is `localhost`.
fn is_host(first: &str) -> bool {
    let looks_like = first == "localhost"
        || first.bytes().any(|byte| matches!(byte, b'.' | b':' | b'[') || byte.is_ascii_uppercase());
    if !looks_like {
        return false;
    }
    let (host, port) = match first.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (first, None),
    };
    let sound_port =
        port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    let sound_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':'),
        None => host.split('.').all(is_host_component),
    };
    sound_host && sound_port
}

fn is_host_component(part: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = part.as_bytes();
    edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

/// Lower-case letters and digits, with one `.`, one or two `_`, or any number of `-` between them.
fn is_path_component(part: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut separators = part.split(|char: char| char.is_ascii() && is_letter(char as u8));
    // Outside is letters: before the first and after the last there must be no separator.
    let begins = part.bytes().next().is_some_and(is_letter);
    let ends = part.bytes().last().is_some_and(is_letter);
    begins
        && ends
        && separators.all(|between| {
            matches!(between, "" | "." | "_" | "__") || between.bytes().all(|byte| byte == b'-')
        })
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=TAG_LENGTH).contains(&tag.len())
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else { return false };
    let is_part = |part: &str| {
        part.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    algorithm.split(['+', '.', '-', '_']).all(is_part)
        && hex.len() >= DIGEST_LENGTH
        && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::{ImageReference, parse};

    const HEX: &str = "3b2c1d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff001";

    #[test]
    fn references_are_taken_apart() {
        let digest = format!("sha256:{HEX}");
        #[rustfmt::skip]
        let table: &[(&str, &str, Option<&str>, bool)] = &[
            ("nginx", "nginx", None, false),
            ("nginx:1.25", "nginx", Some("1.25"), false),
            ("nginx@DIGEST", "nginx", None, true),
            ("nginx:1.25@DIGEST", "nginx", Some("1.25"), true),
            ("library/nginx:1.25-alpine_x.y", "library/nginx", Some("1.25-alpine_x.y"), false),
            ("docker.io/library/nginx:latest", "docker.io/library/nginx", Some("latest"), false),
            ("localhost/web:1", "localhost/web", Some("1"), false),
            ("localhost:5000/web", "localhost:5000/web", None, false),
            ("localhost:5000/web:1", "localhost:5000/web", Some("1"), false),
            ("localhost:5000/web:1@DIGEST", "localhost:5000/web", Some("1"), true),
            ("localhost:5000", "localhost", Some("5000"), false),
            ("registry.example.com:443/a/b/c:t@DIGEST", "registry.example.com:443/a/b/c", Some("t"), true),
            ("[2001:db8::1]:5000/web:1", "[2001:db8::1]:5000/web", Some("1"), false),
            ("[2001:db8::1]/web", "[2001:db8::1]/web", None, false),
            ("192.0.2.1:5000/web", "192.0.2.1:5000/web", None, false),
            ("Example.COM/web", "Example.COM/web", None, false),
            ("REGISTRY/web", "REGISTRY/web", None, false),
            ("a/b__c/d.e/f---g", "a/b__c/d.e/f---g", None, false),
            ("a:_x", "a", Some("_x"), false),
        ];
        for (text, repository, tag, has_digest) in table {
            let text = text.replace("DIGEST", &digest);
            let want =
                ImageReference::Name { repository, tag: *tag, digest: has_digest.then_some(digest.as_str()) };
            assert_eq!(parse(&text), Some(want), "{text}");
        }
    }

    #[test]
    fn ids_are_no_names() {
        assert_eq!(parse(HEX), Some(ImageReference::Id(HEX)));
        assert_eq!(parse(&format!("sha256:{HEX}")), Some(ImageReference::Id(HEX)));
        // Shorter hexadecimal text is a name, as Docker sees it.
        let short = ImageReference::Name { repository: &HEX[..12], tag: None, digest: None };
        assert_eq!(parse(&HEX[..12]), Some(short));
    }

    #[test]
    fn what_is_no_reference() {
        let long_tag = format!("nginx:{}", "x".repeat(129));
        let long_name = "a/".repeat(130) + "a";
        #[rustfmt::skip]
        let table = [
            "", ":", "@", "/", ":tag", "nginx:", "nginx@", "nginx@sha256", "nginx@sha256:abc", "nginx:.x", "nginx:-x",
            "Nginx", "nginx//web", "/nginx", "nginx/", "a___b", "a..b", "a._b", "-a", "a-", "a b", "a:b:c", "é",
            "host.example:/web", "host.example:x/web", "host..example/web", "-host.example/web", "[::1/web", "[xyz]/web",
            "nginx@sha256:3b2c1d4e5f60718293a4b5c6d7e8f90g", "nginx@+:3b2c1d4e5f60718293a4b5c6d7e8f901",
            &long_tag, &long_name,
        ];
        for text in table {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_parts_make_the_whole_again(text in "[a-zA-Z0-9:/@._\\[\\]-]{0,60}") {
            if let Some(ImageReference::Name { repository, tag, digest }) = parse(&text) {
                let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
                let digest = digest.map(|digest| format!("@{digest}")).unwrap_or_default();
                proptest::prop_assert_eq!(format!("{repository}{tag}{digest}"), text);
            }
        }
    }
}

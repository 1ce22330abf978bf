//! Bytes from the kernel that people read: they are not always UTF-8, and not always whole.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A path as the process sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Path {
    /// The bytes. Absolute, except for anonymous files (`memfd:NAME`); starts with `...` where the walk was cut.
    pub bytes: Vec<u8>,
    /// Whether the walk reached the root.
    pub complete: bool,
}

impl Path {
    /// Joins components that come leaf first, each ended by a NUL, as the kernel side sends them.
    #[must_use]
    pub fn from_leaf_first(components: &[u8], complete: bool) -> Self {
        Self::default().refilled(components, complete)
    }

    /// The same in the memory of this path.
    #[must_use]
    pub fn refilled(self, components: &[u8], complete: bool) -> Self {
        let mut bytes = self.bytes;
        bytes.clear();
        bytes.reserve(components.len() + 4);
        if !complete {
            bytes.extend_from_slice(b"...");
        }
        let names = turned_around(components, &mut bytes);
        // An anonymous file has a name and no place.
        if names == 1 && bytes.starts_with(b"/memfd:") {
            bytes.remove(0);
        }
        if bytes.is_empty() {
            bytes.push(b'/');
        }
        Self { bytes, complete }
    }
}

/// Appends the components, root first, each after a `/`; the answer is how many there are. A name and its NUL take as much
/// room as a slash and the name, so each has its place, counted from the end, and all bytes are touched once.
fn turned_around(components: &[u8], path: &mut Vec<u8>) -> usize {
    let whole = components.last().is_none_or(|byte| *byte == 0);
    let length = components.len() + usize::from(!whole);
    let start = path.len();
    path.resize(start + length, b'/');
    let (mut names, mut empty) = (0, 0);
    let (mut end, mut rest) = (path.len(), components);
    while !rest.is_empty() {
        let length = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
        if length == 0 {
            empty += 1;
        } else {
            // By hand: an event has a hundred short names, and each would be a call to copy it.
            for (to, from) in path[end - length..end].iter_mut().zip(&rest[..length]) {
                *to = *from;
            }
            end -= length + 1;
            names += 1;
        }
        rest = rest.get(length + 1..).unwrap_or_default();
    }
    // Places of names that are empty are left over in front.
    path.drain(start..start + empty);
    names
}

/// Text for people: invalid UTF-8 becomes U+FFFD.
#[must_use]
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::Path;

    fn join(components: &[u8], complete: bool) -> String {
        String::from_utf8(Path::from_leaf_first(components, complete).bytes).unwrap()
    }

    #[test]
    fn components_are_turned_around() {
        assert_eq!(join(b"x\0bin\0usr\0", true), "/usr/bin/x");
    }

    proptest! {
        #[test]
        fn any_components_are_joined_root_first(
            components in vec(prop_oneof![Just(0), any::<u8>()], 0..40),
            complete: bool,
        ) {
            let mut expected = if complete { Vec::new() } else { b"...".to_vec() };
            for name in components.rsplit(|byte| *byte == 0).filter(|name| !name.is_empty()) {
                expected.extend([b"/", name].concat());
            }
            if expected.is_empty() {
                expected = b"/".to_vec();
            }
            assert_eq!(Path::from_leaf_first(&components, complete).bytes, expected);
        }
    }

    #[test]
    fn no_components_is_the_root() {
        assert_eq!(join(b"", true), "/");
    }

    #[test]
    fn a_cut_path_says_so() {
        assert_eq!(join(b"x\0deep\0", false), ".../deep/x");
        assert_eq!(join(b"", false), "...");
    }

    #[test]
    fn memfd_has_no_leading_slash() {
        assert_eq!(join(b"memfd:x\0", true), "memfd:x");
        assert_eq!(join(b"memfd:x\0tmp\0", true), "/tmp/memfd:x");
    }
}

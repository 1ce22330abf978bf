//! The reader against input that nobody meant: whatever the bytes, it answers or refuses. A panic, a hang or a
//! stack overflow fails these tests; so does a wrong answer about a well-formed struct.

use proptest::{
    collection::vec,
    prelude::{any, prop},
    prop_assert, prop_assert_eq, proptest,
};

use super::{Btf, blob::Blob};

const PATHS: [&str; 9] = ["a", "v[3]", "v[0]", "p.x", "s.a", "s.v[1]", "i", "deep.er.and[1][2].deeper", "x"];

/// Asks everything; the answers of hostile input are of no interest, only that they come and hold together.
fn ask_everything(btf: &Btf<'_>) {
    for name in ["s", "u", "e", "e64", "int", "", "s\0", "ring"] {
        let _ = btf.size_of(name);
        let _ = btf.enum_value(name, "E_ONE");
        let _ = btf.enum_value(name, "E64_LOW");
        for path in PATHS {
            let offset = btf.member_offset(name, path);
            assert_eq!(offset.is_some(), btf.member_size(name, path).is_some());
        }
    }
}

fn parse_and_ask(bytes: &[u8]) -> bool {
    let Ok(btf) = Btf::parse(bytes) else { return false };
    ask_everything(&btf);
    if let Ok(split) = Btf::parse_split(bytes, &btf) {
        ask_everything(&split);
    }
    true
}

fn base_blobs() -> [Vec<u8>; 2] {
    let mut blob = Blob::of_every_kind();
    let ring = blob.structure("ring", 8, &[("", 4, 0), ("x", 3, 0)]);
    blob.structure("ring", 8, &[("", ring, 0), ("x", ring, 0)]);
    [blob.bytes(), blob.bytes_with_layout(&[(20, 4, 4), (22, 0, 12)])]
}

#[test]
fn the_seeds_are_good_btf() {
    for bytes in base_blobs() {
        assert!(parse_and_ask(&bytes));
    }
}

#[test]
fn every_prefix_is_refused() {
    for bytes in base_blobs() {
        for len in 0..bytes.len() {
            assert!(Btf::parse(&bytes[..len]).is_err(), "{len} of {} bytes", bytes.len());
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes(bytes in vec(any::<u8>(), 0..512)) {
        parse_and_ask(&bytes);
    }

    #[test]
    fn arbitrary_types_behind_a_good_header(words in vec(any::<u32>(), 0..64), strings in vec(any::<u8>(), 0..32)) {
        let mut blob = Blob::new().with_strings(&[&[0], &strings[..], &[0]].concat());
        // Heads of known kinds with few elements, so that some get through the first pass.
        for words in words.chunks(3) {
            if let &[name, info, size] = words {
                blob.record("", 1 + info % 19, info >> 31 == 1, 0, size % 64, &[name % 64, size % 16, name]);
            }
        }
        parse_and_ask(&blob.bytes());
    }

    #[test]
    fn changed_bytes(changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..12), which in 0..2_usize) {
        let mut bytes = base_blobs()[which].clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        parse_and_ask(&bytes);
    }

    /// Small words at word boundaries behind the header: other valid ids, kinds, sizes and offsets.
    #[test]
    fn changed_words(changes in vec((any::<prop::sample::Index>(), 0..40_u32), 1..12), which in 0..2_usize) {
        let mut bytes = base_blobs()[which].clone();
        for (at, value) in changes {
            let at = 32 + at.index((bytes.len() - 36) / 4) * 4;
            bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        }
        parse_and_ask(&bytes);
    }

    /// Structs with members anywhere, nested and anonymous: the reader finds what was written.
    #[test]
    fn well_formed_structs_are_read_back(
        gaps in vec(0..64_u32, 1..40),
        anonymous in any::<bool>(),
        nested_at in 0..4096_u32,
    ) {
        let mut blob = Blob::new();
        let int = blob.int("int", 4);
        let mut at = 0;
        let placed: Vec<(String, u32)> = gaps
            .iter()
            .enumerate()
            .map(|(index, gap)| {
                at += gap + 4;
                (format!("m{index}"), at - 4)
            })
            .collect();
        let members: Vec<_> = placed.iter().map(|(name, offset)| (name.as_str(), int, *offset)).collect();
        let inner = blob.structure(if anonymous { "" } else { "inner" }, at, &members);
        let name = if anonymous { "" } else { "in" };
        blob.structure("outer", nested_at + at, &[("first", int, 0), (name, inner, nested_at)]);
        let bytes = blob.bytes();
        let btf = Btf::parse(&bytes).unwrap();
        for (member, offset) in &placed {
            let path = if anonymous { member.clone() } else { format!("in.{member}") };
            prop_assert_eq!(btf.member_offset("outer", &path), Some(nested_at + offset));
            prop_assert_eq!(btf.member_size("outer", &path), Some(4));
        }
        prop_assert!(btf.member_offset("outer", "m40").is_none());
    }
}

//! What a generation was made from. Only hooks of the very same making are taken over: the object, the offsets in this
//! kernel, and everything else that decides what the programs do and how their records and maps are laid out.

use std::os::fd::OwnedFd;

use detector_common::ABI_VERSION;
use ring::digest::{Context, SHA256};

use crate::kernel::{
    bpf_call::{MapAttributes, get_first, make_map_of, set_first, short_name},
    journal,
};

const BYTES: u32 = 32;
/// `BPF_MAP_TYPE_ARRAY`
const ARRAY: u32 = 2;

/// A hash of all ingredients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kernel) struct Stamp([u8; BYTES as usize]);

impl Stamp {
    /// Of these ingredients, and of the layouts that user space and kernel share.
    pub(in crate::kernel) fn of<'a>(ingredients: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(&[ABI_VERSION.to_le_bytes(), journal::LAYOUT.to_le_bytes()].concat());
        for ingredient in ingredients {
            // With its length, so that nothing can move from one to the next.
            hash.update(&ingredient.len().to_le_bytes());
            hash.update(ingredient);
        }
        let mut bytes = [0; BYTES as usize];
        bytes.copy_from_slice(hash.finish().as_ref());
        Self(bytes)
    }

    /// A map that keeps it: a bpffs holds nothing else.
    pub(super) fn to_map(self) -> std::io::Result<OwnedFd> {
        let map = make_map_of(&MapAttributes {
            kind: ARRAY,
            key_size: 4,
            value_size: BYTES,
            max_entries: 1,
            name: short_name("detector_stamp"),
            ..MapAttributes::default()
        })?;
        set_first(&map, &self.0)?;
        Ok(map)
    }

    pub(super) fn from_map(map: &OwnedFd) -> std::io::Result<Self> {
        let mut bytes = [0; BYTES as usize];
        get_first(map, &mut bytes)?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::Stamp;

    #[test]
    fn every_ingredient_and_its_place_counts() {
        let stamp = |parts: &[&[u8]]| Stamp::of(parts.iter().copied());
        let one = stamp(&[b"object", b"offsets"]);
        assert_eq!(one, stamp(&[b"object", b"offsets"]));
        for other in [stamp(&[b"object2", b"offsets"]), stamp(&[b"objecto", b"ffsets"]), stamp(&[b"object"])]
        {
            assert_ne!(one, other);
        }
    }
}

//! One type as it lies in the section: its head, and what follows it taken apart by kind.

use super::{
    header::u32_at,
    kind::{ENUMERATOR_LEN, ENUMERATOR64_LEN, Head, Kind, MEMBER_LEN},
};

/// A type as it lies in its section.
#[derive(Clone, Copy, Debug)]
pub(super) struct Type<'a> {
    pub(super) head: Head,
    /// What follows the head.
    pub(super) trailer: &'a [u8],
}

/// A member of a struct or union as recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawMember {
    pub(super) name: u32,
    pub(super) type_id: u32,
    /// From the start of the struct.
    pub(super) bit_offset: u32,
    /// 0 for a member that is none, as far as the member itself tells.
    pub(super) bit_field_size: u32,
}

impl<'a> Type<'a> {
    /// Members, if this is a struct or union.
    pub(super) fn members(&self) -> impl Iterator<Item = RawMember> + use<'a> {
        let kind_flag = self.head.kind_flag;
        let trailer = if self.head.kind.has_members() { self.trailer } else { &[] };
        trailer.chunks_exact(MEMBER_LEN).filter_map(move |bytes| {
            let offset = u32_at(bytes, 8)?;
            let (bit_offset, bit_field_size) =
                if kind_flag { (offset & 0x00ff_ffff, offset >> 24) } else { (offset, 0) };
            Some(RawMember {
                name: u32_at(bytes, 0)?,
                type_id: u32_at(bytes, 4)?,
                bit_offset,
                bit_field_size,
            })
        })
    }

    /// Type of the elements and their number, if this is an array.
    pub(super) fn array(&self) -> Option<(u32, u32)> {
        if self.head.kind != Kind::Array {
            return None;
        }
        Some((u32_at(self.trailer, 0)?, u32_at(self.trailer, 8)?))
    }

    /// Whether an integer takes fewer bits than its bytes hold: the older way to mark a bit-field.
    pub(super) fn is_partial_int(&self) -> bool {
        self.head.kind == Kind::Int
            && u32_at(self.trailer, 0).is_none_or(|encoding| {
                let (bit_offset, bits) = ((encoding >> 16) & 0xff, encoding & 0xff);
                bit_offset != 0 || self.head.size_or_type.checked_mul(8) != Some(bits)
            })
    }

    /// Name and value of each enumerator; no value where it does not fit an `i64`.
    pub(super) fn enumerators(&self) -> impl Iterator<Item = (u32, Option<i64>)> + use<'a> {
        let signed = self.head.kind_flag;
        let wide = self.head.kind == Kind::Enum64;
        let (trailer, len) = match self.head.kind {
            Kind::Enum => (self.trailer, ENUMERATOR_LEN),
            Kind::Enum64 => (self.trailer, ENUMERATOR64_LEN),
            _ => (&[][..], ENUMERATOR_LEN),
        };
        trailer.chunks_exact(len).filter_map(move |bytes| {
            let low = u32_at(bytes, 4)?;
            let value = if wide {
                let bits = u64::from(u32_at(bytes, 8)?) << 32 | u64::from(low);
                if signed { Some(bits.cast_signed()) } else { i64::try_from(bits).ok() }
            } else if signed {
                Some(i64::from(low.cast_signed()))
            } else {
                Some(i64::from(low))
            };
            Some((u32_at(bytes, 0)?, value))
        })
    }
}

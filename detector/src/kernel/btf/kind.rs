//! The kinds of types, what follows each, and the fixed head that all share.

use super::header::u32_at;

/// Bytes of the head that each type begins with: name, info, size or type.
pub(super) const HEAD_LEN: usize = 12;
/// Bytes of a member of a struct or union: name, type, offset.
pub(super) const MEMBER_LEN: usize = 12;
/// Bytes of an enumerator: name, value.
pub(super) const ENUMERATOR_LEN: usize = 8;
/// Bytes of an enumerator of 64 bits: name, low half, high half.
pub(super) const ENUMERATOR64_LEN: usize = 12;

/// What a type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Ptr,
    Array,
    Struct,
    Union,
    Enum,
    Fwd,
    Typedef,
    Volatile,
    Const,
    Restrict,
    Func,
    FuncProto,
    Var,
    Datasec,
    Float,
    DeclTag,
    TypeTag,
    Enum64,
    /// Not known to this reader; 0 is never a kind.
    Other(u8),
}

impl Kind {
    fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Int,
            2 => Self::Ptr,
            3 => Self::Array,
            4 => Self::Struct,
            5 => Self::Union,
            6 => Self::Enum,
            7 => Self::Fwd,
            8 => Self::Typedef,
            9 => Self::Volatile,
            10 => Self::Const,
            11 => Self::Restrict,
            12 => Self::Func,
            13 => Self::FuncProto,
            14 => Self::Var,
            15 => Self::Datasec,
            16 => Self::Float,
            17 => Self::DeclTag,
            18 => Self::TypeTag,
            19 => Self::Enum64,
            other => Self::Other(other),
        }
    }

    /// Struct or union: something with members.
    pub(super) fn has_members(self) -> bool {
        matches!(self, Self::Struct | Self::Union)
    }

    /// Enum of either width.
    pub(super) fn is_enum(self) -> bool {
        matches!(self, Self::Enum | Self::Enum64)
    }

    /// Bytes behind the head and bytes per element; of an unknown kind what the layout section says of it.
    fn trailer(self, layout: &[u8]) -> Option<(usize, usize)> {
        Some(match self {
            Self::Int | Self::Var | Self::DeclTag => (4, 0),
            Self::Array => (12, 0),
            Self::Struct | Self::Union => (0, MEMBER_LEN),
            Self::Enum | Self::FuncProto => (0, ENUMERATOR_LEN),
            Self::Datasec | Self::Enum64 => (0, ENUMERATOR64_LEN),
            Self::Ptr
            | Self::Fwd
            | Self::Typedef
            | Self::Volatile
            | Self::Const
            | Self::Restrict
            | Self::Func
            | Self::Float
            | Self::TypeTag => (0, 0),
            Self::Other(0) => return None,
            Self::Other(code) => {
                let entry = layout.get(usize::from(code) * 4..)?.first_chunk::<4>()?;
                (usize::from(entry[0]), usize::from(entry[1]))
            }
        })
    }
}

/// The head of a type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// Offset of the name in the strings; 0 for none.
    pub(super) name: u32,
    pub(super) kind: Kind,
    /// Of structs: member offsets carry bit-field sizes. Of enums: values are signed.
    pub(super) kind_flag: bool,
    /// Elements that follow.
    elements: u32,
    /// Size in bytes, or the id of another type: by kind.
    pub(super) size_or_type: u32,
}

impl Head {
    /// The head at byte `at` of the type section, if it fits.
    pub(super) fn read(types: &[u8], at: usize) -> Option<Self> {
        let bytes = types.get(at..)?.first_chunk::<HEAD_LEN>()?;
        let info = u32_at(bytes, 4)?;
        // 24 bits of elements and 7 of kind since Linux 7.1; before that 16 and 5 with zeros in the gaps.
        let code = (info >> 24) & 0x7f;
        Some(Self {
            name: u32_at(bytes, 0)?,
            kind: Kind::from_code(u8::try_from(code).ok()?),
            kind_flag: info >> 31 == 1,
            elements: info & 0x00ff_ffff,
            size_or_type: u32_at(bytes, 8)?,
        })
    }

    /// Bytes from the start of this type to the next one; `None` for a kind of unknown size.
    pub(super) fn stride(&self, layout: &[u8]) -> Option<usize> {
        let (fixed, per_element) = self.kind.trailer(layout)?;
        let elements = usize::try_from(self.elements).ok()?;
        elements.checked_mul(per_element)?.checked_add(HEAD_LEN + fixed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(info: u32) -> Head {
        let bytes: Vec<u8> = [7, info, 9].iter().flat_map(|word: &u32| word.to_ne_bytes()).collect();
        Head::read(&bytes, 0).unwrap()
    }

    #[test]
    fn info_is_taken_apart() {
        let head = head(0x8400_0003);
        assert_eq!((head.name, head.kind, head.kind_flag, head.size_or_type), (7, Kind::Struct, true, 9));
        assert_eq!(head.stride(&[]), Some(12 + 3 * 12));
    }

    #[test]
    fn more_than_65535_elements_are_counted() {
        assert_eq!(head(0x0601_0002).stride(&[]), Some(12 + 0x1_0002 * 8));
    }

    #[test]
    fn strides_are_those_of_the_kernel_header() {
        let strides: Vec<_> = (1..=19).map(|code| head(code << 24 | 2).stride(&[]).unwrap()).collect();
        let expected = [16, 12, 24, 36, 36, 28, 12, 12, 12, 12, 12, 12, 28, 16, 36, 12, 16, 12, 36];
        assert_eq!(strides, expected);
    }

    #[test]
    fn an_unknown_kind_has_the_size_that_the_layout_gives() {
        let mut layout = [0; 21 * 4];
        layout[20 * 4] = 4;
        layout[20 * 4 + 1] = 8;
        assert_eq!(head(20 << 24 | 3).stride(&layout), Some(12 + 4 + 3 * 8));
        assert_eq!(head(21 << 24 | 3).stride(&layout), None);
        assert_eq!(head(20 << 24).stride(&[]), None);
        assert_eq!(head(0).stride(&layout), None, "0 is no kind, whatever the layout says");
    }
}

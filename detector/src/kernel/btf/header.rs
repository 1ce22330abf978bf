//! From bytes to sections. The header says how long it is: 24 bytes, or 32 since it tells where the layout section
//! lies (Linux 7.1); offsets count from its end.

use super::error::BtfError;

const MAGIC: u16 = 0xeb9f;
/// Header up to and including the string section's length.
const LEN_WITHOUT_LAYOUT: usize = 24;
/// Header with offset and length of the layout section.
const LEN_WITH_LAYOUT: usize = 32;

/// The three sections as they lie in the input.
#[derive(Debug)]
pub(super) struct Sections<'a> {
    pub(super) types: &'a [u8],
    pub(super) strings: &'a [u8],
    /// Four bytes per kind: bytes behind the type, bytes per element, flags (u16). Empty where there is none.
    pub(super) layout: &'a [u8],
}

impl<'a> Sections<'a> {
    pub(super) fn find(bytes: &'a [u8]) -> Result<Self, BtfError> {
        let cut_off = |need| BtfError::HeaderCutOff { have: bytes.len(), need };
        let word = |at: usize| u32_at(bytes, at).ok_or(cut_off(LEN_WITHOUT_LAYOUT));

        if bytes.starts_with(b"\x7fELF") {
            return Err(BtfError::IsElf);
        }
        let Some((&[first, second, version, flags], _)) = bytes.split_first_chunk() else {
            return Err(cut_off(LEN_WITHOUT_LAYOUT));
        };
        let magic = u16::from_ne_bytes([first, second]);
        if magic == MAGIC.swap_bytes() {
            return Err(BtfError::OtherByteOrder);
        }
        if magic != MAGIC {
            return Err(BtfError::BadMagic { found: magic });
        }
        if version != 1 || flags != 0 {
            return Err(BtfError::UnknownRevision { version, flags });
        }
        let header_len = usize::try_from(word(4)?).map_err(|_| BtfError::TooMany { what: "header bytes" })?;
        if header_len < LEN_WITHOUT_LAYOUT {
            return Err(BtfError::HeaderCutOff { have: header_len, need: LEN_WITHOUT_LAYOUT });
        }
        let body = bytes.get(header_len..).ok_or(cut_off(header_len))?;

        let types = section(body, "type", word(8)?, word(12)?)?;
        let strings = section(body, "string", word(16)?, word(20)?)?;
        let layout =
            if header_len >= LEN_WITH_LAYOUT { section(body, "layout", word(24)?, word(28)?)? } else { &[] };
        Ok(Self { types, strings, layout })
    }
}

/// The native integer at byte `at`, if it is there.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*word))
}

fn section<'a>(body: &'a [u8], section: &'static str, offset: u32, len: u32) -> Result<&'a [u8], BtfError> {
    let outside = BtfError::SectionOutside { section, offset, len, have: body.len() };
    let (Ok(start), Ok(size)) = (usize::try_from(offset), usize::try_from(len)) else {
        return Err(outside);
    };
    start.checked_add(size).and_then(|end| body.get(start..end)).ok_or(outside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(words: &[u32]) -> Vec<u8> {
        let mut bytes = MAGIC.to_ne_bytes().to_vec();
        bytes.extend([1, 0]);
        bytes.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        bytes
    }

    #[test]
    fn sections_are_found_behind_a_short_header() {
        let mut bytes = header(&[24, 0, 4, 4, 3]);
        bytes.extend(b"TYPE\0a\0");
        let sections = Sections::find(&bytes).unwrap();
        assert_eq!(
            (sections.types, sections.strings, sections.layout),
            (&b"TYPE"[..], &b"\0a\0"[..], &b""[..])
        );
    }

    #[test]
    fn sections_are_found_behind_a_long_header() {
        let mut bytes = header(&[32, 0, 4, 8, 3, 4, 4]);
        bytes.extend(b"TYPELAYO\0a\0");
        let sections = Sections::find(&bytes).unwrap();
        assert_eq!(
            (sections.types, sections.strings, sections.layout),
            (&b"TYPE"[..], &b"\0a\0"[..], &b"LAYO"[..])
        );
    }

    #[test]
    fn a_header_longer_than_known_is_skipped_by_its_own_length() {
        let mut bytes = header(&[36, 0, 4, 4, 1, 0, 0, 0xdead_beef]);
        bytes.extend(b"TYPE\0");
        let sections = Sections::find(&bytes).unwrap();
        assert_eq!((sections.types, sections.strings), (&b"TYPE"[..], &b"\0"[..]));
    }

    #[test]
    fn what_is_not_native_btf_is_named() {
        let mut swapped = header(&[24, 0, 0, 0, 0]);
        swapped[..2].reverse();
        assert!(matches!(Sections::find(&swapped), Err(BtfError::OtherByteOrder)));
        assert!(matches!(Sections::find(b"\x7fELF\x02\x01\x01\0"), Err(BtfError::IsElf)));
        assert!(matches!(Sections::find(b"\x1f\x8b\x08\0\0\0"), Err(BtfError::BadMagic { .. })));
        assert!(matches!(Sections::find(b""), Err(BtfError::HeaderCutOff { have: 0, need: 24 })));
        let mut newer = header(&[24, 0, 0, 0, 0]);
        newer[2] = 2;
        assert!(matches!(Sections::find(&newer), Err(BtfError::UnknownRevision { version: 2, flags: 0 })));
    }

    #[test]
    fn a_header_that_ends_early_is_refused() {
        assert!(matches!(
            Sections::find(&header(&[24, 0, 0, 0])),
            Err(BtfError::HeaderCutOff { have: 20, need: 24 })
        ));
        assert!(matches!(
            Sections::find(&header(&[20, 0, 0, 0, 0])),
            Err(BtfError::HeaderCutOff { have: 20, need: 24 })
        ));
        assert!(matches!(
            Sections::find(&header(&[32, 0, 0, 0, 0])),
            Err(BtfError::HeaderCutOff { have: 24, need: 32 })
        ));
    }

    #[test]
    fn a_section_outside_is_refused_also_when_its_end_overflows() {
        for (offset, len) in [(0, 5), (5, 0), (u32::MAX, u32::MAX)] {
            let mut bytes = header(&[24, offset, len, 0, 0]);
            bytes.extend(b"TYPE");
            assert!(
                matches!(
                    Sections::find(&bytes),
                    Err(BtfError::SectionOutside { section: "type", have: 4, .. })
                ),
                "{offset}+{len}"
            );
        }
    }
}

//! Where a member lies: a dotted path such as `f_path.mnt`, `pids[2]` or `rlim[7].rlim_cur`, through nested and
//! anonymous structs and unions, typedefs and qualifiers.

use super::{
    error::LookupError,
    kind::Kind,
    record::RawMember,
    types::{Btf, Steps},
};

/// Anonymous structs within anonymous structs; kernels have three levels.
const MAX_ANONYMOUS_DEPTH: u32 = 16;

/// A member, seen from the start of the struct in which its path begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// In bytes.
    pub offset: u32,
    /// In bytes; 0 for a flexible array.
    pub size: u32,
}

/// Bits from the struct's start, and what lies there.
struct Place {
    bits: u64,
    type_id: u32,
    bit_field: bool,
}

impl Btf<'_> {
    /// Bytes from the start of `type_name` to the member at `path`.
    #[must_use]
    pub fn member_offset(&self, type_name: &str, path: &str) -> Option<u32> {
        self.find_member(type_name, path).ok().map(|member| member.offset)
    }

    /// Size of that member in bytes.
    #[must_use]
    pub fn member_size(&self, type_name: &str, path: &str) -> Option<u32> {
        self.find_member(type_name, path).ok().map(|member| member.size)
    }

    /// Offset and size of a member, or why there is none.
    ///
    /// `path` is names joined by dots, each with indexes in brackets where it is an array. Indexes into a flexible
    /// array are not checked against a length, for it has none. Bit-fields are an error: they have no byte offset.
    pub fn find_member(&self, type_name: &str, path: &str) -> Result<Member, LookupError> {
        self.ask_each(type_name, Kind::has_members, |id, steps| self.follow(id, path, steps))
    }

    fn follow(&self, root: u32, path: &str, steps: &mut Steps) -> Result<Member, LookupError> {
        let mut place = Place { bits: 0, type_id: root, bit_field: false };
        for step in path.split('.') {
            let (name, indexes) = step.split_at(step.find('[').unwrap_or(step.len()));
            if name.is_empty() {
                return Err(LookupError::BadPath);
            }
            place = self.step_into(&place, name, steps)?;
            place = self.step_along(place, indexes, steps)?;
        }
        let (_, last) = self.resolve(place.type_id, steps)?;
        if place.bit_field || last.is_partial_int() || !place.bits.is_multiple_of(8) {
            return Err(LookupError::BitField);
        }
        let offset = u32::try_from(place.bits / 8).map_err(|_| LookupError::Damaged)?;
        Ok(Member { offset, size: self.size_of_id(place.type_id, steps)? })
    }

    /// From a struct to its member of that name.
    fn step_into(&self, from: &Place, name: &str, steps: &mut Steps) -> Result<Place, LookupError> {
        let (id, parent) = match self.resolve(from.type_id, steps) {
            Err(LookupError::NoSize) => return Err(LookupError::NotAStruct),
            other => other?,
        };
        if !parent.head.kind.has_members() {
            return Err(LookupError::NotAStruct);
        }
        let found =
            self.member_named(id, name, MAX_ANONYMOUS_DEPTH, steps)?.ok_or(LookupError::NoSuchMember)?;
        Ok(Place { bits: add(from.bits, found.bits)?, ..found })
    }

    /// From an array to an element, for each index in `[2][3]`.
    fn step_along(
        &self,
        mut place: Place,
        mut indexes: &str,
        steps: &mut Steps,
    ) -> Result<Place, LookupError> {
        while !indexes.is_empty() {
            let (index, rest) = indexes
                .strip_prefix('[')
                .and_then(|inner| inner.split_once(']'))
                .ok_or(LookupError::BadPath)?;
            let index: u32 = index.parse().map_err(|_| LookupError::BadPath)?;
            let array = match self.resolve(place.type_id, steps) {
                Err(LookupError::NoSize) => return Err(LookupError::NotAnArray),
                other => other?.1,
            };
            let (element, elements) = array.array().ok_or(LookupError::NotAnArray)?;
            if elements != 0 && index >= elements {
                return Err(LookupError::IndexOutside);
            }
            let bytes = u64::from(index) * u64::from(self.size_of_id(element, steps)?);
            let bits = bytes.checked_mul(8).ok_or(LookupError::Damaged)?;
            place = Place { bits: add(place.bits, bits)?, type_id: element, bit_field: place.bit_field };
            indexes = rest;
        }
        Ok(place)
    }

    /// The member of that name in struct `id`, looking into anonymous members, `depth` levels at most.
    fn member_named(
        &self,
        id: u32,
        name: &str,
        depth: u32,
        steps: &mut Steps,
    ) -> Result<Option<Place>, LookupError> {
        let parent = self.type_at(id).ok_or(LookupError::Damaged)?;
        for member in parent.members() {
            steps.take()?;
            let bits = u64::from(member.bit_offset);
            let found = if self.is_named(member.name, name) {
                Place { bits, type_id: member.type_id, bit_field: member.bit_field_size != 0 }
            } else if let Some(inner) = self.anonymous_struct(&member, steps)? {
                let depth = depth.checked_sub(1).ok_or(LookupError::Damaged)?;
                match self.member_named(inner, name, depth, steps)? {
                    Some(found) => Place { bits: add(bits, found.bits)?, ..found },
                    None => continue,
                }
            } else {
                continue;
            };
            // What lies outside of its struct would be read from whatever lies there.
            if found.bits > u64::from(parent.head.size_or_type) * 8 {
                return Err(LookupError::Damaged);
            }
            return Ok(Some(found));
        }
        Ok(None)
    }

    /// The struct or union behind a member without a name; unnamed bit-fields are only padding.
    fn anonymous_struct(&self, member: &RawMember, steps: &mut Steps) -> Result<Option<u32>, LookupError> {
        if !self.is_unnamed(member.name) {
            return Ok(None);
        }
        let (id, inner) = self.resolve(member.type_id, steps)?;
        Ok(inner.head.kind.has_members().then_some(id))
    }
}

fn add(left: u64, right: u64) -> Result<u64, LookupError> {
    left.checked_add(right).ok_or(LookupError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::btf::blob::Blob;

    /// Offset and size, or why not.
    type Answer = Result<(u32, u32), LookupError>;

    fn ask<const N: usize>(blob: &Blob, questions: [(&str, Answer); N]) {
        for bytes in [blob.bytes(), blob.bytes_with_layout(&[])] {
            let btf = Btf::parse(&bytes).unwrap();
            for (question, expected) in questions {
                let (name, path) = question.split_once('.').unwrap();
                let answer = btf.find_member(name, path).map(|member| (member.offset, member.size));
                assert_eq!(answer, expected, "{question}");
            }
        }
    }

    #[test]
    fn nested_members_are_reached_through_qualifiers_and_typedefs() {
        let mut blob = Blob::new();
        let int = blob.int("int", 4);
        let void_ptr = blob.pointer(0);
        let path = blob.structure("path", 16, &[("mnt", void_ptr, 0), ("dentry", void_ptr, 8)]);
        let alias = blob.typedef("path_t", path);
        let tagged = blob.type_tag("user", alias);
        let read_only = blob.constant(tagged);
        blob.structure("file", 40, &[("f_flags", int, 4), ("f_path", read_only, 24)]);
        ask(
            &blob,
            [
                ("file.f_flags", Ok((4, 4))),
                ("file.f_path", Ok((24, 16))),
                ("file.f_path.mnt", Ok((24, 8))),
                ("file.f_path.dentry", Ok((32, 8))),
                ("file.f_path.nothing", Err(LookupError::NoSuchMember)),
                ("file.f_path.mnt.root", Err(LookupError::NotAStruct)),
                ("file.f_pat", Err(LookupError::NoSuchMember)),
                ("nofile.f_path", Err(LookupError::NoSuchType)),
            ],
        );
    }

    #[test]
    fn anonymous_members_are_looked_through() {
        let mut blob = Blob::new();
        let int = blob.int("int", 4);
        let innermost = blob.structure("", 8, &[("first", int, 0), ("second", int, 4)]);
        let union = blob.union("", 8, &[("number", int, 0), ("", innermost, 0)]);
        let qualified = blob.constant(union);
        blob.structure(
            "outer",
            24,
            &[("head", int, 0), ("", int, 4), ("", qualified, 16), ("tail", int, 12)],
        );
        ask(
            &blob,
            [
                ("outer.number", Ok((16, 4))),
                ("outer.second", Ok((20, 4))),
                ("outer.tail", Ok((12, 4))),
                ("outer.third", Err(LookupError::NoSuchMember)),
            ],
        );
    }

    #[test]
    fn arrays_are_indexed() {
        let mut blob = Blob::new();
        let long = blob.int("long", 8);
        let limit = blob.structure("rlimit", 16, &[("rlim_cur", long, 0), ("rlim_max", long, 8)]);
        let limits = blob.array(limit, 16);
        let row = blob.array(long, 3);
        let table = blob.array(row, 2);
        let flexible = blob.array(limit, 0);
        blob.structure("signal", 400, &[("rlim", limits, 8), ("table", table, 264), ("tail", flexible, 400)]);
        ask(
            &blob,
            [
                ("signal.rlim", Ok((8, 256))),
                ("signal.rlim[7].rlim_cur", Ok((8 + 7 * 16, 8))),
                ("signal.rlim[15].rlim_max", Ok((8 + 15 * 16 + 8, 8))),
                ("signal.rlim[16]", Err(LookupError::IndexOutside)),
                ("signal.table[1]", Ok((264 + 24, 24))),
                ("signal.table[1][2]", Ok((264 + 24 + 16, 8))),
                ("signal.tail", Ok((400, 0))),
                ("signal.tail[2].rlim_max", Ok((400 + 32 + 8, 8))),
                ("signal.rlim.rlim_cur", Err(LookupError::NotAStruct)),
                ("signal.rlim[1].rlim_cur[0]", Err(LookupError::NotAnArray)),
            ],
        );
    }

    #[test]
    fn bit_fields_of_both_encodings_are_refused() {
        let mut blob = Blob::new();
        let int = blob.int("int", 4);
        let three_bits = blob.int_of_bits("int", 4, 3);
        let shifted = blob.record("int", 1, false, 0, 4, &[8 << 16 | 32]);
        let flagged =
            blob.structure_with_bit_fields("flagged", 8, &[("whole", int, 32, 0), ("part", int, 0, 3)]);
        let far = 0x00ff_fff8;
        blob.structure_with_bit_fields("wide", 0x0020_0000, &[("far", int, far, 0)]);
        blob.structure_of_bits(
            "older",
            8,
            &[("whole", int, 32), ("part", three_bits, 0), ("odd", int, 3), ("late", shifted, 8)],
        );
        let nested = blob.structure("nested", 16, &[("inner", flagged, 8)]);
        blob.structure("", 16, &[("x", nested, 0)]);
        ask(
            &blob,
            [
                ("flagged.whole", Ok((4, 4))),
                ("flagged.part", Err(LookupError::BitField)),
                ("wide.far", Ok((far / 8, 4))),
                ("older.whole", Ok((4, 4))),
                ("older.late", Err(LookupError::BitField)),
                ("older.part", Err(LookupError::BitField)),
                ("older.odd", Err(LookupError::BitField)),
                ("nested.inner.part", Err(LookupError::BitField)),
                ("nested.inner.whole", Ok((12, 4))),
            ],
        );
    }

    #[test]
    fn malformed_paths_are_told_apart_from_absent_members() {
        let mut blob = Blob::new();
        let int = blob.int("int", 4);
        let ints = blob.array(int, 4);
        blob.structure("s", 16, &[("a", ints, 0)]);
        let bad = Err(LookupError::BadPath);
        ask(
            &blob,
            [
                ("s.", bad),
                ("s..a", bad),
                ("s.a.", bad),
                ("s.[1]", bad),
                ("s.a[", bad),
                ("s.a[]", bad),
                ("s.a[-1]", bad),
                ("s.a[1]x", bad),
                ("s.a[99999999999]", bad),
            ],
        );
    }

    #[test]
    fn members_outside_of_their_struct_are_damage() {
        let mut blob = Blob::new();
        let int = blob.int("int", 4);
        let inner = blob.structure("", 4, &[("far", int, 400)]);
        blob.structure("s", 8, &[("beyond", int, 12), ("", inner, 0), ("fine", int, 4)]);
        ask(&blob, [("s.beyond", Err(LookupError::Damaged)), ("s.far", Err(LookupError::Damaged))]);
    }

    #[test]
    fn the_answer_of_a_second_type_of_the_name_is_taken_when_the_first_has_none() {
        let mut blob = Blob::new();
        let int = blob.int("int", 4);
        blob.structure("mount", 4, &[("of_a_driver", int, 0)]);
        blob.structure("mount", 8, &[("mnt_id", int, 4), ("x", int, 0)]);
        blob.structure("mount", 8, &[("x", int, 4)]);
        ask(&blob, [("mount.mnt_id", Ok((4, 4))), ("mount.x", Err(LookupError::Ambiguous))]);
    }

    #[test]
    fn many_types_of_one_name_share_one_allowance() {
        let mut blob = Blob::new();
        let int = blob.int("int", 4);
        let wide = blob.structure("", 8, &vec![("filler", int, 0); 5000]);
        for _ in 0..100 {
            blob.structure("s", 8, &[("", wide, 0)]);
        }
        blob.structure("lone", 8, &[("", wide, 0)]);
        ask(&blob, [("s.x", Err(LookupError::Damaged)), ("lone.x", Err(LookupError::NoSuchMember))]);
    }

    #[test]
    fn loops_and_endless_nesting_end() {
        // Type 1 is a typedef of itself; 2 and 3 contain each other without a name; 4 contains itself 300 times.
        let mut blob = Blob::new();
        let itself = blob.typedef("loop_t", 1);
        let two = blob.structure("two", 8, &[("", 3, 0)]);
        blob.structure("three", 8, &[("", two, 0)]);
        let many = [("", 4, 0); 300];
        blob.structure("many", 8, &many);
        blob.structure("uses", 8, &[("member", itself, 0)]);
        let own_array = blob.array(6, u32::MAX);
        blob.structure("array", 8, &[("member", own_array, 0)]);
        let damaged = Err(LookupError::Damaged);
        ask(
            &blob,
            [
                ("two.x", damaged),
                ("three.x", damaged),
                ("many.x", damaged),
                ("uses.member", damaged),
                ("uses.member.x", damaged),
                ("array.member", damaged),
                ("array.member[4]", damaged),
            ],
        );
    }
}

//! One pass over the type section: where each type begins, and which have a name to be asked for.

use super::{
    error::{BtfError, LookupError},
    header::Sections,
    kind::{HEAD_LEN, Head, Kind},
    names::{NameIndex, name_at},
    record::Type,
};

/// How many types and members one question may visit: the largest struct of a kernel has some three hundred members,
/// a graph that needs more than this is hostile or loops.
const MAX_STEPS: u32 = 1 << 16;

/// BTF of a kernel, or of a module on top of its kernel. Borrows the bytes; a type is looked at when asked for.
#[derive(Debug)]
pub struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    base: Option<&'a Btf<'a>>,
    /// Id of the first type here: 1 (0 is void), or the first that the base does not use.
    first_id: u32,
    /// Offset of the first string here: 0, or the length of all strings of the base.
    first_string: u32,
    /// Byte at which each type begins in `types`.
    starts: Vec<u32>,
    names: NameIndex,
}

/// What one question may still visit.
#[derive(Debug)]
pub(super) struct Steps(u32);

impl Steps {
    pub(super) fn new() -> Self {
        Self(MAX_STEPS)
    }

    pub(super) fn take(&mut self) -> Result<(), LookupError> {
        self.0 = self.0.checked_sub(1).ok_or(LookupError::Damaged)?;
        Ok(())
    }
}

impl<'a> Btf<'a> {
    /// Reads BTF that stands alone, such as the kernel's.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BtfError> {
        Self::read(bytes, None)
    }

    /// Reads BTF whose ids and strings continue those of `base`, such as a module's on the kernel's. Such BTF often
    /// defines structs of the kernel once more; its own definitions answer first.
    pub fn parse_split(bytes: &'a [u8], base: &'a Btf<'a>) -> Result<Self, BtfError> {
        Self::read(bytes, Some(base))
    }

    /// Size of the struct or union of that name, in bytes.
    #[must_use]
    pub fn size_of(&self, type_name: &str) -> Option<u32> {
        self.find_size(type_name).ok()
    }

    /// As [`Self::size_of`], with the reason where there is no answer.
    pub fn find_size(&self, type_name: &str) -> Result<u32, LookupError> {
        self.ask_each(type_name, Kind::has_members, |id, _| {
            self.type_at(id).map(|found| found.head.size_or_type).ok_or(LookupError::Damaged)
        })
    }

    /// Value of an enumerator.
    #[must_use]
    pub fn enum_value(&self, enum_name: &str, enumerator: &str) -> Option<i64> {
        self.find_enum_value(enum_name, enumerator).ok()
    }

    /// As [`Self::enum_value`], with the reason where there is no answer. A value beyond `i64` counts as damage.
    pub fn find_enum_value(&self, enum_name: &str, enumerator: &str) -> Result<i64, LookupError> {
        self.ask_each(enum_name, Kind::is_enum, |id, steps| {
            for (name, value) in self.type_at(id).ok_or(LookupError::Damaged)?.enumerators() {
                steps.take()?;
                if self.is_named(name, enumerator) {
                    return value.ok_or(LookupError::Damaged);
                }
            }
            Err(LookupError::NoSuchEnumerator)
        })
    }

    /// Number of types here, without those of the base.
    #[must_use]
    pub fn type_count(&self) -> usize {
        self.starts.len()
    }

    /// Asks every type of that name and of a wanted kind. The nearest level (module before kernel) that has an answer
    /// gives it; types of one level that answer differently are an error rather than a guess.
    pub(super) fn ask_each<T: PartialEq>(
        &self,
        name: &str,
        wanted: impl Fn(Kind) -> bool,
        mut ask: impl FnMut(u32, &mut Steps) -> Result<T, LookupError>,
    ) -> Result<T, LookupError> {
        // One allowance for all types of the name: there may be as many of them as hostile input likes.
        let mut steps = Steps::new();
        let mut first_error = None;
        for level in self.levels() {
            let mut answer = None;
            for id in level.names.candidates(name.as_bytes()) {
                steps.take()?;
                let Some(head) = self.type_at(id).map(|found| found.head) else { continue };
                if !wanted(head.kind) || !self.is_named(head.name, name) {
                    continue;
                }
                match (ask(id, &mut steps), &answer) {
                    (Ok(new), None) => answer = Some(new),
                    (Ok(new), Some(old)) if new != *old => return Err(LookupError::Ambiguous),
                    (Ok(_), Some(_)) => {}
                    (Err(error), _) => first_error = first_error.or(Some(error)),
                }
            }
            if let Some(answer) = answer {
                return Ok(answer);
            }
        }
        Err(first_error.unwrap_or(LookupError::NoSuchType))
    }

    pub(super) fn type_at(&self, id: u32) -> Option<Type<'a>> {
        let level = self.levels().find(|level| id >= level.first_id)?;
        let index = usize::try_from(id - level.first_id).ok()?;
        let start = usize::try_from(*level.starts.get(index)?).ok()?;
        let end = match level.starts.get(index + 1) {
            Some(&next) => usize::try_from(next).ok()?,
            None => level.types.len(),
        };
        let head = Head::read(level.types, start)?;
        Some(Type { head, trailer: level.types.get(start + HEAD_LEN..end)? })
    }

    /// The type below typedefs, qualifiers and type tags, with its id.
    pub(super) fn resolve(&self, mut id: u32, steps: &mut Steps) -> Result<(u32, Type<'a>), LookupError> {
        loop {
            steps.take()?;
            // Void is no type of its own, and a const void has none either.
            if id == 0 {
                return Err(LookupError::NoSize);
            }
            let found = self.type_at(id).ok_or(LookupError::Damaged)?;
            match found.head.kind {
                Kind::Typedef | Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag => {
                    id = found.head.size_or_type;
                }
                _ => return Ok((id, found)),
            }
        }
    }

    /// Size in bytes of a type in memory.
    pub(super) fn size_of_id(&self, id: u32, steps: &mut Steps) -> Result<u32, LookupError> {
        let mut count: u32 = 1;
        let mut id = id;
        loop {
            let (_, found) = self.resolve(id, steps)?;
            let size = match found.head.kind {
                Kind::Int
                | Kind::Struct
                | Kind::Union
                | Kind::Enum
                | Kind::Enum64
                | Kind::Float
                | Kind::Datasec => found.head.size_or_type,
                // The agent runs on the kernel that it asks about: same pointers.
                Kind::Ptr => u32::try_from(size_of::<*const ()>()).map_err(|_| LookupError::Damaged)?,
                Kind::Array => {
                    let (element, elements) = found.array().ok_or(LookupError::Damaged)?;
                    count = count.checked_mul(elements).ok_or(LookupError::Damaged)?;
                    id = element;
                    continue;
                }
                _ => return Err(LookupError::NoSize),
            };
            return count.checked_mul(size).ok_or(LookupError::Damaged);
        }
    }

    /// Whether the string at offset `at` is exactly `wanted`.
    pub(super) fn is_named(&self, at: u32, wanted: &str) -> bool {
        self.string_bytes(at)
            .and_then(|bytes| bytes.strip_prefix(wanted.as_bytes()))
            .is_some_and(|rest| rest.first() == Some(&0))
    }

    /// Whether the string at offset `at` is empty: the thing has no name.
    pub(super) fn is_unnamed(&self, at: u32) -> bool {
        at == 0 || self.is_named(at, "")
    }

    fn read(bytes: &'a [u8], base: Option<&'a Btf<'a>>) -> Result<Self, BtfError> {
        let Sections { types, strings, layout } = Sections::find(bytes)?;
        check_strings(strings, base.is_some())?;
        let (first_id, first_string) = match base {
            Some(base) => (base.end_id()?, base.end_string()?),
            None => (1, 0),
        };
        let mut btf = Self {
            types,
            strings,
            base,
            first_id,
            first_string,
            // Types of kernels take 25 to 30 bytes on average.
            starts: Vec::with_capacity(types.len() / 24),
            names: NameIndex::default(),
        };
        btf.index_types(layout)?;
        Ok(btf)
    }

    fn index_types(&mut self, layout: &[u8]) -> Result<(), BtfError> {
        let too_many = || BtfError::TooMany { what: "types" };
        let mut names = NameIndex::default();
        let mut at = 0;
        let mut id = self.first_id;
        while at < self.types.len() {
            let cut_off = || BtfError::TypeCutOff { id, offset: at };
            let head = Head::read(self.types, at).ok_or_else(cut_off)?;
            let stride = head.stride(layout).ok_or(match head.kind {
                Kind::Other(kind) => BtfError::UnknownKind { id, kind },
                _ => cut_off(),
            })?;
            let end = at.checked_add(stride).filter(|&end| end <= self.types.len()).ok_or_else(cut_off)?;
            self.starts.push(u32::try_from(at).map_err(|_| too_many())?);
            if (head.kind.has_members() || head.kind.is_enum())
                && let Some(name) = self.name(head.name)
                && !name.is_empty()
            {
                names.add(name, id);
            }
            at = end;
            id = id.checked_add(1).ok_or_else(too_many)?;
        }
        names.sort();
        self.names = names;
        Ok(())
    }

    /// This BTF, then its base, and so on.
    fn levels(&self) -> impl Iterator<Item = &Btf<'a>> {
        std::iter::successors(Some(self), |level| level.base)
    }

    fn end_id(&self) -> Result<u32, BtfError> {
        let count = u32::try_from(self.starts.len()).ok();
        count.and_then(|count| self.first_id.checked_add(count)).ok_or(BtfError::TooMany { what: "types" })
    }

    fn end_string(&self) -> Result<u32, BtfError> {
        let len = u32::try_from(self.strings.len()).ok();
        len.and_then(|len| self.first_string.checked_add(len))
            .ok_or(BtfError::TooMany { what: "string bytes" })
    }

    fn name(&self, at: u32) -> Option<&'a [u8]> {
        name_at(self.string_bytes(at)?, 0)
    }

    /// The strings of the level that offset `at` falls into, from there on.
    fn string_bytes(&self, at: u32) -> Option<&'a [u8]> {
        let level = self.levels().find(|level| at >= level.first_string)?;
        level.strings.get(usize::try_from(at - level.first_string).ok()?..)
    }
}

/// String sections begin with the empty string and end with an end mark; a module's may be empty.
fn check_strings(strings: &[u8], split: bool) -> Result<(), BtfError> {
    let what = match strings {
        [] if split => return Ok(()),
        [] => "it is empty",
        [first, ..] if *first != 0 && !split => "it does not begin with the empty string",
        [.., last] if *last != 0 => "its last string has no end",
        _ => return Ok(()),
    };
    Err(BtfError::BadStrings { what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::btf::blob::Blob;

    #[test]
    fn sizes_come_by_name() {
        let mut blob = Blob::new();
        blob.structure("inode", 616, &[]);
        blob.union("value", 8, &[]);
        blob.enumeration("color", false, &[("RED", 0)]);
        let bytes = blob.bytes();
        let btf = Btf::parse(&bytes).unwrap();
        assert_eq!(btf.size_of("inode"), Some(616));
        assert_eq!(btf.size_of("value"), Some(8));
        assert_eq!(btf.find_size("ino"), Err(LookupError::NoSuchType), "a prefix is not the name");
        assert_eq!(btf.find_size("color"), Err(LookupError::NoSuchType), "an enum is no struct");
        assert_eq!(btf.size_of(""), None);
    }

    #[test]
    fn enumerators_of_all_widths_and_signs() {
        let mut blob = Blob::new();
        blob.enumeration("plain", false, &[("BIG", 0xffff_ffff), ("ONE", 1)]);
        blob.enumeration("signed", true, &[("MINUS", -2)]);
        blob.enumeration64("wide", false, &[("HIGH", 1 << 40), ("OVER", -1)]);
        blob.enumeration64("wide_signed", true, &[("LOW", -(1 << 40))]);
        let bytes = blob.bytes();
        let btf = Btf::parse(&bytes).unwrap();
        assert_eq!(btf.enum_value("plain", "BIG"), Some(0xffff_ffff));
        assert_eq!(btf.enum_value("plain", "ONE"), Some(1));
        assert_eq!(btf.enum_value("signed", "MINUS"), Some(-2));
        assert_eq!(btf.enum_value("wide", "HIGH"), Some(1 << 40));
        assert_eq!(btf.find_enum_value("wide", "OVER"), Err(LookupError::Damaged), "u64::MAX is not -1");
        assert_eq!(btf.enum_value("wide_signed", "LOW"), Some(-(1 << 40)));
        assert_eq!(btf.find_enum_value("plain", "MINUS"), Err(LookupError::NoSuchEnumerator));
        assert_eq!(btf.find_enum_value("nothing", "ONE"), Err(LookupError::NoSuchType));
    }

    #[test]
    fn types_behind_every_kind_are_still_found() {
        for long_header in [false, true] {
            let mut blob = Blob::of_every_kind();
            blob.structure("last", 77, &[]);
            let bytes = if long_header { blob.bytes_with_layout(&[]) } else { blob.bytes() };
            assert_eq!(Btf::parse(&bytes).unwrap().size_of("last"), Some(77), "long header: {long_header}");
        }
    }

    #[test]
    fn an_unknown_kind_is_skipped_by_the_layout_or_refused() {
        let mut blob = Blob::new();
        blob.record("", 20, false, 2, 0, &[1, 2, 3]);
        blob.structure("behind", 5, &[]);
        let with_layout = blob.bytes_with_layout(&[(20, 4, 4)]);
        assert_eq!(Btf::parse(&with_layout).unwrap().size_of("behind"), Some(5));
        let other_layout = blob.bytes_with_layout(&[]);
        assert!(matches!(Btf::parse(&other_layout), Err(BtfError::UnknownKind { id: 1, kind: 20 })));
        let without = blob.bytes();
        assert!(matches!(Btf::parse(&without), Err(BtfError::UnknownKind { id: 1, kind: 20 })));
    }

    #[test]
    fn a_type_cut_off_is_refused_with_its_id() {
        let mut blob = Blob::new();
        blob.structure("whole", 4, &[]);
        blob.record("half", 4, false, 3, 4, &[0, 0, 0]);
        let bytes = blob.bytes();
        assert!(matches!(Btf::parse(&bytes), Err(BtfError::TypeCutOff { id: 2, offset: 12 })));
    }

    #[test]
    fn a_type_that_lacks_its_last_word_is_refused() {
        let mut blob = Blob::new();
        blob.record("int", 1, false, 0, 4, &[]);
        let bytes = blob.bytes();
        assert!(matches!(Btf::parse(&bytes), Err(BtfError::TypeCutOff { id: 1, offset: 0 })));
    }

    #[test]
    fn names_of_one_hash_are_told_apart() {
        let mut blob = Blob::new();
        blob.structure("costarring", 8, &[]);
        blob.structure("liquid", 16, &[]);
        let bytes = blob.bytes();
        let btf = Btf::parse(&bytes).unwrap();
        assert_eq!((btf.size_of("costarring"), btf.size_of("liquid")), (Some(8), Some(16)));
    }

    #[test]
    fn damaged_strings_are_refused() {
        let start = Blob::new().with_strings(b"x\0").bytes();
        assert!(matches!(Btf::parse(&start), Err(BtfError::BadStrings { .. })));
        let end = Blob::new().with_strings(b"\0x").bytes();
        assert!(matches!(Btf::parse(&end), Err(BtfError::BadStrings { .. })));
        let empty = Blob::new().with_strings(b"").bytes();
        assert!(matches!(Btf::parse(&empty), Err(BtfError::BadStrings { .. })));
    }

    #[test]
    fn types_that_disagree_are_not_guessed_between() {
        let mut blob = Blob::new();
        blob.structure("same", 8, &[]);
        blob.structure("same", 8, &[]);
        blob.structure("other", 8, &[]);
        blob.structure("other", 16, &[]);
        let bytes = blob.bytes();
        let btf = Btf::parse(&bytes).unwrap();
        assert_eq!(btf.find_size("same"), Ok(8));
        assert_eq!(btf.find_size("other"), Err(LookupError::Ambiguous));
    }

    #[test]
    fn a_module_sees_its_base_and_its_own_types_first() {
        let mut blob = Blob::new();
        let int = blob.int("int", 4);
        blob.structure("inode", 616, &[("i_ino", int, 0)]);
        blob.structure("file", 184, &[]);
        let base_bytes = blob.bytes();
        let base = Btf::parse(&base_bytes).unwrap();

        let mut module = Blob::on(&blob);
        module.structure("inode", 608, &[]);
        let base_name = blob.string_of("int");
        let own = module.structure("ovl_inode", 700, &[("vfs_inode", 2, 32)]);
        module.member_record(own, base_name, int, 8);
        let module_bytes = module.bytes();
        let split = Btf::parse_split(&module_bytes, &base).unwrap();

        assert_eq!(split.size_of("inode"), Some(608), "the module's own definition");
        assert_eq!(split.size_of("file"), Some(184), "only the base has it");
        assert_eq!(split.size_of("ovl_inode"), Some(700));
        assert_eq!(split.member_offset("ovl_inode", "vfs_inode.i_ino"), Some(32), "ids of the base");
        assert_eq!(split.member_offset("ovl_inode", "int"), Some(8), "strings of the base");
        assert_eq!(base.size_of("ovl_inode"), None);
        assert_eq!((base.type_count(), split.type_count()), (3, 2));
    }
}

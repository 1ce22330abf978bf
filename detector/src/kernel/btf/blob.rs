//! Makes small BTF for tests, so that they need no kernel: a writer beside the reader, fed from the kernel's header
//! file and not from the reader's constants.

/// BTF in the making. Each method adds a type and returns its id; offsets are in bytes unless said otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    types: Vec<Vec<u32>>,
    strings: Vec<u8>,
    first_id: u32,
    first_string: usize,
}

/// Name, type, offset.
pub(crate) type MemberSpec<'a> = (&'a str, u32, u32);

impl Blob {
    pub(crate) fn new() -> Self {
        Self { types: Vec::new(), strings: vec![0], first_id: 1, first_string: 0 }
    }

    /// BTF of a module on top of `base`.
    pub(crate) fn on(base: &Self) -> Self {
        Self {
            types: Vec::new(),
            strings: vec![0],
            first_id: base.next_id(),
            first_string: base.first_string + base.strings.len(),
        }
    }

    pub(crate) fn int(&mut self, name: &str, size: u32) -> u32 {
        self.int_of_bits(name, size, size * 8)
    }

    pub(crate) fn int_of_bits(&mut self, name: &str, size: u32, bits: u32) -> u32 {
        self.record(name, 1, false, 0, size, &[bits])
    }

    pub(crate) fn pointer(&mut self, to: u32) -> u32 {
        self.record("", 2, false, 0, to, &[])
    }

    pub(crate) fn array(&mut self, of: u32, elements: u32) -> u32 {
        self.record("", 3, false, 0, 0, &[of, 1, elements])
    }

    pub(crate) fn structure(&mut self, name: &str, size: u32, members: &[MemberSpec<'_>]) -> u32 {
        let bits: Vec<_> = members.iter().map(|&(name, id, bytes)| (name, id, bytes * 8)).collect();
        self.structure_of_bits(name, size, &bits)
    }

    /// Offsets in bits.
    pub(crate) fn structure_of_bits(&mut self, name: &str, size: u32, members: &[MemberSpec<'_>]) -> u32 {
        let words = self.member_words(members.iter().copied());
        self.record(name, 4, false, members.len(), size, &words)
    }

    /// Members are name, type, offset in bits, bit-field size (0 for none).
    pub(crate) fn structure_with_bit_fields(
        &mut self,
        name: &str,
        size: u32,
        members: &[(&str, u32, u32, u32)],
    ) -> u32 {
        let words =
            self.member_words(members.iter().map(|&(name, id, at, bits)| (name, id, bits << 24 | at)));
        self.record(name, 4, true, members.len(), size, &words)
    }

    pub(crate) fn union(&mut self, name: &str, size: u32, members: &[MemberSpec<'_>]) -> u32 {
        let words = self.member_words(members.iter().map(|&(name, id, bytes)| (name, id, bytes * 8)));
        self.record(name, 5, false, members.len(), size, &words)
    }

    pub(crate) fn enumeration(&mut self, name: &str, signed: bool, values: &[(&str, i64)]) -> u32 {
        let words: Vec<_> =
            values.iter().flat_map(|&(name, value)| [self.string(name), low_half(value)]).collect();
        self.record(name, 6, signed, values.len(), 4, &words)
    }

    pub(crate) fn enumeration64(&mut self, name: &str, signed: bool, values: &[(&str, i64)]) -> u32 {
        let words: Vec<_> = values
            .iter()
            .flat_map(|&(name, value)| [self.string(name), low_half(value), low_half(value >> 32)])
            .collect();
        self.record(name, 19, signed, values.len(), 8, &words)
    }

    pub(crate) fn typedef(&mut self, name: &str, of: u32) -> u32 {
        self.record(name, 8, false, 0, of, &[])
    }

    pub(crate) fn constant(&mut self, of: u32) -> u32 {
        self.record("", 10, false, 0, of, &[])
    }

    pub(crate) fn type_tag(&mut self, name: &str, of: u32) -> u32 {
        self.record(name, 18, false, 0, of, &[])
    }

    /// One of each kind, with what follows it.
    pub(crate) fn of_every_kind() -> Self {
        let mut blob = Self::new();
        let int = blob.int("int", 4);
        let pointer = blob.pointer(int);
        let array = blob.array(int, 4);
        let structure = blob.structure("s", 32, &[("a", int, 0), ("p", pointer, 8), ("v", array, 16)]);
        blob.union("u", 32, &[("s", structure, 0), ("i", int, 0)]);
        blob.enumeration("e", false, &[("E_ZERO", 0), ("E_ONE", 1)]);
        blob.record("forward", 7, true, 0, 0, &[]);
        blob.typedef("int_t", int);
        blob.record("", 9, false, 0, int, &[]);
        blob.constant(int);
        blob.record("", 11, false, 0, pointer, &[]);
        let prototype = blob.record("", 13, false, 2, int, &[0, int, 0, pointer]);
        blob.record("function", 12, false, 1, prototype, &[]);
        let variable = blob.record("variable", 14, false, 0, int, &[1]);
        blob.record(".data", 15, false, 1, 64, &[variable, 0, 4]);
        blob.record("double", 16, false, 0, 8, &[]);
        blob.record("tag", 17, false, 0, structure, &[u32::MAX]);
        blob.type_tag("rcu", int);
        blob.enumeration64("e64", true, &[("E64_LOW", -(1 << 40))]);
        blob
    }

    /// A type of any kind: `words` follow its head.
    pub(crate) fn record(
        &mut self,
        name: &str,
        kind: u32,
        kind_flag: bool,
        elements: usize,
        size_or_type: u32,
        words: &[u32],
    ) -> u32 {
        let info = u32::from(kind_flag) << 31 | kind << 24 | u32::try_from(elements).unwrap();
        let mut record = vec![self.string(name), info, size_or_type];
        record.extend(words);
        self.types.push(record);
        self.next_id() - 1
    }

    /// One more member of a struct made here, named by an offset into the strings.
    pub(crate) fn member_record(&mut self, of: u32, name: u32, id: u32, bytes: u32) {
        let index = usize::try_from(of - self.first_id).unwrap();
        self.types[index].extend([name, id, bytes * 8]);
        self.types[index][1] += 1;
    }

    /// Offset of a string that is there already.
    pub(crate) fn string_of(&self, text: &str) -> u32 {
        let wanted = [b"\0", text.as_bytes(), b"\0"].concat();
        let at = self.strings.windows(wanted.len()).position(|window| window == wanted).unwrap();
        u32::try_from(self.first_string + at + 1).unwrap()
    }

    pub(crate) fn with_strings(mut self, strings: &[u8]) -> Self {
        self.strings = strings.to_vec();
        self
    }

    /// With the header of 24 bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let types = self.type_bytes();
        let (types_len, strings_len) = (len(&types), len(&self.strings));
        let mut bytes = header(&[24, 0, types_len, types_len, strings_len]);
        bytes.extend(types);
        bytes.extend(&self.strings);
        bytes
    }

    /// With the header of 32 bytes and a layout section; `unknown` gives code, bytes behind the head and bytes per
    /// element of kinds beyond the known ones.
    pub(crate) fn bytes_with_layout(&self, unknown: &[(u8, u8, u8)]) -> Vec<u8> {
        let known = [0, 4, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 4, 0, 0];
        let per_element = [0, 0, 0, 0, 12, 12, 8, 0, 0, 0, 0, 0, 0, 8, 0, 12, 0, 0, 0, 12];
        let mut layout: Vec<[u8; 4]> =
            known.iter().zip(per_element).map(|(&fixed, element)| [fixed, element, 0, 0]).collect();
        for &(code, fixed, element) in unknown {
            layout.resize(layout.len().max(usize::from(code) + 1), [0; 4]);
            layout[usize::from(code)] = [fixed, element, 0, 0];
        }
        let layout = layout.concat();
        let types = self.type_bytes();
        let (types_len, layout_len, strings_len) = (len(&types), len(&layout), len(&self.strings));
        let words = [32, 0, types_len, types_len + layout_len, strings_len, types_len, layout_len];
        [header(&words), types, layout, self.strings.clone()].concat()
    }

    fn next_id(&self) -> u32 {
        self.first_id + u32::try_from(self.types.len()).unwrap()
    }

    fn member_words<'b>(&mut self, members: impl Iterator<Item = MemberSpec<'b>>) -> Vec<u32> {
        members.flat_map(|(name, id, offset)| [self.string(name), id, offset]).collect()
    }

    fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let at = self.first_string + self.strings.len();
        self.strings.extend(text.as_bytes());
        self.strings.push(0);
        u32::try_from(at).unwrap()
    }

    fn type_bytes(&self) -> Vec<u8> {
        self.types.iter().flatten().flat_map(|word| word.to_ne_bytes()).collect()
    }
}

fn header(words: &[u32]) -> Vec<u8> {
    let mut bytes = 0xeb9f_u16.to_ne_bytes().to_vec();
    bytes.extend([1, 0]);
    bytes.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
    bytes
}

fn len(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap()
}

fn low_half(value: i64) -> u32 {
    u32::try_from(value & 0xffff_ffff).unwrap()
}

//! From a name to the types that bear it: hashes sorted beside ids, because a kernel has some ten thousand named
//! structs and enums and a map of strings would cost more than the whole rest of the reading.

/// Names of C that are longer than this the kernel does not accept either (`KSYM_NAME_LEN`); the bound keeps a
/// string section without end from being hashed once per type.
pub(super) const MAX_NAME_LEN: usize = 512;

/// Hash and id of each named type, sorted by both once [`Self::sort`] has run.
#[derive(Debug, Default)]
pub(super) struct NameIndex {
    entries: Vec<(u32, u32)>,
}

impl NameIndex {
    pub(super) fn add(&mut self, name: &[u8], id: u32) {
        self.entries.push((hash(name), id));
    }

    pub(super) fn sort(&mut self) {
        self.entries.sort_unstable();
    }

    /// Ids, ascending, of the types that may bear this name: the caller compares names, hashes collide.
    pub(super) fn candidates(&self, name: &[u8]) -> impl Iterator<Item = u32> + '_ {
        let wanted = hash(name);
        let start = self.entries.partition_point(|&(found, _)| found < wanted);
        self.entries[start..].iter().take_while(move |&&(found, _)| found == wanted).map(|&(_, id)| id)
    }
}

/// The string that begins at byte `at`, without its end mark; `None` outside, without an end mark, or too long.
pub(super) fn name_at(strings: &[u8], at: usize) -> Option<&[u8]> {
    let rest = strings.get(at..)?;
    let window = &rest[..rest.len().min(MAX_NAME_LEN + 1)];
    let len = window.iter().position(|&byte| byte == 0)?;
    Some(&window[..len])
}

/// FNV-1a, 32 bits: names are short, and a collision costs one comparison.
fn hash(name: &[u8]) -> u32 {
    name.iter().fold(0x811c_9dc5, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_come_by_name_in_order_of_ids() {
        let mut index = NameIndex::default();
        for (name, id) in [("inode", 9), ("file", 2), ("inode", 3)] {
            index.add(name.as_bytes(), id);
        }
        index.sort();
        assert_eq!(index.candidates(b"inode").collect::<Vec<_>>(), [3, 9]);
        assert_eq!(index.candidates(b"file").collect::<Vec<_>>(), [2]);
        assert_eq!(index.candidates(b"dentry").count(), 0);
    }

    #[test]
    fn a_colliding_name_is_a_candidate_too() {
        // A known pair of FNV-1a collisions: the caller must compare names.
        let mut index = NameIndex::default();
        index.add(b"costarring", 1);
        index.add(b"liquid", 2);
        index.sort();
        assert_eq!(index.candidates(b"liquid").collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn a_name_ends_at_its_mark_and_nowhere_else() {
        assert_eq!(name_at(b"\0ab\0c", 1), Some(&b"ab"[..]));
        assert_eq!(name_at(b"\0ab\0c", 2), Some(&b"b"[..]));
        assert_eq!(name_at(b"\0ab\0c", 0), Some(&b""[..]));
        assert_eq!(name_at(b"\0ab\0c", 4), None, "no end mark");
        assert_eq!(name_at(b"\0ab\0c", 6), None, "outside");
        let mut long = vec![b'x'; MAX_NAME_LEN];
        long.push(0);
        assert_eq!(name_at(&long, 0).map(<[u8]>::len), Some(MAX_NAME_LEN));
        long.insert(0, b'x');
        assert_eq!(name_at(&long, 0), None, "too long");
    }
}

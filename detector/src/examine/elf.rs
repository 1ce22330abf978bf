//! Facts from the headers of an ELF file. The file is an attacker's: every size in it is an allegation, and only so many
//! bytes are read.

use std::{fs::File, os::unix::fs::FileExt};

use object::{
    Endianness, elf,
    pod::{Pod, from_bytes, slice_from_bytes},
    read::elf::{FileHeader, ProgramHeader, SectionHeader},
};

use super::content::hexadecimal;
use crate::event::ElfFacts;

/// Bytes of all program headers, and of one piece of section headers.
const HEADERS: usize = 64 * 1024;
/// Section headers that are looked at.
const SECTIONS: usize = 0xff00;
/// Bytes of the path of the dynamic loader.
const INTERPRETER: usize = 4096;
/// Bytes of a segment of notes.
const NOTES: usize = 16 * 1024;
/// Longest build id that is shown.
const BUILD_ID: usize = 64;

/// `None` where it is no ELF file, or its headers cannot be read.
pub(super) fn facts(file: &File) -> Option<ElfFacts> {
    let ident = bytes(file, 0, 16)?;
    if !ident.starts_with(&elf::ELFMAG) {
        return None;
    }
    match *ident.get(elf::ELFMAG.len())? {
        elf::ELFCLASS64 => of_class::<elf::FileHeader64<Endianness>>(file),
        elf::ELFCLASS32 => of_class::<elf::FileHeader32<Endianness>>(file),
        _ => None,
    }
}

fn of_class<H>(file: &File) -> Option<ElfFacts>
where
    H: FileHeader<Endian = Endianness> + Pod,
    H::ProgramHeader: Pod,
    H::SectionHeader: Pod,
{
    let start = bytes(file, 0, size_of::<H>())?;
    let (header, _) = from_bytes::<H>(&start).ok()?;
    let endian = header.endian().ok()?;
    let mut found = ElfFacts { is_static: true, stripped: true, build_id: None, interpreter: None };

    let size = usize::from(header.e_phnum(endian)) * size_of::<H::ProgramHeader>();
    let raw = bytes(file, header.e_phoff(endian).into(), size.min(HEADERS))?;
    let count = raw.len() / size_of::<H::ProgramHeader>();
    let (segments, _) = slice_from_bytes::<H::ProgramHeader>(&raw, count).ok()?;
    for segment in segments {
        let (at, length): (u64, u64) = (segment.p_offset(endian).into(), segment.p_filesz(endian).into());
        let part = |bound: usize| bytes(file, at, usize::try_from(length).unwrap_or(usize::MAX).min(bound));
        match segment.p_type(endian) {
            elf::PT_INTERP => {
                found.is_static = false;
                let path = part(INTERPRETER).unwrap_or_default();
                let path = path.split(|byte| *byte == 0).next().unwrap_or_default();
                found.interpreter = Some(String::from_utf8_lossy(path).into_owned());
            }
            elf::PT_NOTE if found.build_id.is_none() => {
                found.build_id = build_id(&part(NOTES).unwrap_or_default(), endian);
            }
            _ => {}
        }
    }
    found.stripped = !has_symbols::<H>(file, header, endian);
    Some(found)
}

fn has_symbols<H>(file: &File, header: &H, endian: Endianness) -> bool
where
    H: FileHeader<Endian = Endianness>,
    H::SectionHeader: Pod,
{
    let each = size_of::<H::SectionHeader>();
    let in_piece = HEADERS / each;
    let count = usize::from(header.e_shnum(endian)).min(SECTIONS);
    for first in (0..count).step_by(in_piece) {
        let at = header.e_shoff(endian).into().saturating_add((first * each) as u64);
        let Some(raw) = bytes(file, at, (count - first).min(in_piece) * each) else { return false };
        let Ok((sections, _)) = slice_from_bytes::<H::SectionHeader>(&raw, raw.len() / each) else {
            return false;
        };
        if sections.iter().any(|section| section.sh_type(endian) == elf::SHT_SYMTAB) {
            return true;
        }
    }
    false
}

/// Notes: sizes of name and description, type, then both, each filled up to four bytes.
fn build_id(mut notes: &[u8], endian: Endianness) -> Option<String> {
    use object::Endian as _;
    let padded = |size: usize| size.checked_add(3).map(|size| size & !3);
    loop {
        let number = |at: usize| -> Option<u32> {
            let bytes: [u8; 4] = notes.get(at..at + 4)?.try_into().ok()?;
            Some(endian.read_u32(bytes))
        };
        let (name, description) = (usize::try_from(number(0)?).ok()?, usize::try_from(number(4)?).ok()?);
        let kind = number(8)?;
        let at = 12_usize.checked_add(padded(name)?)?;
        let text = notes.get(12..12_usize.checked_add(name)?)?;
        let value = notes.get(at..at.checked_add(description)?)?;
        if kind == elf::NT_GNU_BUILD_ID && text == b"GNU\0" {
            return Some(hexadecimal(&value[..value.len().min(BUILD_ID)]));
        }
        notes = notes.get(at.checked_add(padded(description)?)?..)?;
    }
}

/// As many bytes as there are, up to `size`.
fn bytes(file: &File, at: u64, size: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; size];
    let mut filled = 0;
    while filled < size {
        match file.read_at(&mut bytes[filled..], at.checked_add(filled as u64)?) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    bytes.truncate(filled);
    (filled > 0 || size == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        io::Write,
    };

    use proptest::prelude::{any, prop, proptest};

    use super::facts;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn this_program_is_described() {
        let found = facts(&File::open("/proc/self/exe").unwrap()).unwrap();
        assert_eq!(found.is_static, found.interpreter.is_none());
    }

    #[test]
    fn symbols_are_found_among_the_sections() {
        // Elf64_Ehdr: e_shoff at 40, e_shnum at 60; of an Elf64_Shdr (64 bytes) the type stands at 4.
        let mut bytes = vec![0; 64 * 3];
        bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        (bytes[40], bytes[60]) = (64, 2);
        assert!(facts(&file(&bytes)).unwrap().stripped);
        bytes[64 * 2 + 4] = 2;
        let found = facts(&file(&bytes)).unwrap();
        assert!(!found.stripped && found.is_static);
    }

    #[test]
    fn what_is_no_elf_is_none() {
        assert_eq!(facts(&file(b"#!/bin/sh\n")), None);
        assert_eq!(facts(&file(b"\x7fELF")), None);
        assert_eq!(facts(&file(b"")), None);
    }

    proptest! {
        /// Whatever an attacker writes into the headers, the answer comes.
        #[test]
        fn damaged_headers_are_survived(changes in prop::collection::vec((0_usize..4096, any::<u8>()), 1..40)) {
            let mut bytes = fs::read("/proc/self/exe").unwrap();
            bytes.truncate(64 * 1024);
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            let _ = facts(&file(&bytes));
        }
    }
}

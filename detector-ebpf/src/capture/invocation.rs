//! What an exec is about besides the file: a script that names the file as its interpreter, or an interpreter that is
//! told what to run.

use detector_common::{
    kernel_offsets::ABSENT,
    record::exec::{Origin, Subject, known},
    settings::predicate,
};

use crate::{
    capture::executable::Executable,
    kernel_read::{Address, pointer, read_str, typed},
    maps,
    settings::{offset, scripts_seen},
};

/// Asked for only what some term looks at.
#[inline(always)]
pub(crate) fn predicates<const TYPED: bool>(exe: &Executable, bprm: Address, on_demand: u32) -> u32 {
    let mut facts = 0;
    if on_demand & predicate::SCRIPT != 0 && is_script::<TYPED>(bprm) {
        facts |= predicate::SCRIPT;
        if on_demand & predicate::IMAGE_SCRIPT != 0 && is_of_image(bprm as u64) {
            facts |= predicate::IMAGE_SCRIPT;
        }
    }
    if on_demand & predicate::INTERPRETER != 0 && is_interpreter(exe.file) {
        facts |= predicate::INTERPRETER;
    }
    facts
}

/// Could-not-tell counts as yes. Both names are one string until a script, or a handler of binfmt_misc, puts its
/// interpreter in the place of the file.
#[inline(always)]
fn is_script<const TYPED: bool>(bprm: Address) -> bool {
    let (filename, interp) = (offset!(bprm_filename), offset!(bprm_interp));
    if filename == ABSENT || interp == ABSENT {
        return true;
    }
    let name = |offset: u32| -> Address { if TYPED { typed(bprm, offset) } else { pointer(bprm, offset) } };
    let (given, interpreter) = (name(filename), name(interp));
    given.is_null() || given != interpreter
}

/// Whether the script was seen, and is the image's as it is: on the layers of the container's root. Could-not-tell counts as
/// no.
#[inline(always)]
fn is_of_image(bprm: u64) -> bool {
    if !scripts_seen() {
        return false;
    }
    let Some(script) = maps::script_of(&bprm) else { return false };
    // SAFETY: a value of the map; another CPU may put another in its place, which is plain data as well.
    let script: &Subject = unsafe { &*script };
    let (known, file) = (script.known, &script.file);
    let at_home = known & known::OWN_NS_ROOT == 0 || file.dev == file.ns_root_dev;
    file.origin == Origin::Image as u8 && known & known::NS_ROOT != 0 && at_home
}

/// Beginnings of names of programs that run what their arguments say, with the number of bytes that count. The name is
/// that of the file itself, so a link to an interpreter is one, too.
const NAMES: [(u64, u32); 18] = [
    name(b"sh\0", 3),
    name(b"ash\0", 4),
    name(b"bash", 4),
    name(b"rbash", 5),
    name(b"dash", 4),
    name(b"zsh", 3),
    name(b"ksh", 3),
    name(b"mksh", 4),
    name(b"busybox", 7),
    name(b"toybox", 6),
    name(b"python", 6),
    name(b"pypy", 4),
    name(b"perl", 4),
    name(b"ruby", 4),
    name(b"node", 4),
    name(b"php", 3),
    name(b"lua", 3),
    name(b"java\0", 5),
];

const fn name(text: &[u8], length: u32) -> (u64, u32) {
    let mut bytes = [0; 8];
    let mut index = 0;
    while index < text.len() {
        bytes[index] = text[index];
        index += 1;
    }
    (u64::from_le_bytes(bytes), length)
}

#[inline(always)]
fn is_interpreter(file: Address) -> bool {
    let name = pointer(pointer(file, offset!(file_path_dentry)), offset!(dentry_name));
    let mut start = [0u8; 8];
    // SAFETY: start has the 8 bytes; a longer name is cut.
    if unsafe { read_str::<8>(start.as_mut_ptr(), name) }.is_err() {
        return true;
    }
    let start = u64::from_le_bytes(start);
    let mut index = 0;
    while index < NAMES.len() {
        let (wanted, length) = NAMES[index];
        let mask = if length == 8 { u64::MAX } else { (1 << (length * 8)) - 1 };
        if start & mask == wanted {
            return true;
        }
        index += 1;
    }
    false
}

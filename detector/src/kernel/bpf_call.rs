//! `bpf(2)` itself, for what the loader and the probes ask of it.
//!
//! Layout source: `include/uapi/linux/bpf.h`, `union bpf_attr`. The kernel takes what is missing at the end as zero.

use std::{
    ffi::{CStr, CString},
    io,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use zerocopy::{Immutable, IntoBytes};

use super::instruction::Instruction;

const MAP_CREATE: u32 = 0;
const MAP_LOOKUP_ELEM: u32 = 1;
const MAP_UPDATE_ELEM: u32 = 2;
const PROG_LOAD: u32 = 5;
const OBJ_PIN: u32 = 6;
const OBJ_GET: u32 = 7;
const RAW_TRACEPOINT_OPEN: u32 = 17;
const BTF_LOAD: u32 = 18;
const MAP_FREEZE: u32 = 22;

/// What a map shall be.
#[repr(C)]
#[derive(Default, IntoBytes, Immutable)]
pub(super) struct MapAttributes {
    pub(super) kind: u32,
    pub(super) key_size: u32,
    pub(super) value_size: u32,
    pub(super) max_entries: u32,
    pub(super) flags: u32,
    pub(super) inner_map: u32,
    pub(super) numa_node: u32,
    pub(super) name: [u8; 16],
}

#[repr(C)]
#[derive(IntoBytes, Immutable)]
struct ElementAttributes {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
#[derive(IntoBytes, Immutable)]
struct BtfAttributes {
    data: u64,
    log: u64,
    size: u32,
    log_size: u32,
    log_level: u32,
    /// Where kernels since 6.4 answer.
    log_true_size: u32,
}

#[repr(C)]
#[derive(IntoBytes, Immutable)]
struct FreezeAttributes {
    map: u32,
}

#[repr(C)]
#[derive(Default, IntoBytes, Immutable)]
struct ProgramAttributes {
    kind: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    expected_attach_type: u32,
    btf: u32,
    function_size: u32,
    functions: u64,
    function_count: u32,
    line_size: u32,
    lines: u64,
    line_count: u32,
    attach_btf_id: u32,
    attach_descriptor: u32,
    /// Named, as the kernel would read what a gap happens to hold.
    core_relocation_count: u32,
}

const _: () = assert!(size_of::<ProgramAttributes>() == 120 && size_of::<ElementAttributes>() == 32);
const _: () = assert!(size_of::<MapAttributes>() == 44);
const _: () = assert!(std::mem::offset_of!(ProgramAttributes, attach_btf_id) == 108);

#[repr(C)]
#[derive(IntoBytes, Immutable)]
struct OpenAttributes {
    name: u64,
    program: u32,
    padding: u32,
}

#[repr(C)]
#[derive(IntoBytes, Immutable)]
struct PinAttributes {
    path: u64,
    descriptor: u32,
    flags: u32,
}

/// The kinds of programs, and what the kernel calls them.
#[derive(Clone, Copy, Debug)]
pub(super) enum ProgramKind {
    Kprobe,
    RawTracepoint,
    /// With the BTF id of the tracepoint's type (`btf_trace_...`).
    TypedTracepoint(u32),
    /// With the BTF id of the function.
    Fentry(u32),
    /// With the BTF id of the function.
    Lsm(u32),
}

impl ProgramKind {
    /// `enum bpf_prog_type`, `enum bpf_attach_type`, id of the function.
    const fn numbers(self) -> (u32, u32, u32) {
        match self {
            Self::Kprobe => (2, 0, 0),
            Self::RawTracepoint => (17, 0, 0),
            Self::TypedTracepoint(id) => (26, 23, id),
            Self::Fentry(id) => (26, 24, id),
            Self::Lsm(id) => (29, 27, id),
        }
    }
}

/// Makes a map without a name.
pub(super) fn make_map(kind: u32, key_size: u32, value_size: u32, max_entries: u32) -> io::Result<OwnedFd> {
    make_map_of(&MapAttributes { kind, key_size, value_size, max_entries, ..MapAttributes::default() })
}

/// Makes a map.
pub(super) fn make_map_of(attributes: &MapAttributes) -> io::Result<OwnedFd> {
    descriptor(call(MAP_CREATE, attributes)?)
}

/// Sets the first element of an array; `value` has the size of one.
pub(super) fn set_first(map: &OwnedFd, value: &[u8]) -> io::Result<()> {
    first_element(map, MAP_UPDATE_ELEM, value.as_ptr() as u64)
}

/// Forbids that user space changes a map; the verifier then takes its values for constants.
pub(super) fn freeze(map: &OwnedFd) -> io::Result<()> {
    call(MAP_FREEZE, &FreezeAttributes { map: number(map) }).map(drop)
}

/// Reads the first element of an array; `value` has the size of one.
pub(super) fn get_first(map: &OwnedFd, value: &mut [u8]) -> io::Result<()> {
    first_element(map, MAP_LOOKUP_ELEM, value.as_mut_ptr() as u64)
}

/// Reads or writes the first element of an array; `value` is the address of as many bytes as one has.
fn first_element(map: &OwnedFd, command: u32, value: u64) -> io::Result<()> {
    let index = 0_u32;
    let attributes =
        ElementAttributes { map: number(map), padding: 0, key: &raw const index as u64, value, flags: 0 };
    call(command, &attributes).map(drop)
}

/// Gives a map, a program or the link of an attached program a name in a bpffs, which holds it when all its
/// descriptors are closed.
pub(super) fn pin(object: &OwnedFd, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let attributes = PinAttributes { path: path.as_ptr() as u64, descriptor: number(object), flags: 0 };
    call(OBJ_PIN, &attributes).map(drop)
}

/// Opens what has this name.
pub(super) fn open_pinned(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let attributes = PinAttributes { path: path.as_ptr() as u64, descriptor: 0, flags: 0 };
    descriptor(call(OBJ_GET, &attributes)?)
}

/// The element of an array of `u64`.
pub(super) fn lookup_u64(map: &OwnedFd, index: u32) -> io::Result<u64> {
    let mut value = 0_u64;
    let attributes = ElementAttributes {
        map: number(map),
        padding: 0,
        key: &raw const index as u64,
        value: &raw mut value as u64,
        flags: 0,
    };
    call(MAP_LOOKUP_ELEM, &attributes)?;
    Ok(value)
}

/// Hands in descriptions of types.
pub(super) fn load_btf(bytes: &[u8]) -> io::Result<OwnedFd> {
    let attributes = BtfAttributes {
        data: bytes.as_ptr() as u64,
        log: 0,
        size: u32::try_from(bytes.len()).map_err(io::Error::other)?,
        log_size: 0,
        log_level: 0,
        log_true_size: 0,
    };
    descriptor(call(BTF_LOAD, &attributes)?)
}

/// Loads a small program of the probes.
pub(super) fn load(kind: ProgramKind, instructions: &[Instruction]) -> io::Result<OwnedFd> {
    load_program(
        &ProgramText { kind, name: "detector_probe", license: c"GPL", instructions, types: None },
        &mut [],
    )
}

/// A program.
#[derive(Clone, Copy)]
pub(super) struct ProgramText<'a> {
    pub(super) kind: ProgramKind,
    /// The kernel keeps 15 bytes.
    pub(super) name: &'a str,
    pub(super) license: &'a CStr,
    pub(super) instructions: &'a [Instruction],
    /// The types, and for each function its first instruction and its type.
    pub(super) types: Option<(&'a OwnedFd, &'a [[u32; 2]])>,
}

/// Loads a program. Where `log` has room the verifier tells what it does.
pub(super) fn load_program(program: &ProgramText<'_>, log: &mut [u8]) -> io::Result<OwnedFd> {
    let (kind, expected_attach_type, attach_btf_id) = program.kind.numbers();
    let length = |length: usize| u32::try_from(length).map_err(io::Error::other);
    let mut attributes = ProgramAttributes {
        kind,
        instruction_count: length(program.instructions.len())?,
        instructions: program.instructions.as_ptr() as u64,
        license: program.license.as_ptr() as u64,
        name: short_name(program.name),
        expected_attach_type,
        attach_btf_id,
        ..ProgramAttributes::default()
    };
    if let Some((btf, functions)) = program.types {
        attributes.btf = number(btf);
        attributes.function_size = 8;
        attributes.functions = functions.as_ptr() as u64;
        attributes.function_count = length(functions.len())?;
    }
    if !log.is_empty() {
        attributes.log_level = 1;
        attributes.log_size = length(log.len())?;
        attributes.log = log.as_mut_ptr() as u64;
    }
    descriptor(call(PROG_LOAD, &attributes)?)
}

/// A name as the kernel takes it: cut, with a NUL at the end.
pub(super) fn short_name(name: &str) -> [u8; 16] {
    let mut short = [0; 16];
    for (to, from) in short.iter_mut().take(15).zip(name.bytes()) {
        *to = from;
    }
    short
}

/// Before 5.11 the kernel holds maps against this limit, which is too low by default. A refusal shows when the maps are
/// made.
pub(super) fn raise_locked_memory_limit() {
    let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the struct lives during the call, and nothing is written to it.
    let _ = unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) };
}

/// Attaches to a raw tracepoint by name, or without one to what the program was loaded for.
pub(super) fn open_raw_tracepoint(program: &OwnedFd, name: Option<&CStr>) -> io::Result<OwnedFd> {
    let name = name.map_or(0, |name| name.as_ptr() as u64);
    let attributes = OpenAttributes { name, program: number(program), padding: 0 };
    descriptor(call(RAW_TRACEPOINT_OPEN, &attributes)?)
}

fn number(descriptor: &OwnedFd) -> u32 {
    descriptor.as_raw_fd().cast_unsigned()
}

/// Without gaps between or behind the attributes, which the types' own bound makes sure of: a kernel refuses a command when
/// there is anything but zeros behind what it knows, and what is in a gap is chance. Before 6.4 that kept the types of an
/// agent out that another compilation of the same source got in.
fn call<T: IntoBytes + Immutable>(command: u32, attributes: &T) -> io::Result<libc::c_long> {
    // SAFETY: `attributes` is laid out as the command wants it, and all memory that it points to is alive here: the
    // callers hold it, and the kernel keeps no pointer.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw const *attributes, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn descriptor(result: libc::c_long) -> io::Result<OwnedFd> {
    let number = RawFd::try_from(result).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

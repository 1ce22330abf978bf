//! All maps of the object, and the layout of the per-CPU scratch space.

use aya_ebpf::{
    macros::map,
    maps::{Array, LruHashMap, PerCpuArray, RingBuf},
};
use detector_common::{
    counters::Counter,
    limits::{
        ANCESTOR_EXES, MAPPINGS as MAPPING_COUNT, MARKS as MARK_COUNT, RING_BYTES, SCRIPTS as SCRIPT_COUNT,
        TAIL_BYTES, WRITER_CGROUP_BYTES, WRITER_CONTAINERS, WRITER_HIERARCHIES, WRITERS as WRITER_COUNT,
    },
    record::exec::{ExecRecord, Subject, Writer},
};

use crate::{
    capture::{executable::Executable, path::Place},
    kernel_read::{Address, Block},
    mark::ExecName,
};

/// Where a record is put together: the BPF stack has 512 bytes.
#[repr(C)]
pub(crate) struct Scratch {
    pub(crate) record: ExecRecord,
    pub(crate) tail: [u8; TAIL_BYTES],
    pub(crate) work: Work,
}

/// What the capture keeps between its steps. In memory and not in registers on purpose: what the verifier reads
/// back from a map is unknown to it, so different ways to the same point look the same and are checked once.
#[repr(C)]
pub(crate) struct Work {
    /// Number of this scratch space among those of the CPU: functions of their own are told it.
    pub(crate) slot: u64,
    /// 1 while it is in use, where it can be interrupted.
    pub(crate) busy: u64,
    /// The mapped file, or the script.
    pub(crate) mapped: Executable,
    /// What came of it.
    pub(crate) subject: Subject,
    /// Under which name it is put aside.
    pub(crate) key: u64,
    /// Bytes of the tail in use.
    pub(crate) used: u32,
    /// 1 when a section was cut.
    pub(crate) truncated: u32,
    /// The executed file.
    pub(crate) exe: Executable,
    /// The task's root directory; null where it could not be read.
    pub(crate) root: Place,
    /// The place whose path is walked.
    pub(crate) place: Place,
    /// The cgroup walked last, and the section it went to.
    pub(crate) last_cgroup: Address,
    pub(crate) last_section: u64,
    /// The mount of `place`, and the dentry at its top.
    pub(crate) top_of: Address,
    pub(crate) top: Address,
    /// The process whose parent comes next, or the cgroup.
    pub(crate) current: Address,
    /// The first ancestors, parent first.
    pub(crate) leaders: [Leader; ANCESTOR_EXES],
    /// Of a task, from `mm` on.
    pub(crate) task: Block<128>,
    /// Of credentials.
    pub(crate) cred: Block<24>,
    /// Of the executed inode.
    pub(crate) inode: Block<24>,
    /// Of a dentry or a kernfs node.
    pub(crate) node: Block<4>,
}

/// What is needed of an ancestor to find its executed file; null where it has none, and above the first process.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct Leader {
    pub(crate) mm: Address,
    pub(crate) fs: Address,
}

// SAFETY: the addresses inside are numbers for the kernel's checked reads, and each CPU has its own Scratch.
unsafe impl Sync for Scratch {}

/// Records for user space.
#[map]
pub(crate) static RECORDS: RingBuf = RingBuf::with_byte_size(RING_BYTES, 0);

#[map]
static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(Slot::COUNT, 0);

/// See [`crate::mark`].
#[map]
static MARKS: Array<ExecName> = Array::with_max_entries(MARK_COUNT, 0);

/// One slot per [`Counter`].
#[map]
static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Counter::ALL.len() as u32, 0);

/// Which files a process has mapped: one name for each.
#[map]
static SEEN_MAPPINGS: LruHashMap<MappedName, u8> = LruHashMap::with_max_entries(MAPPING_COUNT, 0);

/// See [`crate::hooks::security_file_open`].
#[map]
static WRITERS: LruHashMap<FileKey, Writer> = LruHashMap::with_max_entries(WRITER_COUNT, 0);

/// What the cgroups of writers' containers are called.
#[map]
static HOMES: LruHashMap<Home, CgroupName> =
    LruHashMap::with_max_entries(WRITER_CONTAINERS * WRITER_HIERARCHIES as u32, 0);

/// See [`crate::hooks::security_bprm_check`]; by the address of the `linux_binprm`.
#[map]
static SCRIPTS: LruHashMap<u64, Subject> = LruHashMap::with_max_entries(SCRIPT_COUNT, 0);

/// Whose scratch space it is.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Slot {
    Exec = 0,
    /// Of what stands beside the main hook.
    Beside = 1,
}

impl Slot {
    const COUNT: u32 = 2;
}

/// A file that a process has mapped.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct MappedName {
    pub(crate) start: u64,
    pub(crate) ino: u64,
    pub(crate) dev: u32,
    pub(crate) process: u32,
    pub(crate) exec: u32,
    pub(crate) padding: u32,
}

impl MappedName {
    pub(crate) const NONE: Self = Self { start: 0, ino: 0, dev: 0, process: 0, exec: 0, padding: 0 };
}

/// A file: its number, and the device of its file system.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct FileKey {
    pub(crate) ino: u64,
    pub(crate) dev: u64,
}

/// A container in one hierarchy of cgroups: its mount namespace, the start of the first process of its pid namespace.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Home {
    pub(crate) start: u64,
    pub(crate) mnt_ns: u32,
    pub(crate) hierarchy: u32,
}

/// A name with its NUL.
pub(crate) type CgroupName = [u8; WRITER_CGROUP_BYTES];

/// `BPF_NOEXIST`
const ONLY_NEW: u64 = 1;

/// Remembers a mapping; false when it was remembered already.
#[inline(always)]
pub(crate) fn first_mapping(name: &MappedName) -> bool {
    SEEN_MAPPINGS.insert(name, 1, ONLY_NEW).is_ok()
}

/// Remembers who opened a file for writing.
#[inline(always)]
pub(crate) fn remember_writer(key: &FileKey, writer: &Writer) {
    if WRITERS.insert(key, writer, ONLY_NEW).is_ok() {
        count(Counter::WriterRemembered);
    } else if WRITERS.insert(key, writer, 0).is_err() {
        count(Counter::WriterForgotten);
    }
}

/// Remembers what a writer's container is called.
#[inline(always)]
pub(crate) fn remember_home(home: &Home, name: &CgroupName) {
    let _ = HOMES.insert(home, name, 0);
}

/// What a writer's container is called.
#[inline(always)]
pub(crate) fn name_of(home: &Home) -> Option<*const CgroupName> {
    HOMES.get_ptr(home)
}

/// Puts aside what was found out about a script.
#[inline(always)]
pub(crate) fn remember_script(bprm: &u64, script: &Subject) {
    if SCRIPTS.insert(bprm, script, 0).is_err() {
        forget_script(bprm);
        count(Counter::ScriptForgotten);
    }
}

/// Takes away what an earlier exec may have put aside under the same address.
#[inline(always)]
pub(crate) fn forget_script(bprm: &u64) {
    // Looking takes no lock, and nearly always there is nothing.
    if SCRIPTS.get_ptr(bprm).is_some() {
        let _ = SCRIPTS.remove(bprm);
    }
}

/// What was found out about the script of this exec.
#[inline(always)]
pub(crate) fn script_of(bprm: &u64) -> Option<*const Subject> {
    SCRIPTS.get_ptr(bprm)
}

/// Who opened this file for writing last.
#[inline(always)]
pub(crate) fn writer_of(key: &FileKey) -> Option<*const Writer> {
    WRITERS.get_ptr(key)
}

/// This CPU's scratch space of that number. Programs run undisturbed (see [`crate::preemption`]), so it has one user at a
/// time.
#[inline(always)]
pub(crate) fn scratch(slot: u64) -> Option<&'static mut Scratch> {
    let pointer = SCRATCH.get_ptr_mut(slot as u32)?;
    // SAFETY: the map holds one zero-initialised Scratch per CPU, all bit patterns of which are valid, and no other
    // task runs on this CPU until the program has ended.
    Some(unsafe { &mut *pointer })
}

/// The place for a mark.
#[inline(always)]
pub(crate) fn mark(slot: u32) -> Option<*mut ExecName> {
    MARKS.get_ptr_mut(slot)
}

/// Adds one to a counter of this CPU.
#[inline(always)]
pub(crate) fn count(counter: Counter) {
    if let Some(slot) = COUNTERS.get_ptr_mut(counter as u32) {
        // SAFETY: a slot of a per-CPU array belongs to this CPU alone.
        unsafe { *slot = (*slot).wrapping_add(1) };
    }
}

//! The few calls of bpf(2) that measuring needs: an empty program as the baseline, and the kernel's own statistics.
//!
//! Straight to the system call, as the baseline must be exactly two instructions, and statistics are wanted for
//! programs of another process. Statistics are switched on by a descriptor and not by the sysctl: the kernel switches
//! them off when it closes, however this process ends.

use std::fs;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

/// What can go wrong.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

// Commands of bpf(2).
const PROG_LOAD: i32 = 5;
const PROG_GET_FD_BY_ID: i32 = 13;
const OBJ_GET_INFO_BY_FD: i32 = 15;
const RAW_TRACEPOINT_OPEN: i32 = 17;
const ENABLE_STATS: i32 = 32;

/// `BPF_PROG_TYPE_RAW_TRACEPOINT`
const RAW_TRACEPOINT: u32 = 17;
/// `BPF_STATS_RUN_TIME`
const RUN_TIME: u32 = 0;

/// Statistics are collected as long as this lives.
pub struct Statistics(#[expect(dead_code, reason = "its life is its use")] OwnedFd);

impl Statistics {
    /// Switches them on.
    pub fn enable() -> Outcome<Self> {
        #[repr(C)]
        struct Attributes {
            kind: u32,
        }
        let fd = bpf(ENABLE_STATS, &mut Attributes { kind: RUN_TIME })
            .map_err(|error| format!("cannot switch on BPF statistics: {error}"))?;
        Ok(Self(owned(fd)))
    }
}

/// A loaded program, kept by a descriptor of ours.
pub struct Program(OwnedFd);

/// What the kernel tells about a program.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counts {
    /// Time that its runs took.
    pub nanoseconds: u64,
    /// How often it ran.
    pub runs: u64,
}

/// An attached program; detached on drop.
pub struct Attached {
    /// The program.
    pub program: Program,
    #[expect(dead_code, reason = "closing it detaches the program")]
    link: OwnedFd,
}

/// `r0 = 0; exit` on the raw tracepoint `sched_process_exec`, where the agent's program is.
pub fn attach_empty_program() -> Outcome<Attached> {
    #[repr(C)]
    struct Load {
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
    }
    #[repr(C)]
    struct Open {
        name: u64,
        program: u32,
        padding: u32,
    }
    const INSTRUCTIONS: [u8; 16] = [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
    let mut load = Load {
        kind: RAW_TRACEPOINT,
        instruction_count: 2,
        instructions: INSTRUCTIONS.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
        name: *b"empty_baseline\0\0",
    };
    let program =
        owned(bpf(PROG_LOAD, &mut load).map_err(|error| format!("cannot load the empty program: {error}"))?);
    let mut open = Open {
        name: c"sched_process_exec".as_ptr() as u64,
        program: program.as_raw_fd().cast_unsigned(),
        padding: 0,
    };
    let link = bpf(RAW_TRACEPOINT_OPEN, &mut open)
        .map_err(|error| format!("cannot attach the empty program: {error}"))?;
    Ok(Attached { program: Program(program), link: owned(link) })
}

/// The programs that a process has open.
pub fn programs_of(pid: u32) -> Outcome<Vec<Program>> {
    #[repr(C)]
    struct ById {
        id: u32,
        next: u32,
        flags: u32,
    }
    let mut ids = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fdinfo"))? {
        // A descriptor that was closed meanwhile is none of the program's.
        let Ok(text) = fs::read_to_string(entry?.path()) else { continue };
        // A link names its program, too; the program has a type of its own.
        if text.contains("prog_type:")
            && let Some(id) = text.lines().find_map(|line| line.strip_prefix("prog_id:"))
        {
            ids.push(id.trim().parse()?);
        }
    }
    ids.sort_unstable();
    ids.dedup();
    let open = |id: u32| match bpf(PROG_GET_FD_BY_ID, &mut ById { id, next: 0, flags: 0 }) {
        Ok(fd) => Ok(Program(owned(fd))),
        Err(error) => Err(format!("cannot open the program {id} of process {pid}: {error}").into()),
    };
    ids.into_iter().map(open).collect()
}

impl Program {
    /// What the kernel has counted so far.
    pub fn counts(&self) -> Outcome<Counts> {
        let information = self.information()?;
        Ok(Counts { nanoseconds: information.run_time_ns, runs: information.run_count })
    }

    /// Name, instructions that the verifier looked at, and bytes of machine code.
    pub fn description(&self) -> Outcome<(String, u32, u32)> {
        let information = self.information()?;
        let name = information.name.split(|byte| *byte == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name).into_owned();
        Ok((name, information.verified_instructions, information.machine_code_bytes))
    }

    fn information(&self) -> Outcome<Information> {
        #[repr(C)]
        struct ByFd {
            fd: u32,
            size: u32,
            information: u64,
        }
        let mut information = Information::default();
        let mut attributes = ByFd {
            fd: self.0.as_raw_fd().cast_unsigned(),
            size: u32::try_from(size_of::<Information>())?,
            information: (&raw mut information) as u64,
        };
        bpf(OBJ_GET_INFO_BY_FD, &mut attributes)
            .map_err(|error| format!("cannot ask about a BPF program: {error}"))?;
        Ok(information)
    }
}

/// `struct bpf_prog_info` up to the last member that is wanted; a kernel that knows fewer leaves the rest 0.
#[derive(Default)]
#[repr(C)]
struct Information {
    kind: u32,
    id: u32,
    tag: [u8; 8],
    machine_code_bytes: u32,
    translated_bytes: u32,
    code_pointers: [u64; 2],
    load_time: u64,
    created_by_uid: u32,
    map_count: u32,
    map_ids: u64,
    name: [u8; 16],
    interface: u32,
    flags: u32,
    network_namespace: [u64; 2],
    function_counts: [u32; 2],
    function_pointers: [u64; 2],
    btf_id: u32,
    function_record_size: u32,
    function_info: u64,
    function_info_count: u32,
    line_count: u32,
    line_pointers: [u64; 2],
    line_record_sizes: [u32; 3],
    tag_count: u32,
    tags: u64,
    run_time_ns: u64,
    run_count: u64,
    recursion_misses: u64,
    verified_instructions: u32,
    attach_ids: [u32; 2],
    padding: u32,
}

/// One call; the answer is a descriptor where the command makes one.
fn bpf<T>(command: i32, attributes: &mut T) -> io::Result<i32> {
    let attributes: *mut T = attributes;
    // SAFETY: each command above is given a struct that starts with the members of its part of union bpf_attr, of the
    // size that is passed; what the pointers inside lead to outlives the call.
    let answer = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    i32::try_from(answer).map_err(io::Error::other)
}

fn owned(fd: i32) -> OwnedFd {
    // SAFETY: the kernel has just made this descriptor for us, and nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_program_is_known_by_its_name_and_counts_execs() {
        if !crate::case::has_root("the_empty_program_is_known_by_its_name_and_counts_execs") {
            return;
        }
        let empty = attach_empty_program().expect("attached");
        let _statistics = Statistics::enable().expect("enabled");
        let before = empty.program.counts().expect("counts");
        std::process::Command::new("/proc/self/exe").arg("--list").output().expect("executed");
        let after = empty.program.counts().expect("counts");
        assert!(after.runs > before.runs && after.nanoseconds > before.nanoseconds, "{before:?} {after:?}");
        let found = programs_of(std::process::id()).expect("our own programs");
        let names: Vec<String> =
            found.iter().map(|program| program.description().expect("described").0).collect();
        assert_eq!(names, ["empty_baseline"]);
    }
}

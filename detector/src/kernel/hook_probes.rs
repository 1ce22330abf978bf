//! Tries out what this kernel lets us do: makes a ring buffer, loads and attaches the smallest program of each kind,
//! and where that is cheap sees it run. An LSM program, for one, loads and attaches on kernels that never call it.

mod attach;
mod program;

use std::{fs::File, io, os::fd::OwnedFd};

use super::{
    attach_plan::{HookFacts, Probe},
    bpf_call::{self, ProgramKind, lookup_u64, make_map, raise_locked_memory_limit},
    btf::Btf,
};

const MAP_ARRAY: u32 = 2;
const MAP_RING_BUFFER: u32 = 27;
/// A page is the smallest ring buffer; more than this no supported architecture has.
const LARGEST_PAGE: u32 = 65536;
/// Ran by opening a file, which the probe can do itself without a new process.
const TRACED: &str = "security_file_open";
const TRACED_BY_LSM: &str = "bpf_lsm_file_open";

/// Tries everything. `vmlinux` is the kernel's BTF, without which the hooks that attach through it are not tried;
/// `lsm_listed` tells whether `bpf` is among the active LSMs, if that is known.
#[must_use]
pub fn probe(vmlinux: Option<&Btf<'_>>, lsm_listed: Option<bool>) -> HookFacts {
    raise_locked_memory_limit();
    let function = |name: &str| -> Result<u32, Probe> {
        let btf = vmlinux.ok_or_else(|| Probe::NotTried("the kernel's BTF cannot be read".to_owned()))?;
        btf.function_id(name).ok_or_else(|| Probe::Fails(format!("the kernel's BTF has no function {name}")))
    };
    let lsm = match (lsm_listed, function(TRACED_BY_LSM)) {
        (Some(false), _) => Probe::Fails("`bpf` is not among the active LSMs".to_owned()),
        (_, Err(probe)) => probe,
        (_, Ok(id)) => seen_running(ProgramKind::Lsm(id), attach::through_btf),
    };
    let fentry = match function(TRACED) {
        Err(probe) => probe,
        Ok(id) => seen_running(ProgramKind::Fentry(id), attach::through_btf),
    };
    HookFacts {
        ring_buffer: said(make_map(MAP_RING_BUFFER, 0, 0, LARGEST_PAGE).map(drop)),
        raw_tracepoint: raw_tracepoint(),
        lsm,
        fentry,
        kprobe: seen_running(ProgramKind::Kprobe, |program| attach::kprobe(program, TRACED)),
    }
}

/// Loads and attaches; that it runs is what `detector selftest` shows, as it takes a new process.
fn raw_tracepoint() -> Probe {
    let tried = bpf_call::load(ProgramKind::RawTracepoint, &program::return_zero())
        .map_err(|error| failed("loading", &error))
        .and_then(|program| {
            attach::raw_tracepoint(&program, c"sched_process_exec")
                .map_err(|error| failed("attaching", &error))
        });
    tried.map_or_else(Probe::Fails, |_| Probe::Works)
}

/// Loads a program that counts, attaches it, opens a file, and looks at the count.
fn seen_running(kind: ProgramKind, attach: impl FnOnce(&OwnedFd) -> io::Result<OwnedFd>) -> Probe {
    let tried = || {
        let counter = make_map(MAP_ARRAY, 4, 8, 1).map_err(|error| failed("making the map", &error))?;
        let program = bpf_call::load(kind, &program::count_into(&counter))
            .map_err(|error| failed("loading", &error))?;
        let _attached = attach(&program).map_err(|error| failed("attaching", &error))?;
        // What is read is of no interest: that a file is opened is.
        let _ = File::open("/proc/self/stat");
        let count = lookup_u64(&counter, 0).map_err(|error| failed("reading the count", &error))?;
        if count > 0 { Ok(()) } else { Err("it loads and attaches, but the kernel never runs it".to_owned()) }
    };
    tried().map_or_else(Probe::Fails, |()| Probe::Works)
}

fn failed(what: &str, error: &io::Error) -> String {
    format!("{what}: {error}")
}

fn said(result: io::Result<()>) -> Probe {
    result.map_or_else(|error| Probe::Fails(error.to_string()), |()| Probe::Works)
}

//! Attaching the probes' programs; they are detached when the descriptor is closed.

use std::{
    ffi::{CStr, CString},
    fs, io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
};

use crate::kernel::bpf_call::open_raw_tracepoint;

/// `PERF_EVENT_IOC_SET_BPF` and `PERF_EVENT_IOC_ENABLE`
const SET_BPF: libc::Ioctl = 0x4004_2408;
const ENABLE: libc::Ioctl = 0x2400;
/// `PERF_FLAG_FD_CLOEXEC`
const CLOSE_ON_EXEC: libc::c_ulong = 8;

/// `struct perf_event_attr` up to `config2` (`PERF_ATTR_SIZE_VER1`); source: `include/uapi/linux/perf_event.h`.
#[repr(C)]
#[derive(Default)]
struct PerfAttributes {
    kind: u32,
    size: u32,
    /// From `config` to `bp_type`; zero for a probe at a function's entry.
    between: [u64; 6],
    /// `kprobe_func`
    function: u64,
    /// `probe_offset`
    offset: u64,
}

const _: () = assert!(size_of::<PerfAttributes>() == 72);

/// To a raw tracepoint.
pub(super) fn raw_tracepoint(program: &OwnedFd, name: &CStr) -> io::Result<OwnedFd> {
    open_raw_tracepoint(program, Some(name))
}

/// To the function that the program was loaded for.
pub(super) fn through_btf(program: &OwnedFd) -> io::Result<OwnedFd> {
    open_raw_tracepoint(program, None)
}

/// To the entry of a function.
pub(super) fn kprobe(program: &OwnedFd, function: &str) -> io::Result<OwnedFd> {
    let function = CString::new(function).map_err(io::Error::other)?;
    let kind = fs::read_to_string("/sys/bus/event_source/devices/kprobe/type")?;
    let attributes = PerfAttributes {
        kind: kind.trim().parse().map_err(io::Error::other)?,
        size: 72,
        function: function.as_ptr() as u64,
        ..PerfAttributes::default()
    };
    let (all_processes, first_cpu, no_group) = (-1, 0, -1);
    // SAFETY: `attributes` has the layout that its size says, and the name that it points to outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attributes,
            all_processes,
            first_cpu,
            no_group,
            CLOSE_ON_EXEC,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let number = RawFd::try_from(result).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    let event = unsafe { OwnedFd::from_raw_fd(number) };
    control(&event, SET_BPF, program.as_raw_fd())?;
    control(&event, ENABLE, 0)?;
    Ok(event)
}

fn control(event: &OwnedFd, request: libc::Ioctl, argument: libc::c_int) -> io::Result<()> {
    // SAFETY: both requests take a number.
    let result = unsafe { libc::ioctl(event.as_raw_fd(), request, argument) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

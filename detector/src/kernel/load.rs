//! Loads the eBPF object for this kernel and arms its hooks.

use std::{
    fs, io,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::{
    Ebpf, EbpfError, EbpfLoader, VerifierLogLevel,
    maps::{MapError, PerCpuArray, RingBuf},
    programs::{Program, ProgramError, RawTracePoint},
};
use aya_log::EbpfLogger;
use detector_common::{kernel_offsets::KernelOffsets, settings::Settings};
use tokio::{
    io::{Interest, unix::AsyncFd},
    task::JoinHandle,
};

use super::{
    Counters, Host, KernelError,
    btf::{Btf, read_kernel_btf},
    offsets,
};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/detector-ebpf.o"));

/// Where the running kernel describes its types.
const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";
const EXEC_HOOK: &str = "sched_process_exec";
/// aya-log levels run from 1 (error) to 5 (trace); 0 switches the statements off, and the verifier removes them.
const LOG_OFF: u8 = 0;
const LOG_ALL: u8 = 5;
/// The smallest ring buffer there is: for the log that nobody reads.
const SMALLEST_RING: u32 = 4096;

/// What the hooks shall do.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// The filter.
    pub settings: Settings,
    /// Whether the kernel side's debug log is wanted.
    pub kernel_log: bool,
}

/// The armed hooks; dropping it detaches them.
pub struct Kernel {
    ebpf: Ebpf,
    kernel_log: bool,
}

impl Kernel {
    /// Loads and attaches.
    pub fn arm(host: &Host, options: &LoadOptions) -> Result<Self, KernelError> {
        if OBJECT.is_empty() {
            return Err(KernelError::NoObject);
        }
        if lockdown_forbids_reads() {
            return Err(KernelError::Lockdown);
        }
        let bytes = read_kernel_btf(KERNEL_BTF.as_ref())?;
        let offsets = offsets::resolve(&Btf::parse(&bytes)?)?;
        drop(bytes);

        // The verifier's log costs time and memory; it is only written when there is a refusal to explain.
        match Self::load(&offsets, options, VerifierLogLevel::DISABLE, host) {
            Err(KernelError::Refused { .. }) => Self::load(&offsets, options, VerifierLogLevel::DEBUG, host),
            result => result,
        }
    }

    fn load(
        offsets: &KernelOffsets,
        options: &LoadOptions,
        verifier_log: VerifierLogLevel,
        host: &Host,
    ) -> Result<Self, KernelError> {
        let log_level = if options.kernel_log { LOG_ALL } else { LOG_OFF };
        let mut loader = EbpfLoader::new();
        loader
            .verifier_log_level(verifier_log)
            .override_global("OFFSETS", offsets, true)
            .override_global("SETTINGS", &options.settings, true)
            .override_global(aya_log::LEVEL, &log_level, false);
        if !options.kernel_log {
            loader.map_max_entries("AYA_LOGS", SMALLEST_RING);
        }
        let mut ebpf = loader.load(OBJECT).map_err(|error| not_loaded(&error))?;

        let program: &mut RawTracePoint = ebpf
            .program_mut(EXEC_HOOK)
            .ok_or(KernelError::Missing(EXEC_HOOK))?
            .try_into()
            .map_err(|error: ProgramError| KernelError::BadObject(error.to_string()))?;
        program.load().map_err(|error| refused(EXEC_HOOK, &error, host))?;
        program
            .attach(EXEC_HOOK)
            .map_err(|error| KernelError::Attach { tracepoint: EXEC_HOOK, reason: with_causes(&error) })?;
        Ok(Self { ebpf, kernel_log: options.kernel_log })
    }

    /// The ring buffer of records; can be taken once.
    pub fn take_ring(&mut self) -> Result<RingBuf<aya::maps::MapData>, KernelError> {
        let map = self.ebpf.take_map("RECORDS").ok_or(KernelError::Missing("RECORDS"))?;
        RingBuf::try_from(map).map_err(|error| KernelError::BadObject(with_causes(&error)))
    }

    /// The counters; can be taken once.
    pub fn take_counters(&mut self) -> Result<Counters, KernelError> {
        let map = self.ebpf.take_map("COUNTERS").ok_or(KernelError::Missing("COUNTERS"))?;
        let map = PerCpuArray::try_from(map).map_err(|error| KernelError::BadObject(with_causes(&error)))?;
        Ok(Counters::new(map))
    }

    /// Execs that the kernel did not show to the hook because it was already running on that CPU; `None` where the
    /// kernel does not tell (before 5.12). From the program's `fdinfo`.
    #[must_use]
    pub fn recursion_misses(&self) -> Option<u64> {
        let Some(Program::RawTracePoint(program)) = self.ebpf.program(EXEC_HOOK) else { return None };
        let number = program.fd().ok()?.as_fd().as_raw_fd();
        let facts = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).ok()?;
        facts.lines().find_map(|line| line.strip_prefix("recursion_misses:")?.trim().parse().ok())
    }

    /// Starts forwarding the kernel side's debug log to this program's log, when it was asked for; must be called
    /// inside the runtime.
    pub fn spawn_log(&mut self) -> Result<Option<JoinHandle<()>>, KernelError> {
        if !self.kernel_log {
            return Ok(None);
        }
        let logger =
            EbpfLogger::init(&mut self.ebpf).map_err(|error| KernelError::BadObject(with_causes(&error)))?;
        // SAFETY: the descriptor belongs to the map inside, which lives as long as the AsyncFd and is never replaced.
        let mut logger = unsafe { AsyncFd::register_with_interest(logger, Interest::READABLE) }
            .map_err(|error| KernelError::Ring(error.into()))?;
        Ok(Some(tokio::spawn(async move {
            while let Ok(mut guard) = logger.readable_mut().await {
                guard.clear_ready();
                guard.get_inner_mut().flush();
            }
        })))
    }
}

/// Whether `/sys/kernel/security/lockdown` has `[confidentiality]`.
fn lockdown_forbids_reads() -> bool {
    fs::read_to_string("/sys/kernel/security/lockdown").is_ok_and(|modes| modes.contains("[confidentiality]"))
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// An error with all its causes, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

fn permission(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES))
}

fn not_loaded(error: &EbpfError) -> KernelError {
    match error {
        EbpfError::MapError(MapError::CreateError { name, io_error }) if permission(io_error) => {
            KernelError::NotPermitted {
                what: format!("making the map `{name}`"),
                errno: io_error.to_string(),
                root: is_root(),
            }
        }
        EbpfError::MapError(MapError::CreateError { name, io_error }) => {
            KernelError::NoMap { map: name.clone(), reason: io_error.to_string() }
        }
        _ => KernelError::BadObject(with_causes(error)),
    }
}

fn refused(program: &'static str, error: &ProgramError, host: &Host) -> KernelError {
    match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            if permission(io_error) && !is_root() {
                return KernelError::NotPermitted {
                    what: format!("loading the program `{program}`"),
                    errno: io_error.to_string(),
                    root: false,
                };
            }
            let log = verifier_log.to_string();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(20)..].join("\n");
            KernelError::Refused {
                program,
                reason: io_error.to_string(),
                release: host.kernel_release.clone(),
                log: last,
            }
        }
        _ => KernelError::BadObject(with_causes(error)),
    }
}

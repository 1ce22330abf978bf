//! Loads the eBPF object for this kernel and arms its hooks.

use std::{collections::HashMap, fs, io, os::fd::OwnedFd, path::PathBuf};

use aya::maps::{Map, MapData, RingBuf};
use aya_log::EbpfLogger;
use detector_common::{
    kernel_offsets::{ABSENT, KernelOffsets},
    settings::Settings,
};
use log::debug;
use tokio::{
    io::{Interest, unix::AsyncFd},
    task::JoinHandle,
};
use zerocopy::IntoBytes as _;

use super::{
    Counters, Host, KernelError, RecursionMisses, RingReader,
    bpf_call::{self, ProgramKind},
    btf::Btf,
    counters::{self, beside_told, recursion_told},
    fact_file::{self, fact},
    handover::{Backlog, Handover},
    lacking::Lacking,
    live_settings::LiveSettings,
    object::{LoadedObject, PreemptionSwitch},
    offsets,
    pins::Stamp,
    preemption::{self, TracepointPrograms},
    security_hooks::{self, Choice, Outcome, Sight, Sights},
};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/detector-ebpf.o"));

const TRACEPOINT: &std::ffi::CStr = c"sched_process_exec";
/// What the kernel's BTF calls the type of that tracepoint.
const TRACEPOINT_TYPE: &str = "btf_trace_sched_process_exec";
/// The program, and its copy for what the kernel keeps from the first; attached in this order.
const FIRST: &str = "detector_exec";
const SECOND: &str = "detector_exec2";
/// The program for kernels that know no types of tracepoints.
const UNTYPED: &str = "detector_exec_raw";
/// The section, and so the map, of the settings.
const SETTINGS: &str = ".data.settings";
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
    /// What shall be seen beyond execs, where the kernel lets us.
    pub sights: Sights,
    /// Whether the kernel side's debug log is wanted.
    pub kernel_log: bool,
    /// The folder in which hooks are pinned, and found by the next agent; `None`: they end with this one.
    pub pins: Option<PathBuf>,
}

/// The armed hooks; dropping it detaches them, unless they are pinned.
pub struct Kernel {
    object: LoadedObject,
    settings: LiveSettings,
    /// First and second program.
    programs: Vec<Attached>,
    beside: Vec<Beside>,
    outcomes: Vec<Outcome>,
    log: bool,
    handover: Option<Handover>,
    backlog: Backlog,
    /// What an earlier agent has told of these programs.
    recursion_told: RecursionMisses,
    beside_told: [u64; Sight::COUNT],
}

struct Attached {
    name: &'static str,
    program: OwnedFd,
    /// Closing it detaches the program.
    _link: OwnedFd,
}

/// A program of another hook.
struct Beside {
    sight: Sight,
    attached: Attached,
    /// Runs that the kernel had kept from it, of which an earlier agent has told.
    missed_before: u64,
}

/// Runs that the kernel skipped because the program was already running on that CPU; `None` where it does not tell.
fn missed(program: &OwnedFd) -> Option<u64> {
    fact_file::number(program, "recursion_misses:")
}

/// What this kernel needs beyond the program itself.
struct Needs {
    /// How the programs keep other tasks off their CPU while they run.
    switch: Option<PreemptionSwitch>,
    /// Whether the kernel may keep an exec from the first program.
    second: bool,
    /// The same as `switch` for the programs of the other hooks, which a kernel may preempt that lets nobody in between on
    /// tracepoints: two of them at once would want the same scratch space.
    beside: Option<PreemptionSwitch>,
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
        // Before the first map of all, which with pins is not one of the object's.
        bpf_call::raise_locked_memory_limit();
        let bytes = host.btf.read()?;
        let btf = Btf::parse(&bytes)?;
        let offsets = offsets::resolve(&btf)?;
        let needs = Needs::of(&btf, &offsets);
        let choices = security_hooks::choose(options.sights, &btf);
        let has = |sight| choices.iter().flatten().any(|choice: &Choice| choice.sight == sight);

        let log_level = [if options.kernel_log { LOG_ALL } else { LOG_OFF }];
        let second = u32::from(needs.second).to_ne_bytes();
        let scripts = u32::from(has(Sight::Scripts)).to_ne_bytes();
        let writers = u32::from(has(Sight::Writers)).to_ne_bytes();
        let globals = HashMap::from([
            ("OFFSETS", (offsets.as_bytes(), true)),
            ("SECOND_ATTACHED", (&second[..], true)),
            ("WRITERS_SEEN", (&writers[..], true)),
            ("SCRIPTS_SEEN", (&scripts[..], true)),
            (aya_log::LEVEL, (&log_level[..], false)),
        ]);
        let mut sizes = Vec::new();
        if !options.kernel_log {
            sizes.push(("AYA_LOGS", SMALLEST_RING));
        }
        if !needs.second {
            sizes.push(("MARKS", 1));
        }
        if !has(Sight::Writers) {
            sizes.extend([("WRITERS", 1), ("HOMES", 1)]);
        }
        if !has(Sight::Mappings) {
            sizes.push(("SEEN_MAPPINGS", 1));
        }
        if !has(Sight::Scripts) {
            sizes.push(("SCRIPTS", 1));
        }
        if !has(Sight::Mappings) && !has(Sight::Scripts) {
            sizes.push(("SCRATCH", 1));
        }
        let typed = btf.typedef_id(TRACEPOINT_TYPE).map(ProgramKind::TypedTracepoint);
        let begun = options.pins.as_ref().map(|folder| {
            let making = format!("{sizes:?} {typed:?} {:?} {:?}", needs.switch, needs.beside);
            let globals = [offsets.as_bytes(), &second, &scripts, &writers, &log_level];
            Handover::begin(folder, Stamp::of([OBJECT, making.as_bytes()].into_iter().chain(globals)))
        });
        let handover = begun.transpose()?;
        let present = handover.as_ref().map(Handover::maps).transpose()?.unwrap_or_default();
        let object = LoadedObject::new(OBJECT, globals, &sizes, present)?;
        if let Some(handover) = &handover {
            handover.keep_maps(object.maps())?;
        }
        let settings =
            LiveSettings::map(object.map(SETTINGS)?).map_err(|error| map_failed(SETTINGS, &error))?;
        settings.set(&options.settings);

        let mut kernel = Self {
            object,
            settings,
            programs: Vec::new(),
            beside: Vec::new(),
            outcomes: Vec::new(),
            log: options.kernel_log,
            recursion_told: handover
                .as_ref()
                .map_or_else(RecursionMisses::none, |handover| recursion_told(handover.journal())),
            beside_told: handover
                .as_ref()
                .map_or_else(Default::default, |handover| beside_told(handover.journal())),
            handover,
            backlog: Backlog::default(),
        };
        for choice in choices {
            let outcome = match choice {
                Ok(choice) => kernel.attach_beside(&choice, needs.beside)?,
                Err(outcome) => outcome,
            };
            kernel.outcomes.push(outcome);
        }
        kernel.attach_all(typed, &needs, host)?;
        let hooks: Vec<&str> = kernel.all().map(|attached| attached.name).collect();
        if let Some(handover) = &mut kernel.handover {
            kernel.backlog = handover.finish(&hooks)?;
        }
        Ok(kernel)
    }

    fn attach_all(
        &mut self,
        typed: Option<ProgramKind>,
        needs: &Needs,
        host: &Host,
    ) -> Result<(), KernelError> {
        let Some(typed) = typed else {
            return self.attach(UNTYPED, ProgramKind::RawTracepoint, None, host);
        };
        match self.attach(FIRST, typed, needs.switch, host) {
            Ok(()) if needs.second => self.attach(SECOND, typed, needs.switch, host),
            Ok(()) => Ok(()),
            // The kernel itself may have no BTF while a file describes it: slower, and the same records.
            Err(error) => {
                debug!("no typed tracepoint program here: {error}");
                self.attach(UNTYPED, ProgramKind::RawTracepoint, None, host)
            }
        }
    }

    fn attach(
        &mut self,
        name: &'static str,
        kind: ProgramKind,
        switch: Option<PreemptionSwitch>,
        host: &Host,
    ) -> Result<(), KernelError> {
        if let Some(handover) = &self.handover
            && let Some((program, link)) = handover.hook(name)?
        {
            self.programs.push(Attached { name, program, _link: link });
            return Ok(());
        }
        let program =
            self.object.load(name, kind, switch).map_err(|(error, log)| refused(name, &error, &log, host))?;
        let tracepoint = matches!(kind, ProgramKind::RawTracepoint).then_some(TRACEPOINT);
        let link = bpf_call::open_raw_tracepoint(&program, tracepoint).map_err(|error| {
            KernelError::Attach { tracepoint: "sched_process_exec", reason: error.to_string() }
        })?;
        if let Some(handover) = &self.handover {
            handover.keep_hook(name, &program, &link)?;
        }
        self.programs.push(Attached { name, program, _link: link });
        Ok(())
    }

    /// A hook that the agent can go without. Pinned like the main one: what it has put aside is only true while it sees
    /// everything.
    fn attach_beside(
        &mut self,
        choice: &Choice,
        switch: Option<PreemptionSwitch>,
    ) -> Result<Outcome, KernelError> {
        let sight = choice.sight;
        if let Some(handover) = &self.handover
            && let Some((program, link)) = handover.hook(choice.program)?
        {
            let attached = Attached { name: choice.program, program, _link: link };
            let missed_before = self.beside_told[sight as usize];
            self.beside.push(Beside { sight, attached, missed_before });
            return Ok(Outcome { sight, hook: Ok(choice.hook) });
        }
        let load = |switch| {
            let loaded = self.object.load(choice.program, choice.kind, switch);
            loaded.inspect_err(|(error, log)| debug!("`{}` is refused: {error}\n{log}", choice.program))
        };
        let tried = load(switch)
            // Rather disturbed now and then, which is counted, than not at all.
            .or_else(|refused| if switch.is_some() { load(None) } else { Err(refused) })
            .map_err(|(error, _)| format!("loading it for {}: {error}", choice.hook))
            .and_then(|program| {
                bpf_call::open_raw_tracepoint(&program, None)
                    .map(|link| (program, link))
                    .map_err(|error| format!("attaching it to {}: {error}", choice.hook))
            });
        let hook = match tried {
            Ok((program, link)) => {
                if let Some(handover) = &self.handover {
                    handover.keep_hook(choice.program, &program, &link)?;
                }
                let attached = Attached { name: choice.program, program, _link: link };
                self.beside.push(Beside { sight, attached, missed_before: 0 });
                Ok(choice.hook)
            }
            Err(why) => Err(why),
        };
        Ok(Outcome { sight, hook })
    }

    /// What became of the sights that were asked for.
    #[must_use]
    pub fn sights(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// Changes what the running hooks send, with the next exec on each CPU; none goes unjudged meanwhile.
    pub fn set_filter(&self, settings: &Settings) {
        self.settings.set(settings);
    }

    /// Whether the hooks stay armed when the agent ends.
    #[must_use]
    pub const fn outlives_us(&self) -> bool {
        self.handover.is_some()
    }

    /// The reader of records, those first that an earlier agent left; can be taken once, inside the runtime.
    pub fn take_reader(&mut self) -> Result<RingReader, KernelError> {
        let ring = ring_of(self.object.take_map("RECORDS")?)?;
        let journal = self.handover.as_ref().map(|handover| handover.journal().clone());
        let untold = self.backlog.untold;
        let backlog = std::mem::replace(&mut self.backlog, Backlog { untold, ..Backlog::default() });
        RingReader::new(ring, journal, backlog)
    }

    /// The counters; can be taken once.
    pub fn take_counters(&mut self) -> Result<Counters, KernelError> {
        let map = counters::open(self.object.take_map("COUNTERS")?)?;
        let journal = self.handover.as_ref().map(|handover| handover.journal().clone());
        Ok(Counters::new(map, self.backlog.untold, journal))
    }

    /// What has been counted so far has been told: an agent that takes the hooks over does not tell it again.
    pub fn set_told(&self, counters: &Counters) {
        if self.handover.is_some() {
            let mut beside = [0; Sight::COUNT];
            for hook in &self.beside {
                beside[hook.sight as usize] = missed(&hook.attached.program).unwrap_or(0);
            }
            counters.set_told(self.counted_misses(), beside);
        }
    }

    /// What the kernel kept from the copies of the program; `None` where it does not tell (before 5.12).
    #[must_use]
    pub fn recursion_misses(&self) -> Option<RecursionMisses> {
        self.counted_misses().map(|missed| missed.since(self.recursion_told))
    }

    fn counted_misses(&self) -> Option<RecursionMisses> {
        let missed = |attached: &Attached| missed(&attached.program);
        let first = missed(self.programs.first()?)?;
        let second = self.programs.get(1).map(missed);
        match second {
            Some(None) => None,
            Some(second) => Some(RecursionMisses { first, second }),
            None => Some(RecursionMisses { first, second: None }),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Attached> {
        self.programs.iter().chain(self.beside.iter().map(|beside| &beside.attached))
    }

    /// For each hook beside the main one the runs that the kernel kept from it, because it was already running on that CPU.
    /// Only a program on a function's entry has any; most of them would have seen nothing that a rule wants.
    #[must_use]
    pub fn missed_beside(&self) -> Vec<(Sight, u64)> {
        let since = |beside: &Beside| {
            let missed = missed(&beside.attached.program).unwrap_or(0);
            (beside.sight, missed.saturating_sub(beside.missed_before))
        };
        self.beside.iter().map(since).collect()
    }

    /// Runs of the hooks and the nanoseconds that they took; `None` while the kernel keeps no such statistics
    /// (`kernel.bpf_stats_enabled`).
    #[must_use]
    pub fn run_statistics(&self) -> Option<(u64, u64)> {
        let sum = |fact| -> u64 {
            self.all().filter_map(|attached| fact_file::number(&attached.program, fact)).sum()
        };
        let runs = sum("run_cnt:");
        (runs > 0).then(|| (runs, sum("run_time_ns:")))
    }

    /// Starts forwarding the kernel side's debug log to this program's log, when it was asked for; must be called
    /// inside the runtime.
    pub fn spawn_log(&mut self) -> Result<Option<JoinHandle<()>>, KernelError> {
        if !self.log {
            return Ok(None);
        }
        let first = self.programs.first().ok_or(KernelError::Missing(FIRST))?;
        let id = fact(&first.program, "prog_id:").and_then(|id| id.parse().ok()).unwrap_or(0);
        let logger =
            EbpfLogger::init_from_id(id).map_err(|error| KernelError::BadObject(with_causes(&error)))?;
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

impl Needs {
    fn of(btf: &Btf<'_>, offsets: &KernelOffsets) -> Self {
        let function = |name| btf.function_id(name);
        let interrupts = function("bpf_local_irq_save").zip(function("bpf_local_irq_restore"));
        let beside = function("bpf_preempt_disable")
            .zip(function("bpf_preempt_enable"))
            .map(|(off, on)| PreemptionSwitch { off, on, interrupts });
        if preemption::look(offsets) == TracepointPrograms::Undisturbed {
            return Self { switch: None, second: false, beside };
        }
        let switch = beside;
        // Both copies share the scratch space, so it takes the switch; and without a name for each exec the second could
        // not tell what the first has seen.
        Self { switch, second: switch.is_some() && offsets.task_self_exec_id != ABSENT, beside }
    }
}

pub(super) fn ring_of(map: OwnedFd) -> Result<RingBuf<MapData>, KernelError> {
    let map = MapData::from_fd(map).map_err(|error| KernelError::BadObject(with_causes(&error)))?;
    RingBuf::try_from(Map::RingBuf(map)).map_err(|error| KernelError::BadObject(with_causes(&error)))
}

/// Whether `/sys/kernel/security/lockdown` has `[confidentiality]`.
fn lockdown_forbids_reads() -> bool {
    fs::read_to_string("/sys/kernel/security/lockdown").is_ok_and(|modes| modes.contains("[confidentiality]"))
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// An error with all its causes, in one line.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
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

/// Why something that comes with the object was not taken.
pub(super) fn not_permitted_or_bad(what: &str, error: &io::Error) -> KernelError {
    if permission(error) {
        return KernelError::NotPermitted {
            what: what.to_owned(),
            errno: error.to_string(),
            lacking: Lacking::now(),
        };
    }
    KernelError::BadObject(format!("{what}: {error}"))
}

/// Why a map could not be made.
pub(super) fn map_failed(name: &str, error: &io::Error) -> KernelError {
    if permission(error) {
        return KernelError::NotPermitted {
            what: format!("making the map `{name}`"),
            errno: error.to_string(),
            lacking: Lacking::now(),
        };
    }
    KernelError::NoMap { map: name.to_owned(), reason: error.to_string() }
}

fn refused(program: &'static str, error: &io::Error, log: &str, host: &Host) -> KernelError {
    if permission(error) && !is_root() {
        return KernelError::NotPermitted {
            what: format!("loading the program `{program}`"),
            errno: error.to_string(),
            lacking: Lacking::now(),
        };
    }
    let lines: Vec<&str> = log.lines().collect();
    let last = lines[lines.len().saturating_sub(20)..].join("\n");
    KernelError::Refused {
        program,
        reason: error.to_string(),
        release: host.kernel_release.clone(),
        log: last,
    }
}

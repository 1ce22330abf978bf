//! Everything that is needed to boot kernels, made ready once; then one machine per kernel, as many at a time as the
//! computer has idle processors.
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};

use super::archive::{Archive, Found};
use super::attempt::{self, Outcome};
use super::budget::Budget;
use super::guest::Guest;
use super::kernel::Kernel;
use super::kernel_choice::{self, Wanted};
use super::machine::{self, Machine};
use super::{Options, Report, kvm};
use crate::workspace::Workspace;
use crate::{apt, command};

/// What does not depend on the kernel.
pub(crate) struct Lab<'workspace> {
    workspace: &'workspace Workspace,
    machine: &'static Machine,
    archive: Archive,
    folder: PathBuf,
}

impl<'workspace> Lab<'workspace> {
    /// Installs the emulator and asks the archive for its kernels.
    pub(crate) fn prepare(workspace: &'workspace Workspace) -> Result<Self> {
        let machine = &machine::AMD64;
        if command::find(machine.qemu).is_none() {
            apt::ensure(&[machine.qemu_package], "boot other kernels")?;
        }
        let folder = workspace.target().join("vm");
        let archive = Archive::open(&folder.join("apt"))?;
        Ok(Self { workspace, machine, archive, folder })
    }

    /// Boots every kernel that is meant; the agent must have been built.
    pub(crate) fn run(&self, options: &Options) -> Result<Report> {
        let guest = Guest::build(self.workspace, self.machine, &options.suite)?;
        self.boot_all(options, &guest)
    }

    /// The same with a guest of one's own.
    pub(super) fn boot_all(&self, options: &Options, guest: &Guest) -> Result<Report> {
        let wanted = if options.kernels.is_empty() { &kernel_choice::ALL[..] } else { &options.kernels };
        let mut report = Report::new(self.workspace.short(&self.logs()).to_string());
        let mut kernels = Vec::new();
        for wanted in wanted {
            match self.kernel(wanted)? {
                Ok(kernel) => kernels.push((wanted, kernel)),
                Err(answer) => report.add_not_offered(wanted, &answer),
            }
        }
        let logs = self.logs();
        std::fs::create_dir_all(&logs).with_context(|| format!("cannot create {}", logs.display()))?;
        let Some((_, first)) = kernels.first() else { return Ok(report) };
        let accelerator = kvm::accelerator(self.machine, first, guest, &self.folder)?;
        let budget = Budget::read(self.workspace)?;
        let next = AtomicUsize::new(0);
        let done: Mutex<Vec<Result<Outcome>>> = Mutex::default();
        std::thread::scope(|scope| {
            for _ in 0..options.jobs.unwrap_or_else(idle_processors).clamp(1, kernels.len()) {
                scope.spawn(|| {
                    while let Some((wanted, kernel)) = kernels.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let setup = attempt::Setup {
                            machine: self.machine,
                            accelerator,
                            guest,
                            folder: &self.folder,
                            logs: &logs,
                            append: &options.append,
                            verbose: options.verbose,
                        };
                        let outcome = setup.try_kernel(wanted, kernel).map(|mut outcome| {
                            outcome.faults.extend(budget.faults(wanted, &outcome.console.programs));
                            outcome
                        });
                        done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(outcome);
                    }
                });
            }
        });
        for outcome in done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            report.add(outcome?);
        }
        report.sort(wanted);
        Ok(report)
    }

    pub(super) fn workspace(&self) -> &Workspace {
        self.workspace
    }

    pub(super) fn machine(&self) -> &'static Machine {
        self.machine
    }

    /// The newest release that is meant, ready to boot; or the archive's own answer why there is none.
    fn kernel(&self, wanted: &Wanted) -> Result<Result<Kernel, String>> {
        let release = match self.archive.find(wanted, self.machine.debian)? {
            Found::Release(release) => release,
            Found::Nothing(answer) => return Ok(Err(answer)),
        };
        Kernel::get(&self.archive, &release, &self.folder.join("kernels"))
    }

    fn logs(&self) -> PathBuf {
        Path::new(&self.folder).join("logs")
    }
}

/// Processors that nobody used during the last minute; emulation leaves none idle, and shares badly.
fn idle_processors() -> usize {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let busy = load.split('.').next().and_then(|whole| whole.parse().ok()).unwrap_or(0);
    all.saturating_sub(busy).max(1)
}

//! Everything that is needed to boot kernels, made ready once; then one machine per kernel, as many at a time as the
//! computer has idle processors.
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};

use super::archive::{Archive, Found};
use super::attempt::{Outcome, Setup};
use super::budget::Budget;
use super::guest::Guest;
use super::kernel::Kernel;
use super::machine::Machine;
use super::target::{self, Target};
use super::{Options, Report, kvm};
use crate::build::{self, Arch};
use crate::workspace::Workspace;
use crate::{apt, command};

/// What does not depend on the kernel.
pub(crate) struct Lab<'workspace> {
    workspace: &'workspace Workspace,
    folder: PathBuf,
    /// The machines that are meant.
    targets: Vec<Target>,
    /// What is ready for each architecture among them.
    rooms: Vec<Room>,
}

/// What the machines of one architecture share.
struct Room {
    machine: &'static Machine,
    archive: Archive,
}

/// A machine that can be booted.
struct Bootable<'lab> {
    target: &'lab Target,
    kernel: Kernel,
    guest: &'lab Guest,
    accelerator: super::qemu::Accelerator,
}

impl<'workspace> Lab<'workspace> {
    /// Installs the emulators and asks the archive for its kernels. Without `targets` all are meant.
    pub(crate) fn prepare(workspace: &'workspace Workspace, targets: &[Target]) -> Result<Self> {
        let targets = if targets.is_empty() { target::ALL.to_vec() } else { targets.to_vec() };
        let folder = workspace.target().join("vm");
        let mut rooms: Vec<Room> = Vec::new();
        for target in &targets {
            let machine = target.kind.machine();
            if rooms.iter().any(|room| room.machine == machine) {
                continue;
            }
            if command::find(machine.qemu).is_none() {
                apt::ensure(&[machine.qemu_package], "boot other kernels")?;
            }
            let lists = folder.join(format!("apt-{}", machine.debian));
            rooms.push(Room { machine, archive: Archive::open(&lists, machine.debian)? });
        }
        Ok(Self { workspace, folder, targets, rooms })
    }

    /// Boots every machine that is meant; the agent must have been built.
    pub(crate) fn run(&self, options: &Options) -> Result<Report> {
        let guests = self.guests(&options.suite, options.no_build)?;
        self.boot_all(options, &guests)
    }

    /// The guests of a run that only starts the agent.
    pub(super) fn guests_without_suites(&self, no_build: bool) -> Result<Vec<(Arch, Guest)>> {
        let guests = self.guests(&[], no_build)?;
        Ok(guests.into_iter().map(|(arch, guest)| (arch, guest.without_suites())).collect())
    }

    fn guests(&self, suites: &[String], no_build: bool) -> Result<Vec<(Arch, Guest)>> {
        let guest = |room: &Room| {
            let targets: Vec<&Target> =
                self.targets.iter().filter(|target| target.kind.machine() == room.machine).collect();
            let arch = room.machine.arch;
            if !arch.is_ours() && !no_build {
                build::cross_build(self.workspace, arch)?;
            }
            Ok((arch, Guest::build(self.workspace, room.machine, &targets, suites, &room.archive)?))
        };
        self.rooms.iter().map(guest).collect()
    }

    /// The same with guests of one's own.
    pub(super) fn boot_all(&self, options: &Options, guests: &[(Arch, Guest)]) -> Result<Report> {
        let logs = self.folder.join("logs");
        let mut report = Report::new(self.workspace.short(&logs).to_string());
        std::fs::create_dir_all(&logs).with_context(|| format!("cannot create {}", logs.display()))?;
        let mut machines = Vec::new();
        for target in &self.targets {
            let machine = target.kind.machine();
            let room = self.rooms.iter().find(|room| room.machine == machine);
            let guest = guests.iter().find(|(arch, _)| *arch == machine.arch);
            let (room, (_, guest)) = room.zip(guest).context("a machine was not made ready")?;
            match self.kernel(target, room)? {
                Ok(kernel) => {
                    let accelerator = kvm::accelerator(machine, &kernel, target, guest, &self.folder)?;
                    machines.push(Bootable { target, kernel, guest, accelerator });
                }
                Err(answer) => report.add_not_offered(target, &answer),
            }
        }
        if let Some((case, reason)) = guests.first().and_then(|(_, guest)| guest.left_out()) {
            report.add_left_out(case, reason);
        }
        let budget = Budget::read(self.workspace)?;
        let next = AtomicUsize::new(0);
        let done: Mutex<Vec<Result<Outcome>>> = Mutex::default();
        std::thread::scope(|scope| {
            for _ in 0..options.jobs.unwrap_or_else(idle_processors).min(machines.len()) {
                scope.spawn(|| {
                    while let Some(machine) = machines.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let outcome = self.boot(machine, options, &logs, &budget);
                        done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(outcome);
                    }
                });
            }
        });
        for outcome in done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            report.add(outcome?);
        }
        report.sort(&self.targets);
        Ok(report)
    }

    fn boot(
        &self,
        machine: &Bootable<'_>,
        options: &Options,
        logs: &Path,
        budget: &Budget,
    ) -> Result<Outcome> {
        let setup = Setup {
            target: machine.target,
            kernel: &machine.kernel,
            accelerator: machine.accelerator,
            guest: machine.guest,
            folder: &self.folder,
            logs,
            append: &options.append,
            verbose: options.verbose,
        };
        let mut outcome = setup.run()?;
        outcome.faults.extend(budget.faults(machine.target, &outcome.console.programs));
        let (passed, failed, _) = outcome.console.cases();
        println!(
            "{}: {passed} passed, {failed} failed, {:.1} s{}",
            machine.target,
            outcome.took.wall.as_secs_f32(),
            if outcome.faults.is_empty() { "" } else { ", FAILED" }
        );
        Ok(outcome)
    }

    /// The newest release that is meant, ready to boot; or the archive's own answer why there is none.
    fn kernel(&self, target: &Target, room: &Room) -> Result<Result<Kernel, String>> {
        let release = match room.archive.find(&target.kernel)? {
            Found::Release(release) => release,
            Found::Nothing(answer) => return Ok(Err(answer)),
        };
        Kernel::get(&room.archive, &release, &self.folder.join("kernels"))
    }
}

/// Processors that nobody used during the last minute; emulation leaves none idle, and shares badly.
fn idle_processors() -> usize {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let busy = load.split('.').next().and_then(|whole| whole.parse().ok()).unwrap_or(0);
    all.saturating_sub(busy).max(1)
}

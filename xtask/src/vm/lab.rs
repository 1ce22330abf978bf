//! Everything that is needed to boot kernels, made ready once; and one machine per kernel, as many at a time as the
//! computer has processors.
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use anyhow::{Context as _, Result};

use super::archive::{Archive, Found};
use super::attempt::{Outcome, Setup};
use super::budget::Budget;
use super::guest::Guest;
use super::kernel::Kernel;
use super::machine::Machine;
use super::target::{self, Target};
use super::{Options, Report, kvm};
use crate::build;
use crate::command::Pace;
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
    guest: Arc<Guest>,
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

    /// Boots every machine that is meant, with all that it has to show; the agent must have been built.
    pub(crate) fn run(&self, options: &Options) -> Result<Report> {
        self.boot_all(options, false)
    }

    /// The same, or in each machine only the agent's start.
    pub(super) fn boot_all(&self, options: &Options, only_start: bool) -> Result<Report> {
        let logs = self.folder.join("logs");
        std::fs::create_dir_all(&logs).with_context(|| format!("cannot create {}", logs.display()))?;
        let mut report = Report::new(self.workspace.short(&logs).to_string());
        let budget = Budget::read(self.workspace)?;
        let done: Mutex<Vec<Result<Outcome>>> = Mutex::default();
        let (ready, queue) = mpsc::channel::<Bootable<'_>>();
        let queue = Mutex::new(queue);
        std::thread::scope(|scope| {
            for _ in 0..options.jobs.unwrap_or_else(processors).min(self.targets.len()) {
                scope.spawn(|| {
                    loop {
                        let next = locked(&queue).recv();
                        let Ok(machine) = next else { return };
                        let outcome = self.boot(&machine, options, &logs, &budget);
                        locked(&done).push(outcome);
                    }
                });
            }
            let all = self.make_ready(options, only_start, &ready, &mut report);
            drop(ready);
            if all.is_err() {
                // What cannot be complete need not go on.
                while locked(&queue).try_recv().is_ok() {}
            }
            all
        })?;
        for outcome in done.into_inner().unwrap_or_else(PoisonError::into_inner) {
            report.add(outcome?);
        }
        report.sort(&self.targets);
        Ok(report)
    }

    /// Builds what goes into the guests and gets the kernels; each machine is handed on as soon as it can be booted, so
    /// that those of this computer's architecture run while programs for another one are built.
    fn make_ready<'lab>(
        &'lab self,
        options: &Options,
        only_start: bool,
        ready: &mpsc::Sender<Bootable<'lab>>,
        report: &mut Report,
    ) -> Result<()> {
        for (number, room) in self.rooms.iter().enumerate() {
            let pace = if number == 0 { Pace::Full } else { Pace::Gentle };
            let mut targets: Vec<&Target> =
                self.targets.iter().filter(|target| target.kind.machine() == room.machine).collect();
            let arch = room.machine.arch;
            if !arch.is_ours() && !options.no_build {
                build::cross_build(self.workspace, arch, pace)?;
            }
            let guest =
                Guest::build(self.workspace, room.machine, &targets, &options.suite, &room.archive, pace)?;
            let guest = Arc::new(if only_start { guest.without_suites() } else { guest });
            for (case, reason) in guest.left_out().into_iter().filter(|_| number == 0) {
                report.add_left_out(case, reason);
            }
            // The longest first, so that none is left alone at the end.
            targets.sort_by_key(|target| !target.is_long());
            for target in targets {
                match self.kernel(target, room)? {
                    Ok(kernel) => {
                        let accelerator =
                            kvm::accelerator(room.machine, &kernel, target, &guest, &self.folder)?;
                        let guest = Arc::clone(&guest);
                        // Somebody listens as long as this goes on.
                        let _ = ready.send(Bootable { target, kernel, guest, accelerator });
                    }
                    Err(answer) => report.add_not_offered(target, &answer),
                }
            }
        }
        Ok(())
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
            guest: &machine.guest,
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

/// As many as this computer has: a guest uses one.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! One kernel: booted once, and once more (never silently) when machine or guest broke down instead of answering.
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::console::Console;
use super::guest::Guest;
use super::kernel::Kernel;
use super::kernel_choice::Wanted;
use super::machine::Machine;
use super::qemu::{self, Accelerator, Boot};

/// What the attempts of one kernel have in common.
pub(super) struct Setup<'lab> {
    pub(super) machine: &'lab Machine,
    pub(super) accelerator: Accelerator,
    pub(super) guest: &'lab Guest,
    pub(super) folder: &'lab Path,
    pub(super) logs: &'lab Path,
    pub(super) append: &'lab str,
    pub(super) verbose: bool,
}

/// How one kernel did.
pub(super) struct Outcome {
    pub(super) wanted: Wanted,
    pub(super) release: String,
    pub(super) console: Console,
    /// Of all attempts.
    pub(super) total: Duration,
    /// Faults of the attempt before the one that counts, when there was one.
    pub(super) retried: Vec<String>,
    pub(super) faults: Vec<String>,
}

impl Setup<'_> {
    pub(super) fn try_kernel(&self, wanted: &Wanted, kernel: &Kernel) -> Result<Outcome> {
        let mut outcome = self.attempt(wanted, kernel, "first")?;
        if outcome.console.broke_down() {
            println!("{}: broke down, tried once more: {}", kernel.release, outcome.faults.join("; "));
            let broken = std::mem::replace(&mut outcome, self.attempt(wanted, kernel, "second")?);
            outcome.retried = broken.faults;
            outcome.total += broken.total;
        }
        Ok(outcome)
    }

    fn attempt(&self, wanted: &Wanted, kernel: &Kernel, name: &str) -> Result<Outcome> {
        // Kept afterwards: with it and the printed command line a person can look closer.
        let initramfs = self.folder.join(format!("{}.initramfs", kernel.release));
        self.guest.write(kernel, &initramfs)?;
        let boot = Boot {
            image: &kernel.image(),
            initramfs: &initramfs,
            log: &self.logs.join(format!("{}.{name}.log", kernel.release)),
            accelerator: self.accelerator,
            limit: qemu::LIMIT,
            just_come_up: false,
            append: self.append,
            verbose: self.verbose,
        };
        let (console, total) = qemu::boot(self.machine, &boot)?;
        let mut faults = console.faults(self.guest.suites());
        if let Some(booted) = console.release.as_ref().filter(|booted| **booted != kernel.release) {
            faults.push(format!("booted {booted} instead of {}", kernel.release));
        }
        let release = kernel.release.clone();
        Ok(Outcome { wanted: wanted.clone(), release, console, total, retried: Vec::new(), faults })
    }
}

//! One machine: booted once, and once more (never silently) when machine or guest broke down instead of answering, or
//! this computer gave it so little of a processor that a failure says nothing.
use std::path::Path;

use anyhow::Result;

use super::console::Console;
use super::guest::Guest;
use super::kernel::Kernel;
use super::qemu::{self, Accelerator, Boot, Took};
use super::target::Target;

/// What the attempts of one machine have in common.
pub(super) struct Setup<'lab> {
    pub(super) target: &'lab Target,
    pub(super) kernel: &'lab Kernel,
    pub(super) accelerator: Accelerator,
    pub(super) guest: &'lab Guest,
    pub(super) folder: &'lab Path,
    pub(super) logs: &'lab Path,
    pub(super) append: &'lab str,
    pub(super) verbose: bool,
}

/// How one machine did.
pub(super) struct Outcome {
    pub(super) target: Target,
    pub(super) release: String,
    pub(super) console: Console,
    /// Of all attempts.
    pub(super) took: Took,
    /// Faults of the attempt before the one that counts, when there was one.
    pub(super) retried: Vec<String>,
    pub(super) faults: Vec<String>,
    /// Suites that do not run in such a guest, with the reason.
    pub(super) left_out: Vec<(String, String)>,
}

impl Setup<'_> {
    pub(super) fn run(&self) -> Result<Outcome> {
        let mut outcome = self.attempt("first")?;
        let starved = outcome.took.is_starved() && !outcome.faults.is_empty();
        if starved {
            let Took { processor, starved, .. } = outcome.took;
            outcome.faults.push(format!(
                "it had work and no processor for {:.0} s, and one for {:.0} s",
                starved.as_secs_f32(),
                processor.as_secs_f32()
            ));
        }
        if starved || outcome.console.broke_down() {
            let why = if starved { "starved" } else { "broke down" };
            println!("{}: {why}, tried once more: {}", self.target, outcome.faults.join("; "));
            let broken = std::mem::replace(&mut outcome, self.attempt("second")?);
            outcome.retried = broken.faults;
            outcome.took += broken.took;
        }
        Ok(outcome)
    }

    fn attempt(&self, name: &str) -> Result<Outcome> {
        let (kernel, kind) = (self.kernel, self.target.kind);
        // Kept afterwards: with it and the printed command line a person can look closer.
        let file = self.target.to_string().replace('/', "-");
        let initramfs = self.folder.join(format!("{file}.initramfs"));
        self.guest.write(kernel, self.target, &initramfs)?;
        let boot = Boot {
            image: &kernel.image(),
            initramfs: &initramfs,
            log: &self.logs.join(format!("{file}.{name}.log")),
            accelerator: self.accelerator,
            limit: qemu::LIMIT,
            just_come_up: false,
            append: &format!("{} {}", kind.parameters(), self.append),
            memory: kind.memory(),
            verbose: self.verbose,
        };
        let (console, took) = qemu::boot(kind.machine(), &boot)?;
        let plan = self.guest.plan(self.target);
        let mut faults = console.faults(&plan);
        if let Some(booted) = console.release.as_ref().filter(|booted| **booted != kernel.release) {
            faults.push(format!("booted {booted} instead of {}", kernel.release));
        }
        let (target, release) = (self.target.clone(), kernel.release.clone());
        let left_out = plan.left_out().to_vec();
        Ok(Outcome { target, release, console, took, retried: Vec::new(), faults, left_out })
    }
}

//! One machine: booted once, and once more (never silently) with what did not end well: machine or guest broke down, this computer
//! gave it too little of a processor, or cases failed, as an emulated machine has clocks and orders of events that no real
//! one has. What went wrong the first time stands in the table.
use std::path::Path;

use anyhow::Result;

use super::console::Console;
use super::guest::Guest;
use super::kernel::Kernel;
use super::plan::Plan;
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
        let plan = self.guest.plan(self.target);
        let mut outcome = self.attempt("first", &plan)?;
        let starved = outcome.took.is_starved() && !outcome.faults.is_empty();
        if starved {
            let Took { processor, starved, .. } = outcome.took;
            outcome.faults.push(format!(
                "it had work and no processor for {:.0} s, and one for {:.0} s",
                starved.as_secs_f32(),
                processor.as_secs_f32()
            ));
        }
        let failed = outcome.console.failed_runs(&plan);
        if !failed.is_empty() || outcome.console.broke_down() {
            println!(
                "{}: tried once more, {}: {}",
                self.target,
                failed.join(", "),
                outcome.faults.join("; ")
            );
            let again = self.attempt("second", &plan.only(&failed))?;
            outcome.took += again.took;
            outcome.console.replace_by(again.console);
            outcome.retried = std::mem::replace(&mut outcome.faults, self.faults(&outcome.console, &plan));
        }
        Ok(outcome)
    }

    fn attempt(&self, name: &str, plan: &Plan) -> Result<Outcome> {
        let (kernel, kind) = (self.kernel, self.target.kind);
        // Kept afterwards: with it and the printed command line a person can look closer.
        let file = self.target.to_string().replace('/', "-");
        let initramfs = self.folder.join(format!("{file}.initramfs"));
        self.guest.write(kernel, plan, &initramfs)?;
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
        let faults = self.faults(&console, plan);
        let (target, release) = (self.target.clone(), kernel.release.clone());
        let left_out = plan.left_out().to_vec();
        Ok(Outcome { target, release, console, took, retried: Vec::new(), faults, left_out })
    }

    fn faults(&self, console: &Console, plan: &Plan) -> Vec<String> {
        let mut faults = console.faults(plan);
        if let Some(booted) = console.release.as_ref().filter(|booted| **booted != self.kernel.release) {
            faults.push(format!("booted {booted} instead of {}", self.kernel.release));
        }
        faults
    }
}

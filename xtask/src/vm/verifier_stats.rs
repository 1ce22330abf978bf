//! `cargo xtask verifier-stats`: what the verifier of each kernel pays for each program, held against the budget.
use anyhow::Result;

use super::budget::Budget;
use super::stack;
use super::target::Target;
use super::{Lab, Options};
use crate::workspace::Workspace;
use crate::{build, build_ebpf};

/// Print what the verifier of each kernel processes; fail on growth above the recorded budget
#[derive(clap::Args)]
pub(crate) struct StatsOptions {
    /// Series such as `6.12`, or `newest`, or `6.12/arm64`; all when none is given
    #[arg(value_name = "KERNEL")]
    kernels: Vec<Target>,
    /// Machines at a time; as many as there are processors when not given
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Take the agent and the eBPF object that are in target, as they are
    #[arg(long)]
    no_build: bool,
    /// Write the figures of now, with some headroom, as the new budget
    #[arg(long)]
    record: bool,
}

pub(crate) fn run(options: StatsOptions) -> Result<()> {
    let workspace = Workspace::find()?;
    if !options.no_build {
        build::build(&workspace, &build_ebpf::Options::default())?;
    }
    let kernels = if options.kernels.is_empty() { Target::with_figures() } else { options.kernels };
    let lab = Lab::prepare(&workspace, &kernels)?;
    let boot = Options { jobs: options.jobs, no_build: options.no_build, ..Options::default() };
    let report = lab.boot_all(&boot, true)?;
    println!("\n{:<15} {:<16} {:>12} {:>14}", "kernel", "program", "instructions", "machine code B");
    for outcome in report.outcomes() {
        for program in &outcome.console.programs {
            let verified = program.verified.map_or("-".to_owned(), |count| count.to_string());
            let (kernel, name) = (outcome.target.to_string(), &program.name);
            println!("{kernel:<15} {name:<16} {verified:>12} {:>14}", program.machine_code);
        }
    }
    println!("(kernels before 5.16 do not tell the instructions)\n\nfunction: bytes of stack, of 512");
    for (function, depth) in stack::depths(&workspace.ebpf_object())? {
        println!("{function}: {depth}");
    }
    if options.record {
        let mut budget = Budget::read(&workspace)?;
        for outcome in report.outcomes() {
            anyhow::ensure!(
                outcome.console.exit.is_some_and(|(code, _)| code == 0),
                "nothing is recorded, {} did not do its work: {}",
                outcome.release,
                outcome.faults.join("; ")
            );
            budget.record(&outcome.target, &outcome.console.programs);
        }
        return budget.write(&workspace);
    }
    for fault in report.outcomes().iter().flat_map(|outcome| &outcome.faults) {
        println!("FAILED: {fault}");
    }
    report.verdict(false)
}

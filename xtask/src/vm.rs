//! `cargo xtask vm`: the agent and the real-kernel tests on other kernels than this machine's, in emulated machines.
mod archive;
mod attempt;
mod budget;
mod console;
mod engines;
mod guest;
mod initramfs;
mod kernel;
mod kernel_choice;
mod kvm;
mod lab;
mod machine;
mod plan;
mod qemu;
mod report;
mod stack;
mod suites;
mod target;
mod unpacked;
pub(crate) mod verifier_stats;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{build, build_ebpf};
pub(crate) use lab::Lab;
pub(crate) use report::Report;
pub(crate) use target::Target;

/// Boot real Debian kernels in QEMU and run the agent and the real-kernel tests inside
///
/// Kernels are packages of the Debian archive, found by search, checked by apt, kept in target/vm. A machine that does
/// not come up is a failure.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Series such as `6.12`, or `newest`, and behind it `/docker`, `/lockdown`, `/bpf-lsm`, `/no-bpf-lsm` or `/arm64`
    /// for another guest than the plain one; the whole matrix when none is given
    #[arg(value_name = "KERNEL")]
    kernels: Vec<Target>,
    /// Run only this suite (a file of tests/tests, without .rs), whatever it states about kernels; can be given many
    /// times
    #[arg(long, value_name = "SUITE")]
    suite: Vec<String>,
    /// Machines at a time; as many as there are processors when not given
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// More kernel parameters, for instance `lockdown=confidentiality`
    #[arg(long, value_name = "PARAMETERS", default_value = "")]
    append: String,
    /// Take the agent and the eBPF object that are in target, as they are
    #[arg(long)]
    no_build: bool,
    /// Show the guests' consoles while they run
    #[arg(long, short)]
    verbose: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let workspace = Workspace::find()?;
    if !options.no_build {
        build::build(&workspace, &build_ebpf::Options::default())?;
    }
    let report = Lab::prepare(&workspace, &options.kernels)?.run(options)?;
    report.print();
    // Asked for by name or as part of all: here a kernel that cannot be had is a failure.
    report.verdict(false)
}

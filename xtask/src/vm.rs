//! `cargo xtask vm`: the agent and the real-kernel tests on other kernels than this machine's, in emulated machines.
mod archive;
mod console;
mod guest;
mod initramfs;
mod kernel;
mod kernel_choice;
mod machine;
mod qemu;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::workspace::Workspace;
use crate::{apt, build, build_ebpf, command};
use archive::Archive;
use console::Console;
use guest::Guest;
use kernel::Kernel;
use kernel_choice::Wanted;
use machine::Machine;
use qemu::Boot;

/// Boot real Debian kernels in QEMU and run the agent and the real-kernel tests inside
///
/// Kernels are packages of the Debian archive, found by search, checked by apt, kept in target/vm. A machine that does
/// not come up is a failure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Series such as `6.12`, or `newest`; all five when none is given
    #[arg(value_name = "KERNEL")]
    kernels: Vec<Wanted>,
    /// Run only this suite (a file of tests/tests, without .rs); can be given many times
    #[arg(long, value_name = "SUITE")]
    suite: Vec<String>,
    /// Show the guest's console while it runs
    #[arg(long, short)]
    verbose: bool,
}

/// How one kernel did.
struct Outcome {
    wanted: Wanted,
    release: String,
    console: Console,
    total: Duration,
    /// Faults of the attempt before this one, when there was one.
    retried: Vec<String>,
    faults: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let workspace = Workspace::find()?;
    build::build(&workspace, &build_ebpf::Options::default())?;
    run_built(&workspace, options)
}

/// The verb with an agent that has been built.
fn run_built(workspace: &Workspace, options: &Options) -> Result<()> {
    let machine = &machine::AMD64;
    if command::find(machine.qemu).is_none() {
        apt::ensure(&[machine.qemu_package], "boot other kernels")?;
    }
    let folder = workspace.target().join("vm");
    let archive = Archive::open(&folder.join("apt"))?;
    let guest = Guest::build(workspace, machine, &options.suite)?;
    let wanted =
        if options.kernels.is_empty() { kernel_choice::ALL.to_vec() } else { options.kernels.clone() };
    let mut outcomes = Vec::new();
    for wanted in wanted {
        let release = archive.find(&wanted, machine.debian)?;
        let kernel = Kernel::get(&archive, &release, &folder.join("kernels"))?;
        outcomes.push(try_kernel(wanted, machine, &kernel, &guest, &folder, options)?);
    }
    print!("{}", table(&outcomes));
    let failed: Vec<_> = outcomes
        .iter()
        .filter(|outcome| !outcome.faults.is_empty())
        .map(|outcome| outcome.release.as_str())
        .collect();
    if !failed.is_empty() {
        bail!(
            "not all passed on {}: consoles are in {}",
            failed.join(", "),
            workspace.short(&folder.join("logs"))
        );
    }
    Ok(())
}

/// Boots one kernel; once more, and not silently, when machine or guest broke down.
fn try_kernel(
    wanted: Wanted,
    machine: &Machine,
    kernel: &Kernel,
    guest: &Guest,
    folder: &Path,
    options: &Options,
) -> Result<Outcome> {
    let logs = folder.join("logs");
    std::fs::create_dir_all(&logs).with_context(|| format!("cannot create {}", logs.display()))?;
    let initramfs = folder.join(format!("{}.initramfs", kernel.release));
    guest.write(kernel, &initramfs)?;
    let mut retried = Vec::new();
    let mut total = Duration::ZERO;
    for attempt in ["first", "second"] {
        let log = logs.join(format!("{}.{attempt}.log", kernel.release));
        let boot = Boot {
            image: &kernel.image(),
            initramfs: &initramfs,
            log: &log,
            accelerator: "tcg,thread=multi",
            verbose: options.verbose,
        };
        let (console, took) = qemu::boot(machine, &boot)?;
        total += took;
        let mut faults = console.faults(guest.suites());
        if console.release.as_ref().is_some_and(|release| *release != kernel.release) {
            faults.push(format!("booted {:?} instead of {}", console.release, kernel.release));
        }
        if attempt == "first" && console.broke_down() {
            println!("{}: broke down, trying once more: {}", kernel.release, faults.join("; "));
            retried = faults;
            continue;
        }
        let release = kernel.release.clone();
        return Ok(Outcome { wanted, release, console, total, retried, faults });
    }
    unreachable!("the second attempt returns")
}

/// One line per kernel, and below it what went wrong.
fn table(outcomes: &[Outcome]) -> String {
    use std::fmt::Write as _;
    let mut text = format!(
        "\n{:<8} {:<30} {:>6} {:>7} {:>6} {:>6}  hooks\n",
        "kernel", "release", "boot s", "total s", "passed", "failed"
    );
    for Outcome { wanted, release, console, total, retried, faults } in outcomes {
        let boot = console.boot.map_or("-".to_owned(), |boot| format!("{boot:.1}"));
        let (passed, failed) = console.cases();
        let hooks = console.hooks.as_deref().unwrap_or("-");
        let _ = writeln!(
            text,
            "{:<8} {release:<30} {boot:>6} {:>7.1} {passed:>6} {failed:>6}  {hooks}",
            wanted.to_string(),
            total.as_secs_f32()
        );
        for fault in retried {
            let _ = writeln!(text, "         retried: {fault}");
        }
        for fault in faults {
            let _ = writeln!(text, "         FAILED: {fault}");
        }
    }
    text
}

//! `cargo xtask build-ebpf`: compiles the kernel side on a machine that has only stable Rust, whatever way works
//! there, and leaves the object where the agent's build script looks for it.
mod compile;
mod linker;
mod object_file;
mod toolchain;

use std::time::Instant;

use anyhow::{Result, bail};

use crate::workspace::{self, Workspace};
use compile::Failure;
use linker::Linkers;
use toolchain::Way;

/// Compile the eBPF program to `target/ebpf/detector-ebpf.o`.
///
/// Three ways are tried in this order: a rustup nightly, the stable compiler, packages of Debian or Ubuntu.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Take only this way to compile, and fail when it does not work here
    #[arg(long, value_enum)]
    pub(crate) toolchain: Option<Way>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    build(&Workspace::find()?, options)
}

/// The verb, for other verbs.
pub(crate) fn build(workspace: &Workspace, options: &Options) -> Result<()> {
    let started = Instant::now();
    let ways = options.toolchain.map_or(Way::IN_ORDER.to_vec(), |way| vec![way]);
    let mut linkers = Linkers::new(workspace);
    let mut refusals = Vec::new();
    for way in ways {
        let refusal = match attempt(workspace, way, &mut linkers) {
            Ok(took) => {
                println!("eBPF object by {took}, {:.1} s", started.elapsed().as_secs_f32());
                return Ok(());
            }
            Err(Failure::Source(report)) => bail!(report),
            Err(Failure::Way(reason)) => reason,
        };
        eprintln!("eBPF toolchain {way}: not possible: {refusal}");
        refusals.push(format!("  {way}: {refusal}\n      to get it: {}", way.remedy()));
    }
    bail!(
        "no way to compile the eBPF program works here; any one of these is enough:\n{}",
        refusals.join("\n")
    )
}

/// Goes one way to the end; the answer says which compiler and which linker it took, and what came out.
fn attempt(workspace: &Workspace, way: Way, linkers: &mut Linkers<'_>) -> Result<String, Failure> {
    let compiler = way.prepare().map_err(Failure::way)?;
    let mut linker = linkers.first_choice(compiler.llvm).map_err(Failure::way)?;
    eprintln!("eBPF toolchain {way}: {compiler}, {linker}");
    let mut built = compile::compile(workspace, &compiler, &linker);
    if let Err(Failure::Way(reason)) = &built
        && let Some(other) = linkers.second_choice(&linker)
    {
        eprintln!("eBPF toolchain {way}: {reason}; trying again with a bpf-linker of our own");
        linker = other.map_err(Failure::way)?;
        built = compile::compile(workspace, &compiler, &linker);
    }
    let stripped = object_file::without_debug_info(&built?).map_err(Failure::way)?;
    let sections = object_file::programs(&stripped).map_err(Failure::way)?;
    let object = workspace.ebpf_object();
    let fresh = workspace::write_if_changed(&stripped, &object).map_err(Failure::way)?;
    Ok(format!(
        "way {way}: {compiler}; {linker}\n  {}{}: {}",
        workspace.short(&object),
        if fresh { "" } else { " (unchanged)" },
        sections.join(", ")
    ))
}

//! The list of the project's commands: `cargo xtask VERB`, one file per verb.
mod apt;
mod bench;
mod build;
mod build_ebpf;
mod command;
mod containers;
mod demo;
mod lint;
mod package;
mod privilege;
mod run;
mod test;
mod vm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands. Each installs what it needs, and prints every command it runs.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    BuildEbpf(build_ebpf::Options),
    Build(build::Options),
    /// Check format, lints, rooms, sizes, words, licences and Cargo.lock
    Lint,
    Test(test::Options),
    Run(run::Options),
    Demo(demo::Options),
    Vm(vm::Options),
    VerifierStats(vm::verifier_stats::StatsOptions),
    Bench(bench::Options),
    Package(package::Options),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().verb {
        Verb::BuildEbpf(options) => build_ebpf::run(&options),
        Verb::Build(options) => build::run(&options),
        Verb::Lint => lint::run(),
        Verb::Test(options) => test::run(&options),
        Verb::Run(options) => run::run(&options),
        Verb::Demo(options) => demo::run(&options),
        Verb::Vm(options) => vm::run(&options),
        Verb::VerifierStats(options) => vm::verifier_stats::run(options),
        Verb::Bench(options) => bench::run(&options),
        Verb::Package(options) => package::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_verbs_do_not_contradict_each_other() {
        super::Arguments::command().debug_assert();
    }
}

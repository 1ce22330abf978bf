//! `cargo xtask test`: everything that can run on this machine, in one order, to the end; what did not run is
//! listed with the reason, so that a green result never hides a gap.
mod not_run;
mod page_check;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::vm::{self, Lab};
use crate::workspace::Workspace;
use crate::{build, build_ebpf, command, containers, lint, package, privilege};
use not_run::{Class, NotRun};

/// Install what is missing, build, lint, and run all tests, also those on the real kernel (root)
///
/// With FILTER, lint and the other kernels are left out and only tests run whose name contains it. With CI=true a test
/// that could not run because a part is missing on this machine is a failure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Leave the other kernels out, which boot in emulated machines (what `cargo xtask vm` does alone)
    #[arg(long)]
    no_vm: bool,

    /// Arguments for the test programs, after `--`: usually a part of a test's name
    #[arg(last = true, value_name = "FILTER")]
    filter: Vec<String>,
}

/// A finished step of the run.
struct Step {
    name: &'static str,
    seconds: f32,
    failure: Option<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let workspace = Workspace::find()?;
    let list = workspace.target().join("not-run.tsv");
    not_run::start(&list)?;
    let mut steps = Vec::new();
    let mut step = |name, work: &mut dyn FnMut() -> Result<()>| {
        println!("\n== {name}");
        let started = Instant::now();
        let failure = work().err().map(|error| format!("{error:#}"));
        if let Some(failure) = &failure {
            println!("== {name} failed: {failure}");
        }
        steps.push(Step { name, seconds: started.elapsed().as_secs_f32(), failure });
    };
    let mut absent = Vec::new();
    let mut busybox = None;
    step("install", &mut || {
        busybox = install(&workspace, &mut absent);
        Ok(())
    });
    let mut built = false;
    step("build", &mut || {
        build::build(&workspace, &build_ebpf::Options::default())?;
        built = true;
        Ok(())
    });
    if options.filter.is_empty() {
        step("lint", &mut || lint::lint(&workspace));
    }
    step("unit tests", &mut || unit_tests(&workspace, &options.filter));
    let mut packages = Packages::default();
    step("packages", &mut || {
        if !built {
            bail!("there is no agent to pack: see the step `build`");
        }
        packages = pack(&workspace, &options.filter, &mut absent)?;
        Ok(())
    });
    if options.filter.is_empty() {
        step("HTML reports", &mut || {
            if !built {
                bail!("there is no agent to make them: see the step `build`");
            }
            match page_check::prepare(&workspace) {
                Ok(check) => check.run(&workspace),
                Err(gap) => {
                    absent.push(gap);
                    Ok(())
                }
            }
        });
    }
    step("real kernel, real containers", &mut || {
        if !built {
            bail!("there is no agent to test: see the step `build`");
        }
        match privilege::root_prefix("the real-kernel suite") {
            Ok(prefix) => {
                kernel_tests(&workspace, &options.filter, &list, &prefix, busybox.as_deref(), &packages)
            }
            Err(error) => {
                absent.push(NotRun::missing("real-kernel suite", &format!("{error:#}")));
                Ok(())
            }
        }
    });
    if !options.no_vm && options.filter.is_empty() {
        step("other kernels, emulated", &mut || {
            if !built {
                bail!("there is no agent to test: see the step `build`");
            }
            other_kernels(&workspace, &mut absent)
        });
    }
    absent.extend(not_run::read(&list)?);
    if options.no_vm {
        let (name, reason) = ("the other kernels".to_owned(), "--no-vm was given".to_owned());
        absent.push(NotRun { name, class: Class::LeftOut, reason });
    }
    conclude(&steps, &absent, is_ci())
}

/// True where a gap is a failure.
fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| matches!(value.as_str(), "true" | "1"))
}

/// What people install, and where the tests install it.
#[derive(Default)]
struct Packages {
    folder: Option<PathBuf>,
    debian: Option<PathBuf>,
}

/// Makes the packages; what checks them and cannot be had is a gap of this machine.
fn pack(workspace: &Workspace, filter: &[String], absent: &mut Vec<NotRun>) -> Result<Packages> {
    let folder = package::package(workspace, &package::Options { no_build: true, check_chart: false })?;
    if filter.is_empty() {
        match package::prepare_chart_check(workspace) {
            Ok(check) => check.run()?,
            Err(error) => {
                absent.push(NotRun::missing("the Helm chart and the manifest", &format!("{error:#}")));
            }
        }
    }
    let debian = match package::clean_debian(workspace) {
        Ok(archive) => Some(archive),
        Err(error) => {
            absent.push(NotRun::missing("the package in a clean Debian", &format!("{error:#}")));
            None
        }
    };
    Ok(Packages { folder: Some(folder), debian })
}

/// Gets what the real-kernel suite needs; what cannot be had is a gap of this machine, not the end of the run.
/// Returns the busybox that the container images are made of.
fn install(workspace: &Workspace, absent: &mut Vec<NotRun>) -> Option<PathBuf> {
    match containers::install_docker() {
        Ok(()) => println!("Docker is here"),
        Err(error) => absent.push(NotRun::missing("real Docker containers", &format!("{error:#}"))),
    }
    for engine in &containers::ENGINES {
        match engine.install() {
            Ok(()) => println!("{} is here", engine.name),
            Err(error) => {
                absent
                    .push(NotRun::missing(&format!("containers of {}", engine.name), &format!("{error:#}")));
            }
        }
    }
    match containers::static_busybox(workspace) {
        Ok(path) => {
            println!("static busybox is here: {}", path.display());
            Some(path)
        }
        Err(error) => {
            absent.push(NotRun::missing("containers made of busybox", &format!("{error:#}")));
            None
        }
    }
}

fn unit_tests(workspace: &Workspace, filter: &[String]) -> Result<()> {
    let mut cargo = workspace.agent_cargo();
    cargo.args(["test", "--no-fail-fast"]);
    if !filter.is_empty() {
        cargo.arg("--").args(filter);
    }
    command::run(&mut cargo)
}

fn kernel_tests(
    workspace: &Workspace,
    filter: &[String],
    not_run: &Path,
    root: &[String],
    busybox: Option<&Path>,
    packages: &Packages,
) -> Result<()> {
    let threads = std::env::var("RUST_TEST_THREADS").unwrap_or_else(|_| "2".to_owned());
    let mut env = vec![
        ("DETECTOR_BIN", workspace.agent().display().to_string()),
        ("DETECTOR_NOT_RUN", not_run.display().to_string()),
        ("DETECTOR_TEST_HELPERS", container_programs(workspace)?.display().to_string()),
        ("RUST_TEST_THREADS", threads),
    ];
    let given = [("DETECTOR_PACKAGES", &packages.folder), ("DETECTOR_DEBIAN", &packages.debian)];
    env.extend(
        given.into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?.display().to_string()))),
    );
    let mut path = std::env::var("PATH").unwrap_or_default();
    if let Some(folder) =
        busybox.and_then(Path::parent).filter(|folder| folder.starts_with(workspace.target()))
    {
        // The tests take the first static busybox on PATH; the one of the machine is not static.
        path = format!("{}:{path}", folder.display());
        env.push(("PATH", path.clone()));
    }
    let mut cargo = workspace.agent_cargo();
    cargo.envs(env.iter().map(|(name, value)| (name, value))).args(["test", "--no-fail-fast"]);
    if !root.is_empty() {
        // The build stays the user's, so that nothing in target belongs to root; only the test programs are root.
        // sudo forgets the environment.
        env.push(("PATH", path));
        env.extend(std::env::var("CI").map(|value| ("CI", value)));
        let words = env.iter().map(|(name, value)| format!("{name}={value}"));
        let words: Vec<_> = root.iter().cloned().chain(["env".to_owned()]).chain(words).collect();
        let runner = serde_json::to_string(&words).context("cannot name the runner for cargo")?;
        cargo.arg("--config").arg(format!("target.'cfg(unix)'.runner={runner}"));
    }
    cargo.args(["--package", "detector-tests"]);
    if !filter.is_empty() {
        cargo.arg("--").args(filter);
    }
    command::run(&mut cargo)
}

/// The real-kernel suite on the kernels that users have. Without an emulator or an archive that is a gap of this machine.
fn other_kernels(workspace: &Workspace, absent: &mut Vec<NotRun>) -> Result<()> {
    let lab = match Lab::prepare(workspace, &[]) {
        Ok(lab) => lab,
        Err(error) => {
            absent.push(NotRun::missing("all other kernels", &format!("{error:#}")));
            return Ok(());
        }
    };
    let report = lab.run(&vm::Options::default())?;
    report.print();
    for (name, reason) in report.not_run() {
        absent.push(NotRun { name, class: Class::Unobtainable, reason });
    }
    for (series, answer) in report.not_offered() {
        let (name, reason) = (format!("kernel {series}"), answer.clone());
        absent.push(NotRun { name, class: Class::Unobtainable, reason });
    }
    report.verdict(true)
}

/// Builds the static programs that the tests run inside containers; returns their folder.
fn container_programs(workspace: &Workspace) -> Result<PathBuf> {
    let target = build::musl_target();
    build::ensure_target(&target).context("what runs inside the containers must be static")?;
    let mut cargo = workspace.cargo();
    // The profile of the guests' tests: what both need is compiled once.
    cargo.args(["build", "--profile", "vm", "--package", "detector-tests", "--bins", "--target", &target]);
    command::run(cargo.arg("--target-dir").arg(workspace.target()))?;
    Ok(workspace.target().join(target).join("vm"))
}

/// Prints the summary; an error when a step failed, or when CI must not accept a gap.
fn conclude(steps: &[Step], absent: &[NotRun], ci: bool) -> Result<()> {
    println!("\n== summary");
    for Step { name, seconds, failure } in steps {
        match failure {
            None => println!("  ok     {seconds:7.1} s  {name}"),
            Some(failure) => {
                println!("  FAILED {seconds:7.1} s  {name}: {}", failure.lines().next().unwrap_or_default());
            }
        }
    }
    println!("\nNot run on this machine:{}", if absent.is_empty() { " nothing was left out" } else { "" });
    for NotRun { name, class, reason } in absent {
        println!("  {class}: {name}: {reason}");
    }
    let failed: Vec<_> = steps.iter().filter(|step| step.failure.is_some()).map(|step| step.name).collect();
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    let missing = absent.iter().filter(|gap| gap.class == Class::Missing).count();
    if ci && missing > 0 {
        bail!(
            "{missing} required part(s) are missing on this machine, and CI=true accepts no gap: see the list above"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(failure: Option<&str>) -> Step {
        Step { name: "build", seconds: 1.0, failure: failure.map(str::to_owned) }
    }

    #[test]
    fn a_failed_step_fails_the_run() {
        assert!(conclude(&[step(None)], &[], true).is_ok());
        let error = conclude(&[step(None), step(Some("it broke"))], &[], false).unwrap_err();
        assert!(error.to_string().contains("build"));
    }

    #[test]
    fn a_missing_part_fails_only_in_ci_and_one_that_nobody_can_or_wants_to_have_never() {
        let missing = [NotRun::missing("a test", "no engine")];
        assert!(conclude(&[step(None)], &missing, false).is_ok());
        assert!(conclude(&[step(None)], &missing, true).is_err());
        let with = |class| NotRun { class, ..NotRun::missing("a test", "the registry refuses") };
        let others = [with(Class::Unobtainable), with(Class::LeftOut)];
        assert!(conclude(&[step(None)], &others, true).is_ok());
    }
}

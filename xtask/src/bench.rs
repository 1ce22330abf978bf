//! `cargo xtask bench`: builds the agent and the program that measures it, and becomes the latter (as root).
use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;
use crate::{build, build_ebpf, command, containers, privilege};

/// Measure what the agent costs and how fast it is; a table, and target/bench/results.json (root)
///
/// Every figure is compared with a baseline that is taken in the same run, in turn with it.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// spawn, container, kernel, latency, burst, resources, start, replay, workload; all of them without a name
    figures: Vec<String>,
    /// A smoke run of everything in less than a minute; its numbers mean little
    #[arg(long)]
    quick: bool,
    /// Seconds for each figure
    #[arg(long, default_value_t = 45, conflicts_with = "quick", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
}

/// A folder of Falco's rule files, which are no part of the project: figures with them are taken where it is given.
const FALCO_RULES: &str = "DETECTOR_FALCO_RULES";
/// Seconds for each figure of a smoke run.
const QUICK_SECONDS: u64 = 3;

pub(crate) fn run(options: &Options) -> Result<()> {
    let workspace = Workspace::find()?;
    build::build(&workspace, &build_ebpf::Options::default())?;
    let busybox = containers::static_busybox(&workspace)?;
    let target = build::musl_target();
    build::ensure_target(&target).context("what runs inside the containers must be static")?;
    let mut cargo = workspace.cargo();
    cargo.args([
        "build",
        "--profile",
        "measure",
        "--package",
        "detector-tests",
        "--bins",
        "--target",
        &target,
    ]);
    command::run(cargo.arg("--target-dir").arg(workspace.target()))?;
    let programs = workspace.target().join(target).join("measure");

    // Made here and filled by root: what is in target stays the user's.
    let folder = workspace.target().join("bench");
    let results = folder.join("results.json");
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(&results, ""))
        .with_context(|| format!("cannot write {}", results.display()))?;

    let text = |path: &std::path::Path| {
        let text = path.to_str().map(str::to_owned);
        text.context("the path of the target folder is no UTF-8: move it with CARGO_TARGET_DIR")
    };
    // The container images take the first static busybox on PATH.
    let path = std::env::var("PATH").unwrap_or_default();
    let path = busybox.parent().map_or(path.clone(), |folder| format!("{}:{path}", folder.display()));
    let rules = workspace.root().join("detector/rules");
    let mut keep = vec![
        ("DETECTOR_TEST_HELPERS", text(&programs)?),
        ("DETECTOR_OWN_RULES", text(&rules)?),
        ("PATH", path),
    ];
    keep.extend(std::env::var(FALCO_RULES).ok().map(|folder| (FALCO_RULES, folder)));
    let keep: Vec<_> = keep.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut bench = privilege::as_root("measuring", &text(&programs.join("bench"))?, &keep)?;
    let seconds = if options.quick { QUICK_SECONDS } else { options.seconds };
    bench.arg("measure").arg(workspace.agent()).arg(&results);
    bench.args([seconds.to_string().as_str(), if options.quick { "quick" } else { "full" }]);
    bench.args(&options.figures);
    command::show(&bench);
    // Replaces this process: Ctrl-C and the exit code are the program's own. Returns only when it failed.
    Err(bench.exec()).context("cannot start the program that measures")
}

//! Measures what the agent costs and how fast it is, on the real kernel: `cargo xtask bench` builds and runs it.
//!
//! `bench measure AGENT RESULTS SECONDS quick|full FIGURE...` takes the figures (all without a name), prints a table and
//! writes the same as JSON. `bench spawner JOB` is the other side: the pinned process that executes, on the host or
//! inside a container (see [`spawner`]); `bench alone CPU PROGRAM...` runs any program in the same way.
//!
//! Every figure is taken in rounds, and each round holds all variants in turn (A B, then B A), so that what else
//! happens on the machine meets all of them alike. See [`statistics`] for what becomes of the rounds.

mod agent;
mod figures;
mod interrupt;
mod machine;
mod no_op;
mod results;
mod rule_sets;
mod spawner;
mod stage;
mod statistics;
mod table;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figures::{FIGURES, Figure};
use results::{FigureResult, Results};
use stage::Stage;

/// What can go wrong while measuring; shown in place of the figure.
type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["measure", agent, results, seconds, extent, names @ ..] => {
            seconds.parse().map_err(Into::into).and_then(|seconds| {
                measure(agent.as_ref(), results.as_ref(), seconds, *extent == "quick", names)
            })
        }
        ["alone", cpu, program, rest @ ..] => spawner::alone(cpu, program, rest).map(|()| true),
        ["spawner", job] => spawner::run(job).map(|()| true),
        _ => Err("this program is for `cargo xtask bench`".into()),
    };
    match done {
        Ok(true) => {}
        Ok(false) => std::process::exit(1),
        Err(error) => {
            eprintln!("bench: {error}");
            std::process::exit(1);
        }
    }
}

/// Takes the figures; the answer is whether all of them could be taken (not whether the goals were met).
fn measure(agent: &Path, results: &Path, seconds: u64, quick: bool, names: &[&str]) -> Outcome<bool> {
    let wanted = chosen(names)?;
    if !nix::unistd::geteuid().is_root() {
        return Err("needs root: it loads programs into the kernel and makes containers".into());
    }
    interrupt::watch()?;
    machine::take_precedence()?;
    let stage = Stage::new(agent.to_owned(), Duration::from_secs(seconds), quick)?;
    let mut all = Results::new(machine::describe(agent)?, quick);
    for figure in wanted {
        if interrupt::check().is_err() {
            break;
        }
        eprintln!("measuring {}: {} ...", figure.name, figure.title);
        let taken = take(figure, &stage);
        print!("{}", table::figure(&taken));
        all.figures.push(taken);
        // After each figure, so that an interrupted run leaves what it has.
        std::fs::write(results, serde_json::to_vec_pretty(&all)?)
            .map_err(|error| format!("cannot write {}: {error}", results.display()))?;
    }
    println!("\nAs JSON: {}", results.display());
    interrupt::check()?;
    Ok(all.figures.iter().all(|figure| figure.error.is_none()))
}

fn chosen(names: &[&str]) -> Outcome<Vec<&'static Figure>> {
    let known = || FIGURES.iter().map(|figure| figure.name).collect::<Vec<_>>().join(", ");
    if names.is_empty() {
        return Ok(FIGURES.iter().collect());
    }
    let find = |name: &&str| {
        let found = FIGURES.iter().find(|figure| figure.name == *name);
        found.ok_or_else(|| format!("no figure is called `{name}`; there are: {}", known()).into())
    };
    names.iter().map(find).collect()
}

/// One figure; a failure is part of the result, and the next figure has its chance. The harness panics where it
/// fails; unwinding lets go of containers and agents.
fn take(figure: &Figure, stage: &Stage) -> FigureResult {
    let before = machine::Load::now();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (figure.take)(stage)));
    let outcome = outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map_or("a part of the harness panicked", String::as_str);
        Err(text.lines().next().unwrap_or_default().to_owned().into())
    });
    FigureResult::new(figure, outcome, &before)
}

/// The path of this program: what runs inside a container is a copy of it.
fn ourselves() -> Outcome<PathBuf> {
    Ok(std::env::current_exe()?)
}

//! What each hook costs for each thing that it sees, by the kernel's own statistics, and how much of an unrelated workload
//! full of files the hooks are. With all of them on; where the kernel takes no programs at its security checks only the
//! main hook is. The figures stand in the output: `cargo xtask vm 6.12 --suite hook_costs`.
//!
//! Times of an emulated machine mean nothing by themselves. So an empty program stands beside each as the measure, and
//! what the hooks take is told as a share of what the workload takes in the same moments. No time is held against a bound
//! here: the figures are for docs/performance.md, and a busy computer makes any of them. What fails is a hook that
//! does not run.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use detector_tests::bpf::{Counts, Program, Statistics, attach_empty_program, programs_of};
use detector_tests::case::has_root;
use detector_tests::{Agent, BareContainer};

detector_tests::not_in_a_virtual_machine!(
    "its figures are asked for by its name; beside others they mean nothing"
);

/// Calls of each kind between two looks at the statistics; execs are dearer.
const CALLS: u64 = 4000;
const EXECS: u64 = 200;
/// Files of the workload.
const FILES: usize = 300;
const ROUNDS: usize = 3;

const ALL_ON: &str = "
- rule: Dropped script run by interpreter in container
  enabled: true
  override: {enabled: replace}
- rule: Program piped into interpreter in container
  enabled: true
  override: {enabled: replace}
";

/// One case would be in the other's time.
static ALONE: Mutex<()> = Mutex::new(());

/// Rules as they are shipped, which ask for all hooks, and `more`.
fn agent(folder: &Path, more: &str) -> Agent {
    let files = [
        ("1.yaml", include_str!("../../detector/rules/detector_rules.yaml")),
        ("2.yaml", more),
        ("3.yaml", include_str!("../../detector/rules/falco_rules.yaml")),
    ];
    for (name, text) in files {
        fs::write(folder.join(name), text).expect("the rules");
    }
    Agent::start_with(&[OsStr::new("-r"), folder.as_os_str()])
}

/// Standard output of a passing test is not shown; what goes straight to the descriptor is.
fn show(line: &str) {
    let _ = writeln!(std::io::stderr(), "COST {line}");
}

fn programs(agent: &Agent) -> Vec<(String, Program)> {
    let pid = agent.pid().expect("it runs").cast_unsigned();
    let named = |program: Program| (program.description().expect("its name").0, program);
    programs_of(pid).expect("the agent's programs").into_iter().map(named).collect()
}

fn look<'p>(programs: impl IntoIterator<Item = &'p Program>) -> Vec<Counts> {
    programs.into_iter().map(|program| program.counts().expect("counts")).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn mean(before: Counts, after: Counts) -> Option<f64> {
    let runs = after.runs - before.runs;
    (runs > 0).then(|| (after.nanoseconds - before.nanoseconds) as f64 / runs as f64)
}

fn executable(path: &Path, text: &str) {
    fs::write(path, text).expect("a file of the image");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its mode");
}

#[test]
fn each_hook_by_what_it_sees() {
    if !has_root("each_hook_by_what_it_sees") {
        return;
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let container = BareContainer::new();
    executable(&container.lower().join("usr/bin/script"), "#!/bin/sh\n:\n");
    let agent = agent(folder.path(), ALL_ON);
    let empty = attach_empty_program().expect("an empty program");
    let programs = programs(&agent);
    let watched = || std::iter::once(&empty.program).chain(programs.iter().map(|(_, program)| program));
    let _statistics = Statistics::enable().expect("statistics");

    let times =
        |count: u64, deed: &str| format!("i=0; while [ $i -lt {count} ]; do {deed}; i=$((i+1)); done");
    let dropped = "printf '#!/bin/sh\\n:\\n' > /tmp/s; chmod 755 /tmp/s; cp /bin/probe /tmp/x";
    let phases = [
        ("a program of the image is executed", EXECS, times(EXECS, "/bin/probe exit")),
        ("a script of the image is executed", EXECS, times(EXECS, "/usr/bin/script")),
        ("a dropped program is executed", EXECS, times(EXECS, "/tmp/x exit")),
        ("a dropped script is executed", EXECS, times(EXECS, "/tmp/s")),
        ("a file is opened for reading", CALLS, format!("probe open-for-reading /bin/busybox {CALLS}")),
        ("a file is opened for writing", CALLS, format!("probe open-for-writing /tmp/w {CALLS}")),
        ("the image's file is mapped", CALLS, format!("probe map /bin/busybox {CALLS}")),
        ("a dropped file is mapped, once more", CALLS, format!("probe map /tmp/x {CALLS}")),
    ];
    let _ = container.sh(dropped).ok();
    // The measure: many runs of the empty program.
    let mut base = None;
    let mut ran: Vec<u64> = vec![0; programs.len()];
    for (what, count, deed) in phases {
        let before = look(watched());
        let _ = container.sh(&deed).ok();
        let after = look(watched());
        let base = *base.get_or_insert_with(|| {
            let base = mean(before[0], after[0]).expect("execs were seen");
            show(&format!("empty program: {base:.0} ns for each run"));
            base
        });
        for (index, (name, _)) in programs.iter().enumerate() {
            let (before, after) = (before[index + 1], after[index + 1]);
            let runs = after.runs - before.runs;
            // What others do meanwhile is not told.
            if runs >= count
                && let Some(mean) = mean(before, after)
            {
                ran[index] += runs;
                show(&format!(
                    "{what}: {name}: {runs} runs, {mean:.0} ns each, {:.1} times the empty program",
                    mean / base
                ));
            }
        }
    }
    for ((name, _), ran) in programs.iter().zip(ran) {
        // The second copy of the main hook, where there is one, runs as often as the first.
        assert!(ran >= EXECS, "{name} ran {ran} times");
    }
    agent.stop();
}

/// What the agent's process has had of processors so far, in ticks.
fn ticks(agent: &Agent) -> u64 {
    let pid = agent.pid().expect("it runs");
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the agent's times");
    let fields = text.rsplit(')').next().expect("fields").split_whitespace().skip(11).take(2);
    fields.map(|ticks| ticks.parse::<u64>().expect("ticks")).sum()
}

/// Until the agent has tested itself and read what containers there are: that is not the workload's.
fn wait_until_idle(agent: &Agent) {
    let mut before = ticks(agent);
    for _ in 0..60 {
        std::thread::sleep(Duration::from_secs(1));
        let now = ticks(agent);
        if now == before {
            return;
        }
        before = now;
    }
}

/// Copies, reads and removes a tree of files in a container; nothing of it concerns any rule, and so those that ask about each
/// start of an interpreter, as this shell is one, stay off.
#[test]
fn a_workload_full_of_files() {
    if !has_root("a_workload_full_of_files") {
        return;
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let container = BareContainer::new();
    let source = container.lower().join("source");
    for number in 0..FILES {
        let part = source.join(format!("part-{}", number % 10));
        fs::create_dir_all(&part).expect("a folder");
        fs::write(part.join(format!("file-{number}")), "x".repeat(4096)).expect("a file");
    }
    let work = "i=0; while [ $i -lt 3 ]; do busybox cp -r /source /tmp/copy; busybox grep -r nothing /tmp/copy || true; \
                busybox rm -r /tmp/copy; i=$((i+1)); done";
    let run = || {
        let start = Instant::now();
        let _ = container.sh(work).ok();
        start.elapsed().as_nanos()
    };
    let empty = attach_empty_program().expect("an empty program");
    // After hooks came or went everything is slower once: an emulator translates the kernel's code anew.
    let warm = || {
        let _ = run();
    };
    let (mut without, mut with) = (Vec::new(), Vec::new());
    let mut sums: Vec<(String, Counts)> = Vec::new();
    let mut used = 0;
    let (mut measure, mut in_all) = (Counts { nanoseconds: 0, runs: 0 }, 0_u128);
    for _ in 0..ROUNDS {
        warm();
        without.push(run());
        let agent = agent(folder.path(), "[]");
        wait_until_idle(&agent);
        let programs = programs(&agent);
        warm();
        let idle = ticks(&agent);
        with.push(run());
        used += ticks(&agent) - idle;
        let statistics = Statistics::enable().expect("statistics");
        let watched = || std::iter::once(&empty.program).chain(programs.iter().map(|(_, program)| program));
        let before = look(watched());
        in_all += run();
        let after = look(watched());
        drop(statistics);
        let mut grown = before.iter().zip(&after).map(|(before, after)| Counts {
            nanoseconds: after.nanoseconds - before.nanoseconds,
            runs: after.runs - before.runs,
        });
        let add = |sum: &mut Counts, more: Counts| {
            sum.nanoseconds += more.nanoseconds;
            sum.runs += more.runs;
        };
        add(&mut measure, grown.next().expect("the empty program"));
        for (index, more) in grown.enumerate() {
            if sums.len() == index {
                sums.push((programs[index].0.clone(), Counts { nanoseconds: 0, runs: 0 }));
            }
            add(&mut sums[index].1, more);
        }
        agent.stop();
    }
    let median = |times: &mut Vec<u128>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    let (off, on) = (median(&mut without), median(&mut with));
    let thousandths = |part: u128, whole: u128| part * 1000 / whole.max(1);
    show(&format!("files: {} us without the agent, {} us with it", off / 1000, on / 1000));
    let rounds = u64::try_from(ROUNDS).unwrap_or(1);
    show(&format!("files: the agent's own process had {} ticks meanwhile, of 10 ms", used / rounds));
    show(&format!(
        "files: in ns, from the fastest to the slowest, without {without:?} and with {with:?}; while measuring {} us",
        in_all / 1000 / u128::from(rounds)
    ));
    // What the clock around each run takes is the measure's, and not there when nobody measures.
    let base = measure.nanoseconds / measure.runs.max(1);
    let (mut in_hooks, mut net) = (0, 0);
    for (name, Counts { nanoseconds, runs }) in &sums {
        let own = nanoseconds.saturating_sub(runs * base);
        show(&format!(
            "files: {name}: {runs} runs, {} ns each, {} beyond an empty program's",
            nanoseconds / runs.max(&1),
            own / runs.max(&1)
        ));
        in_hooks += u128::from(*nanoseconds);
        net += u128::from(own);
    }
    show(&format!(
        "files: in the hooks {} thousandths of the time, {} of them beyond empty programs",
        thousandths(in_hooks, in_all),
        thousandths(net, in_all)
    ));
    assert!(in_hooks > 0, "no hook ran");
}

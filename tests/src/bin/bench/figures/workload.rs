//! What work that people do costs more with the agent: a compile and a shell loop, which execute a lot, and programs
//! that only make system calls, where there must be no difference at all.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use detector_tests::process;
use nix::sys::resource::{UsageWho, getrusage};

use crate::results::{Report, Row};
use crate::stage::Stage;
use crate::statistics::Series;
use crate::{Outcome, ourselves};

/// Agent off, off once more, on.
const VARIANTS: usize = 3;

/// A shell script and what it shows.
struct Work {
    name: &'static str,
    script: String,
}

/// Seconds that one piece of work took.
#[derive(Default)]
struct Taken {
    wall: [Series; VARIANTS],
    /// Of the work and all its processes; what other programs do meanwhile is not in it.
    cpu: [Series; VARIANTS],
}

pub(crate) fn take(stage: &Stage) -> Outcome<Report> {
    let mut report = Report::default();
    let all = works(stage, &mut report)?;
    let mut taken: Vec<Taken> = all.iter().map(|_| Taken::default()).collect();
    // The first time reads the disk.
    for work in &all {
        perform(stage, work)?;
    }
    let rounds = stage.rounds(0.9, |round| {
        let mut order = [0, 1, 2];
        order.rotate_left(round as usize % VARIANTS);
        for variant in order {
            let mut agent = if variant == 2 { Some(stage.start_agent()?) } else { None };
            for (work, taken) in all.iter().zip(&mut taken) {
                let (wall, cpu) = perform(stage, work)?;
                taken.wall[variant].push_one(wall * 1000.0);
                taken.cpu[variant].push_one(cpu * 1000.0);
            }
            if let Some(agent) = &mut agent {
                agent.stop()?;
            }
        }
        Ok(())
    })?;
    for (work, taken) in all.iter().zip(&taken) {
        for (kind, [off, again, on]) in [("elapsed", &taken.wall), ("CPU time", &taken.cpu)] {
            let name = |variant: &str| format!("{}, {kind}, {variant}", work.name);
            let control =
                Row::median(name("agent off, once more"), "ms", again).against("agent off", again, off);
            let on = Row::median(name("agent on"), "ms", on).against("agent off", on, off);
            report.rows.push(Row::median(name("agent off"), "ms", off));
            report.rows.push(control.clone());
            report.rows.push(on.ratio_is_one(&control));
        }
    }
    report.notes.push(format!("{rounds} rounds"));
    Ok(report)
}

/// Runs the script alone on one CPU; seconds elapsed, and seconds of CPU time.
fn perform(stage: &Stage, work: &Work) -> Outcome<(f64, f64)> {
    let mut command = Command::new(ourselves()?);
    command
        .args(["alone", &stage.cpu().to_string(), "sh", "-e", "-c", &work.script])
        .current_dir(stage.folder());
    let (start, before) = (Instant::now(), children_seconds()?);
    let finished = process::run(command);
    if !finished.status.success() {
        return Err(format!("{} failed: {finished}", work.name).into());
    }
    Ok((start.elapsed().as_secs_f64(), children_seconds()? - before))
}

/// CPU time of all processes that were waited for.
fn children_seconds() -> Outcome<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: nix::sys::time::TimeVal| {
        #[expect(clippy::cast_precision_loss, reason = "seconds, far below 2^53")]
        let whole = time.tv_sec() as f64;
        #[expect(clippy::cast_precision_loss, reason = "microseconds below a million")]
        let part = time.tv_usec() as f64;
        whole + part / 1e6
    };
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

fn works(stage: &Stage, report: &mut Report) -> Outcome<Vec<Work>> {
    let mut works = Vec::new();
    if Command::new("cc").arg("--version").output().is_ok_and(|answer| answer.status.success()) {
        write_sources(stage.folder(), 2)?;
        works.push(Work {
            name: "compile",
            script: "for file in *.c; do cc -O1 -c \"$file\" -o \"$file.o\"; done".to_owned(),
        });
    } else {
        report.notes.push("no `cc` here: the compile is left out".to_owned());
    }
    works.push(Work {
        name: "shell loop of execs",
        script: "i=0; while [ $i -lt 200 ]; do ./no-op; i=$((i+1)); done".to_owned(),
    });
    works.push(Work {
        name: "dd bs=1",
        script: "dd if=/dev/zero of=/dev/null bs=1 count=100000 status=none".to_owned(),
    });
    works.push(Work { name: "find", script: "find /usr/share /usr/lib -xdev -name no-such-file".to_owned() });
    Ok(works)
}

/// C files that need no header and no library.
fn write_sources(folder: &Path, files: u32) -> Outcome<()> {
    for file in 0..files {
        let mut text = String::new();
        for function in 0..15 {
            writeln!(
                text,
                "int f{file}_{function}(int n) {{ int s = {function}; for (int i = 0; i < n; i++) \
                 s = s * 31 + (i ^ (s >> 3)); return s % 7 ? s : f{file}_{function}(s); }}"
            )?;
        }
        std::fs::write(folder.join(format!("source{file}.c")), text)?;
    }
    Ok(())
}

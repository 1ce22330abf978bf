//! Boots one machine and listens to its console until it is done, hangs, or takes too long.
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::console::Console;
use super::machine::Machine;
use crate::command;

/// A guest that says nothing for so long, and hardly uses its processor, hangs.
const SILENCE: Duration = Duration::from_secs(300);
/// Less of the time than one part in so many is "hardly": an idle kernel uses about one in a hundred.
const HARDLY: u32 = 30;
/// A guest that says nothing for so long hangs, whatever it does: no step of a case may take so long there.
const LONG_SILENCE: Duration = Duration::from_secs(1200);
/// No run takes so long, even on a busy machine.
pub(super) const LIMIT: Duration = Duration::from_secs(3600);

/// What a run needs besides the machine.
pub(super) struct Boot<'path> {
    pub(super) image: &'path Path,
    pub(super) initramfs: &'path Path,
    /// All that the console said is kept here.
    pub(super) log: &'path Path,
    pub(super) accelerator: Accelerator,
    /// The longest that it may take.
    pub(super) limit: Duration,
    /// More kernel parameters.
    pub(super) append: &'path str,
    /// Megabytes.
    pub(super) memory: u32,
    /// Whether it is enough to see that it comes up.
    pub(super) just_come_up: bool,
    /// Whether the console is shown while it runs.
    pub(super) verbose: bool,
}

/// Who executes the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accelerator {
    /// The emulator.
    Tcg,
    /// This computer's processor.
    Kvm,
}

/// A running emulator; it is killed on drop.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a run took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Took {
    /// By the clock.
    pub(super) wall: Duration,
    /// Of this computer's processors: what it would take where nothing else runs, waiting aside.
    pub(super) processor: Duration,
    /// For which it had work to do, and got no processor.
    pub(super) starved: Duration,
}

impl Took {
    /// Whether it had no processor for so long that what failed may have failed by that.
    pub(super) fn is_starved(&self) -> bool {
        self.starved > self.processor
    }
}

impl std::ops::AddAssign for Took {
    fn add_assign(&mut self, other: Self) {
        self.wall += other.wall;
        self.processor += other.processor;
        self.starved += other.starved;
    }
}

/// Runs the machine to its end. An error is a failure of ours; a guest that breaks down is an answer.
pub(super) fn boot(machine: &Machine, boot: &Boot) -> Result<(Console, Took)> {
    // `quiet`: the serial line is slow. `nokaslr mitigations=off`: less to do for the emulator.
    let parameters = format!(
        "console={} quiet panic=-1 nokaslr mitigations=off random.trust_cpu=on {} {}",
        machine.console, machine.parameters, boot.append
    );
    let mut qemu = command::program("nice");
    qemu.args(["-n", "10", machine.qemu, "-nodefaults", "-no-reboot", "-display", "none"]);
    qemu.args(machine.board);
    qemu.args(match boot.accelerator {
        Accelerator::Tcg => ["-accel", "tcg,thread=multi", "-cpu", machine.processor],
        Accelerator::Kvm => ["-accel", "kvm", "-cpu", "host"],
    });
    // One processor: with two, the emulator races with the kernel's patching of its own code (QEMU 7.2).
    qemu.args(["-smp", "1", "-m", &boot.memory.to_string()]);
    qemu.arg("-kernel").arg(boot.image).arg("-initrd").arg(boot.initramfs);
    qemu.args(["-append", &parameters, "-serial", "stdio"]);
    command::show(&qemu);
    qemu.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // SAFETY: prctl is async-signal-safe and touches no memory of the parent.
    unsafe {
        qemu.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?));
    }
    let started = Instant::now();
    let mut running = Running(qemu.spawn().context("cannot start the emulator")?);
    let (lines, heard) = mpsc::channel();
    let streams: [Option<Box<dyn std::io::Read + Send>>; 2] = [
        running.0.stdout.take().map(|stream| Box::new(stream) as _),
        running.0.stderr.take().map(|stream| Box::new(stream) as _),
    ];
    for stream in streams.into_iter().flatten() {
        let lines = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                if lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
            }
        });
    }
    drop(lines);
    let mut log =
        std::fs::File::create(boot.log).with_context(|| format!("cannot write {}", boot.log.display()))?;
    let mut console = Console::default();
    let process = running.0.id();
    let (mut last_line, mut used_then) = (Instant::now(), Duration::ZERO);
    loop {
        let wait = boot.limit.saturating_sub(started.elapsed()).min(SILENCE);
        let line = match heard.recv_timeout(wait) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let used = processor_time(process).unwrap_or_default();
                let busy = used.saturating_sub(used_then) > SILENCE / HARDLY;
                used_then = used;
                if busy && started.elapsed() < boot.limit && last_line.elapsed() < LONG_SILENCE {
                    continue;
                }
                let line =
                    format!("nothing more for {} s: the machine was stopped", last_line.elapsed().as_secs());
                console.fault.get_or_insert_with(|| line.clone());
                writeln!(log, "{line}")?;
                break;
            }
        };
        (last_line, used_then) = (Instant::now(), processor_time(process).unwrap_or(used_then));
        console.read(&line);
        writeln!(log, "{}", line.trim_end_matches('\r'))?;
        if boot.verbose {
            println!("  | {}", line.trim_end_matches('\r'));
        }
        if console.exit.is_some() || (boot.just_come_up && console.boot.is_some()) {
            break;
        }
    }
    let processor = processor_time(process).unwrap_or_default();
    let took = Took { wall: started.elapsed(), processor, starved: waited_for_processor(process) };
    Ok((console, took))
}

/// Time for which the threads of a process had work and no processor; nothing where the kernel does not tell.
fn waited_for_processor(process: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{process}/task"));
    let threads = threads.into_iter().flatten().filter_map(Result::ok);
    // The thread that is the guest's processor is the one that matters, and waits most.
    let waits = threads.filter_map(|thread| {
        waited(&std::fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default())
    });
    waits.max().unwrap_or_default()
}

/// The second number of a line of `schedstat`, nanoseconds.
fn waited(schedstat: &str) -> Option<Duration> {
    schedstat.split_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
}

/// Time that all threads of a process have had so far, in user space and in the kernel; none when it is gone.
fn processor_time(process: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let ticks: u64 = used_ticks(&stat)?;
    let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()??;
    Some(Duration::from_millis(ticks.saturating_mul(1000) / u64::try_from(per_second).ok()?.max(1)))
}

/// The 14th and 15th word of a line of `/proc/PID/stat`; the second one is a name in brackets that may hold blanks.
fn used_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut words = rest.split(' ').skip(11);
    Some(words.next()?.parse::<u64>().ok()? + words.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_starved_when_it_waits_longer_than_it_runs() {
        assert_eq!(waited("1000 2500 7\n"), Some(Duration::from_nanos(2500)));
        assert_eq!(waited(""), None);
        let took = |processor, starved| Took {
            wall: Duration::from_secs(100),
            processor: Duration::from_secs(processor),
            starved: Duration::from_secs(starved),
        };
        assert!(took(20, 60).is_starved());
        assert!(!took(60, 20).is_starved() && !took(5, 1).is_starved(), "an idle one waits for nothing");
    }

    #[test]
    fn time_of_the_processor_is_that_of_user_and_kernel() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 1 2 3 4 120 30 5 6 20 0 1 0 99";
        assert_eq!(used_ticks(stat), Some(150));
        assert_eq!(used_ticks("7 (a) S 1"), None);
        assert!(processor_time(std::process::id()).is_some());
    }
}

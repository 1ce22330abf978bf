//! Where the figures come from: the machine, and how busy it was with other things meanwhile.

use std::fs;
use std::path::Path;
use std::time::Instant;

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use serde::Serialize;

use crate::Outcome;

/// The machine and the agent.
#[derive(Serialize)]
pub(crate) struct Machine {
    processor: String,
    cpus: usize,
    kernel: String,
    memory_mib: u64,
    agent_bytes: u64,
}

/// Looks at `/proc`.
pub(crate) fn describe(agent: &Path) -> Outcome<Machine> {
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).map(str::to_owned).unwrap_or_default();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let memory = field("/proc/meminfo", "MemTotal");
    let kib: u64 = memory.split(' ').next().unwrap_or_default().parse().unwrap_or(0);
    Ok(Machine {
        processor: field("/proc/cpuinfo", "model name"),
        cpus: cpus()?.len(),
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
        memory_mib: kib / 1024,
        agent_bytes: fs::metadata(agent)
            .map_err(|error| format!("no agent at {}: {error}", agent.display()))?
            .len(),
    })
}

/// Gives this process, and so the agent and all that it starts, the highest ordinary priority: others' work on the
/// machine then disturbs less, and all variants alike.
pub(crate) fn take_precedence() -> Outcome<()> {
    // SAFETY: setpriority takes three numbers and touches no memory; 0 is this process.
    if unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20) } != 0 {
        return Err(format!("cannot raise the priority: {}", std::io::Error::last_os_error()).into());
    }
    // Where the kernel groups tasks by session, it is the group's priority that counts against others.
    let group = Path::new("/proc/self/autogroup");
    if group.exists() {
        // Not every kernel that shows the file lets it be written; the priority within the group stays.
        let _ = fs::write(group, "-20");
    }
    Ok(())
}

/// Real-time priority for this process and what it starts; the answer is whether that is allowed here.
pub(crate) fn go_first() -> bool {
    let lowest = [1_i32];
    // SAFETY: struct sched_param is one int, which outlives the call; 0 is this process.
    unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_FIFO, lowest.as_ptr()) == 0 }
}

/// The CPUs that this process may use.
pub(crate) fn cpus() -> Outcome<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).collect())
}

/// How busy the machine was during a figure.
#[derive(Serialize)]
pub(crate) struct Load {
    /// Runnable tasks, averaged over a minute, before and after.
    average: (f64, f64),
    /// Percent of all CPU time that the hypervisor gave to others.
    stolen_percent: f64,
    pub(crate) seconds: f64,
    #[serde(skip)]
    start: Instant,
    #[serde(skip)]
    ticks: (f64, f64),
}

impl Load {
    pub(crate) fn now() -> Self {
        let average = load_average();
        Self {
            average: (average, average),
            stolen_percent: 0.0,
            seconds: 0.0,
            start: Instant::now(),
            ticks: ticks(),
        }
    }

    pub(crate) fn until_now(&self) -> Self {
        let ticks = ticks();
        let (stolen, total) = (ticks.0 - self.ticks.0, ticks.1 - self.ticks.1);
        Self {
            average: (self.average.0, load_average()),
            stolen_percent: if total > 0.0 { stolen / total * 100.0 } else { 0.0 },
            seconds: self.start.elapsed().as_secs_f64(),
            start: self.start,
            ticks,
        }
    }
}

impl std::fmt::Display for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (before, after) = self.average;
        write!(
            f,
            "load average {before:.1} before, {after:.1} after, {:.1} % of CPU time stolen",
            self.stolen_percent
        )
    }
}

fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN)
}

/// Stolen and all ticks since boot.
fn ticks() -> (f64, f64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    // user nice system idle iowait irq softirq steal; guest time is in user already.
    let numbers: Vec<f64> =
        first.split_whitespace().skip(1).take(8).filter_map(|number| number.parse().ok()).collect();
    (numbers.get(7).copied().unwrap_or(0.0), numbers.iter().sum())
}

//! What the agent itself takes: memory, CPU time, and how often it wakes up when there is nothing to do.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::agent::Agent;
use crate::results::{Report, Row};
use crate::spawner::{Drops, Job};
use crate::stage::{IMAGE_NO_OP, Stage, container, in_container};
use crate::statistics::counted;
use crate::{Outcome, interrupt};

/// MiB with the default rule.
const MEMORY_GOAL: f64 = 15.0;
const QUIET_RATE: f64 = 100.0;
const ALERT_RATE: f64 = 1000.0;

/// The agent's use at one moment.
struct Use {
    cpu_nanoseconds: f64,
    /// Voluntary context switches: it slept, and woke up.
    wake_ups: f64,
    alerts: usize,
    at: Instant,
}

pub(crate) fn take(stage: &Stage) -> Outcome<Report> {
    let container = container()?;
    let mut agent = stage.start_agent()?;
    let seconds = stage.time.as_secs_f64() / 3.5;
    let mut report = Report::default();
    // What start left to do is no part of idling.
    thread::sleep(Duration::from_millis(500));

    let before = Use::of(&agent)?;
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    while Instant::now() < end {
        interrupt::check()?;
        thread::sleep(Duration::from_millis(100));
    }
    let after = Use::of(&agent)?;
    let foreign = after.alerts - before.alerts;
    if foreign > 0 {
        report.notes.push(format!("idle was disturbed: {foreign} alerts about others' drops woke the agent"));
    }
    rows(&mut report, "idle", &before, &after, &agent, true)?;

    let quiet = Job::quiet(IMAGE_NO_OP, u64::MAX, stage.cpu()).rate(QUIET_RATE).seconds(seconds);
    let before = Use::of(&agent)?;
    in_container(&container, &quiet)?;
    rows(&mut report, "100 quiet execs/s", &before, &Use::of(&agent)?, &agent, true)?;

    let alerting = quiet.rate(ALERT_RATE).drops(Drops::One("/tmp/dropped".into()));
    let before = Use::of(&agent)?;
    in_container(&container, &alerting)?;
    let after = Use::of(&agent)?;
    let per_second = counted(after.alerts - before.alerts) / (after.at - before.at).as_secs_f64();
    report.notes.push(format!("asked for {ALERT_RATE} alerts/s, got {per_second:.0}"));
    rows(&mut report, "alerts", &before, &after, &agent, false)?;
    let per_alert = (after.cpu_nanoseconds - before.cpu_nanoseconds) / counted(after.alerts - before.alerts);
    report.rows.push(Row::counted("alerts: CPU time per alert", "us", per_alert / 1000.0));
    report.rows.push(Row::counted("highest memory", "MiB", status(&agent, "VmHWM:")?).at_most(MEMORY_GOAL));
    agent.stop()?;
    Ok(report)
}

fn rows(
    report: &mut Report,
    phase: &str,
    before: &Use,
    after: &Use,
    agent: &Agent,
    sleeps: bool,
) -> Outcome<()> {
    let lasted = (after.at - before.at).as_secs_f64();
    let cpu = (after.cpu_nanoseconds - before.cpu_nanoseconds) / 1e9 / lasted * 100.0;
    let per_minute = (after.wake_ups - before.wake_ups) / lasted * 60.0;
    let memory = Row::counted(format!("{phase}: memory (RSS)"), "MiB", status(agent, "VmRSS:")?);
    report.rows.push(memory.at_most(MEMORY_GOAL));
    report.rows.push(Row::counted(format!("{phase}: CPU of one core"), "%", cpu));
    let wake_ups = Row::counted(format!("{phase}: wake-ups per minute"), "", per_minute);
    report.rows.push(if sleeps { wake_ups.exactly(0.0) } else { wake_ups });
    Ok(())
}

impl Use {
    fn of(agent: &Agent) -> Outcome<Self> {
        let mut sum = Self { cpu_nanoseconds: 0.0, wake_ups: 0.0, alerts: agent.count(), at: Instant::now() };
        for task in fs::read_dir(format!("/proc/{}/task", agent.pid()))? {
            let task = task?.path();
            let times = fs::read_to_string(task.join("schedstat"))?;
            sum.cpu_nanoseconds += times.split(' ').next().unwrap_or_default().parse::<f64>()?;
            sum.wake_ups += field(&fs::read_to_string(task.join("status"))?, "voluntary_ctxt_switches:")?;
        }
        Ok(sum)
    }
}

/// A size of the agent's `/proc/PID/status`, in MiB.
fn status(agent: &Agent, name: &str) -> Outcome<f64> {
    Ok(field(&fs::read_to_string(format!("/proc/{}/status", agent.pid()))?, name)? / 1024.0)
}

fn field(text: &str, name: &str) -> Outcome<f64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    let value = value.ok_or_else(|| format!("/proc does not tell {name}"))?;
    Ok(value.split_whitespace().next().unwrap_or_default().parse()?)
}

//! The figures of the running agent, gathered from all stages when somebody asks.

use detector_common::counters::Counter;

use super::{Agent, now_ns};
use crate::{
    kernel::Loss,
    output::OutputCounters,
    telemetry::{Figures, OutputFigures},
    throttle::HeldBack,
};

pub(super) fn of(agent: &Agent) -> Figures {
    let loss = agent.counters.read();
    let enriched = agent.stages.enricher.stats();
    let judge = &agent.stages.judge;
    Figures {
        version: env!("CARGO_PKG_VERSION"),
        kernel_release: agent.host.kernel_release.clone(),
        hostname: judge.hostname().to_owned(),
        now_ns: now_ns(),
        started_ns: agent.started_ns,
        loaded_ns: agent.loaded_ns,
        booted_ns: agent.stages.booted_ns(),
        records: judge.records,
        undecodable: judge.undecodable,
        duplicates: agent.ring.duplicates(),
        rules: judge.matches(),
        silenced: judge.silenced(),
        sent: loss.of(Counter::Sent),
        ring_full: loss.of(Counter::RingFull),
        kernel: kernel(agent, &loss),
        lost: agent.lost(&loss),
        bpf: agent.kernel.run_statistics(),
        outputs: agent.stages.outputs.counters().map(|(name, counters)| output(name, &counters)).collect(),
        metadata_complete: enriched.complete,
        metadata_partial: enriched.partial.into_iter().collect(),
        metadata_trouble: enriched.troubles.into_iter().collect(),
        containers: Vec::new(),
        waiting: agent.stages.enricher.waiting() as u64,
        reloads: agent.reloads,
        held_back: held_back(agent.stages.throttle.held_back()),
        selftest: agent.health.snapshot(),
    }
}

fn kernel(agent: &Agent, loss: &Loss) -> Vec<(&'static str, u64)> {
    let mut counts: Vec<_> = Counter::ALL.iter().map(|counter| (counter.name(), loss.of(*counter))).collect();
    counts.extend(agent.kernel.missed_beside().into_iter().map(|(sight, count)| (sight.missed(), count)));
    counts
}

fn held_back(held: HeldBack) -> Vec<(&'static str, u64)> {
    vec![("repeat", held.repeats), ("rate", held.beyond_rate)]
}

fn output(name: &'static str, counters: &OutputCounters) -> OutputFigures {
    OutputFigures {
        name,
        outcomes: vec![
            ("taken", counters.taken),
            ("delivered", counters.delivered),
            ("failed", counters.failed),
            ("rejected", counters.rejected),
            ("dropped_overflow", counters.dropped_overflow),
            ("dropped_timeout", counters.dropped_timeout),
        ],
        overflowed: counters.dropped_overflow,
        retries: counters.retried,
        depth: counters.queue_depth,
        spooled: counters.spooled,
    }
}

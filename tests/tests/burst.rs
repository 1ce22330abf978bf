//! Many drops at once: as many alerts, each file once.

use std::collections::BTreeSet;

use detector_tests::{BareContainer, agent_for, alert_schema, marker};

const DROPS: usize = 200;

#[test]
fn two_hundred_drops_are_two_hundred_alerts() {
    let Some(agent) = agent_for("two_hundred_drops_are_two_hundred_alerts") else { return };
    let (container, name) = (BareContainer::new(), marker("burst"));
    let output = container.sh(&format!("probe burst /tmp/{name} {DROPS}")).ok();
    assert_eq!(output, format!("burst of {DROPS} done\n"));
    let alerts = agent.expect_exactly(DROPS, &name);
    let files: BTreeSet<&str> = alerts.iter().map(|alert| alert.text("proc.exepath")).collect();
    let expected: BTreeSet<String> = (0..DROPS).map(|index| format!("/tmp/{name}-{index}")).collect();
    assert!(files.iter().copied().eq(expected.iter().map(String::as_str)), "files with an alert: {files:?}");
    for alert in &alerts {
        alert_schema::check(alert);
        assert_eq!(alert.text("container.id"), container.short_id(), "in {alert}");
        assert_eq!(alert.text("drop.origin"), "new", "in {alert}");
    }
    // Each event has a time of its own. Their lines may come in another order: an alert that waits for metadata, as
    // the first of a container does, holds no other up.
    let times: BTreeSet<i128> = alerts.iter().map(|alert| alert.integer("evt.time")).collect();
    assert_eq!(times.len(), DROPS, "times of the events: {times:?}");
}

/// Where programs on tracepoints can be preempted an exec may come in between another's on the same CPU: the hook was
/// not shown 8 of 200 of them. Spawners of all priorities wake each other at each exec, so that as many as possible do.
/// Each is seen, or counted as lost: the end of the agent, which the harness checks, says that none was.
#[test]
fn execs_that_preempt_each_other_are_all_seen() {
    const SPAWNERS: usize = 8;
    const DROPS_OF_EACH: usize = 40;
    let Some(agent) = agent_for("execs_that_preempt_each_other_are_all_seen") else { return };
    let (container, name) = (BareContainer::new(), marker("preempt"));
    let spawner = |number: usize| {
        // The static busybox of Debian has no `nice`.
        format!(
            "/bin/sh -c '/bin/busybox renice -n {} -p $$; exec /bin/probe burst /tmp/{name}-{number} {DROPS_OF_EACH}' >/tmp/out-{number} &",
            2 * number
        )
    };
    let spawners: Vec<String> = (0..SPAWNERS).map(spawner).collect();
    let output = container.sh(&format!("{}\nwait\ncat /tmp/out-*", spawners.join("\n"))).ok();
    assert_eq!(output.matches("done").count(), SPAWNERS, "{output}");
    let alerts = agent.expect_exactly(SPAWNERS * DROPS_OF_EACH, &name);
    let files: BTreeSet<&str> = alerts.iter().map(|alert| alert.text("proc.exepath")).collect();
    assert_eq!(files.len(), SPAWNERS * DROPS_OF_EACH, "files with an alert: {files:?}");
}

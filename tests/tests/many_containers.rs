//! Many containers in a short time, each gone at once: every drop is told, with all metadata, and soon.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use detector_tests::{Agent, Alert, Docker, Runc, docker, marker};

detector_tests::not_in_a_virtual_machine!("it is about many containers in a short time");

/// Containers that start at the same time.
const THREADS: usize = 8;
/// The time that the issue gives them.
const TIME: Duration = Duration::from_secs(10);

/// A script that drops three files and runs them: of the first alert nothing is known beforehand, of the second
/// everything is, and the parent of the third ends at once.
fn drop_three(name: &str) -> String {
    let run = format!("/tmp/{name}-1; /tmp/{name}-2; (/tmp/{name}-3 & exit 0); sleep 0.1; exit 0");
    format!("for n in 1 2 3; do cp /bin/probe /tmp/{name}-$n; done; {run}")
}

/// From the exec to the line, milliseconds.
fn latency(alert: &Alert) -> f64 {
    let since_epoch = alert.received.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let executed = alert.integer("evt.time").unsigned_abs();
    Duration::from_nanos(u64::try_from(since_epoch.saturating_sub(executed)).unwrap_or(u64::MAX))
        .as_secs_f64()
        * 1e3
}

/// Median and 99th percentile.
fn summary(mut values: Vec<f64>) -> String {
    values.sort_unstable_by(f64::total_cmp);
    let at = |part: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index into this very list"
        )]
        #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
        let index = ((values.len() - 1) as f64 * part).round() as usize;
        values[index]
    };
    format!("median {:.1} ms, p99 {:.1} ms", at(0.5), at(0.99))
}

/// Checks the alerts of `count` containers with these names, and prints what waiting for metadata costs.
fn check(agent: &Agent, name: &str, names: &[String], took: Duration) {
    let alerts = agent.expect_exactly(3 * names.len(), name);
    let mut found: Vec<&str> = alerts.iter().map(|alert| alert.text("container.name")).collect();
    found.sort_unstable();
    let mut want: Vec<&str> = names.iter().flat_map(|name| [name.as_str(); 3]).collect();
    want.sort_unstable();
    assert_eq!(found, want);
    for alert in &alerts {
        assert_eq!(alert.text("drop.metadata"), "complete", "in {alert}");
        assert_eq!(alert.text("user.name"), "root", "in {alert}");
    }
    let of = |end: &str| {
        let alerts = alerts.iter().filter(|alert| alert.text("proc.exepath").ends_with(end));
        alerts.map(latency).collect::<Vec<_>>()
    };
    let without_parent = |end: &str| {
        let alerts = alerts.iter().filter(|alert| alert.text("proc.exepath").ends_with(end));
        alerts.filter(|alert| alert.field("proc.pcmdline").is_null()).count()
    };
    println!(
        "{} containers in {took:.1?}: exec to line with everything looked up: {}; with everything known: {}; arguments \
         of the parent unknown: {}, where it ended at once {}",
        names.len(),
        summary(of("-1")),
        summary(of("-2")),
        without_parent("-1") + without_parent("-2"),
        without_parent("-3"),
    );
}

#[test]
fn a_hundred_containers_that_are_gone_at_once() {
    let Some(runc) = Runc::for_case("a_hundred_containers_that_are_gone_at_once") else { return };
    let (agent, _rules) = Agent::start_showing(" parent=%proc.pcmdline");
    let name = marker("many");
    let id = |number: usize| format!("c-{name}-{number:02}");
    let start = Instant::now();
    thread::scope(|scope| {
        for first in 0..THREADS {
            let (runc, name, id) = (&runc, &name, &id);
            scope.spawn(move || {
                for number in (first..100).step_by(THREADS) {
                    let _ = runc.run(&id(number), &drop_three(&format!("{name}-{number:02}"))).ok();
                }
            });
        }
    });
    check(&agent, &name, &(0..100).map(id).collect::<Vec<_>>(), start.elapsed());
    // With nothing lost: the agent says so at its end, or this fails.
    agent.stop();
}

#[test]
fn as_many_containers_of_docker_as_ten_seconds_hold() {
    let Some(docker) = Docker::alone_for_case("as_many_containers_of_docker_as_ten_seconds_hold") else {
        return;
    };
    let (agent, _rules) = Agent::start_showing(" parent=%proc.pcmdline");
    let name = marker("dmany");
    let (start, next) = (Instant::now(), AtomicUsize::new(0));
    let names = thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|_| {
                let (docker, name, next) = (&docker, &name, &next);
                scope.spawn(move || {
                    let mut names = Vec::new();
                    while start.elapsed() < TIME {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let script = drop_three(&format!("{name}-{number:03}"));
                        let container = docker.start_container(&["/bin/sh", "-c", &script]);
                        let _ = container.output();
                        names.push(container.inspect("{{.Name}}").trim_start_matches('/').to_owned());
                    }
                    names
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("containers of Docker"))
            .collect::<Vec<_>>()
    });
    assert!(names.len() >= THREADS, "not even one container each");
    check(&agent, &name, &names, start.elapsed());
    let of_image = agent.alerts_about(&name);
    let tag = docker::IMAGE.rsplit_once(':').expect("a tag").1;
    assert!(of_image.iter().all(|alert| alert.text("container.image.tag") == tag));
    agent.stop();
}

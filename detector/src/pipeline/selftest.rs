//! The self-test of the running agent: the same files as those of `detector selftest`, seen through the very hooks, ring
//! and decoding that alerts come through. At start and every few minutes; what it finds is told, and never by silence.
//!
//! No filter is changed for it. What the loaded rules let through is known, so it is known which of the files must be
//! seen. Its records are taken out of the stream before a rule looks at them.

use std::{
    fs,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use detector_common::settings::{FilterTerm, predicate};
use log::{debug, error, info, warn};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::{Instant, sleep_until},
};

use crate::{
    alert::Priority,
    event::{ExecEvent, Origin, time},
    format::InternalAlert,
    rules::KernelFilter,
    selftest::{Keeper, Ran, Report, Sandbox, SelftestError},
    telemetry::{SelftestHealth, SelftestState},
};

/// Name of the alert; users match it.
const BLIND: &str = "detector internal: blind";
/// What the kernel sees of a file of the image that the test runs, of a new one, and of a changed one.
const FACTS: [u32; 3] = [
    predicate::OVERLAY | predicate::CONTAINER_LIKE,
    predicate::OVERLAY | predicate::CONTAINER_LIKE | predicate::UPPER_LAYER,
    predicate::OVERLAY | predicate::CONTAINER_LIKE | predicate::UPPER_LAYER,
];
/// Each interval is longer or shorter by up to this part of it, so that the agents of many hosts do not run in step.
const JITTER: f64 = 0.1;
/// "Never", for the timer of a test that is not wanted.
const NEVER: Duration = Duration::from_secs(3_000_000_000);

/// Runs the test from time to time.
pub(super) struct LiveTest {
    health: Arc<SelftestHealth>,
    /// The filter that the hooks have now.
    terms: Vec<FilterTerm>,
    /// Time between two tests; zero = none but that at the start.
    interval: Duration,
    due: Instant,
    /// Overlay was not known to the kernel when a test was due: the first file of one that is seen brings it forward.
    waits_for_overlay: bool,
    running: Option<Running>,
    /// Who has the rights that it takes, when the agent has given them up.
    keeper: Option<Arc<Keeper>>,
}

/// A test under way.
struct Running {
    /// What its process waits for.
    apart: Option<(u32, mpsc::Sender<()>)>,
    /// Whose records are the test's; known once its process lives apart.
    mount_namespace: Option<u32>,
    /// Process id and origin of each record.
    seen: Vec<(Option<u32>, Origin)>,
    /// Which of the files the filter lets through.
    wanted: [bool; 3],
    /// What had been lost before it.
    lost_before: u64,
    began: Instant,
    news: UnboundedReceiver<News>,
    /// How the files' run ended, once it has.
    ended: Option<Result<Ran, SelftestError>>,
    /// Keeps the test's process, and with it the number of its mount namespace, until what came of it is told.
    alive: Option<mpsc::Sender<()>>,
}

/// What the test's thread tells.
pub(super) enum News {
    /// The process lives in this mount namespace, and waits to be told that this is known.
    Apart(u32, mpsc::Sender<()>),
    /// All files have run, and the process lives until the other end is dropped.
    Ran(Ran, mpsc::Sender<()>),
    /// Something failed, and the process is gone.
    Failed(SelftestError),
}

/// Something that the agent's loop has to hand to [`LiveTest::go_on`].
pub(super) enum Moment {
    /// A test is due.
    Due,
    /// One under way has news.
    News(Option<News>),
}

impl LiveTest {
    /// The first test is due at once.
    pub(super) fn new(
        interval: Duration,
        filter: &KernelFilter,
        health: Arc<SelftestHealth>,
        keeper: Option<Arc<Keeper>>,
    ) -> Self {
        let terms = filter.terms.clone();
        Self { health, terms, interval, due: Instant::now(), waits_for_overlay: false, running: None, keeper }
    }

    /// The hooks have another filter, or tests are wanted more or less often. One that is under way is forgotten: it was
    /// begun under the old filter.
    pub(super) fn change(&mut self, interval: Duration, filter: &KernelFilter) {
        self.interval = interval;
        self.terms.clone_from(&filter.terms);
        self.running = None;
        self.due = Instant::now();
    }

    /// Waits until there is something to do. Nothing is lost when it is dropped meanwhile.
    pub(super) async fn next(&mut self) -> Moment {
        if let Some(running) = self.running.as_mut().filter(|running| running.ended.is_none()) {
            return Moment::News(running.news.recv().await);
        }
        sleep_until(self.due).await;
        Moment::Due
    }

    /// Does it. `lost`: the records that the kernel side has lost so far.
    pub(super) fn go_on(&mut self, moment: Moment, lost: u64) {
        match moment {
            Moment::Due => self.begin(lost),
            Moment::News(news) => {
                let Some(running) = &mut self.running else { return };
                match news {
                    Some(News::Apart(mount_namespace, known)) => {
                        running.apart = Some((mount_namespace, known));
                    }
                    Some(News::Ran(ran, alive)) => {
                        running.ended = Some(Ok(ran));
                        running.alive = Some(alive);
                    }
                    Some(News::Failed(error)) => {
                        // The next namespace may get its number.
                        running.mount_namespace = None;
                        running.ended = Some(Err(error));
                    }
                    None => {
                        running.mount_namespace = None;
                        let reason = "its thread ended without a word".to_owned();
                        running.ended = Some(Err(SelftestError::Sandbox(reason)));
                    }
                }
            }
        }
    }

    /// Takes an event that is the test's; rules must not see it.
    pub(super) fn takes(&mut self, event: &ExecEvent) -> bool {
        if self.waits_for_overlay && is_on_overlay(event.file.origin) {
            self.waits_for_overlay = false;
            self.due = Instant::now();
        }
        match &mut self.running {
            Some(running) if running.mount_namespace == Some(event.namespaces.mnt) => {
                running.seen.push((event.process.vpid, event.file.origin));
                true
            }
            _ => false,
        }
    }

    /// No record is left in the ring: those that come from now on out of the new namespace are the test's. Its number
    /// may have been another one's a moment ago, even that of another agent's test.
    pub(super) fn ring_is_empty(&mut self) {
        let Some(running) = &mut self.running else { return };
        if let Some((mount_namespace, known)) = running.apart.take() {
            running.mount_namespace = Some(mount_namespace);
            // The thread waits for nothing else.
            let _ = known.send(());
        }
    }

    /// Whether the files have run, and what came of it can be told.
    pub(super) fn is_over(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.ended.is_some())
    }

    /// When the files have run and the ring is empty: what came of it. The answer is the alert of an agent that is blind.
    pub(super) fn conclude(&mut self, lost: u64, kernel_release: &str) -> Option<InternalAlert> {
        let running = self.running.take_if(|running| running.ended.is_some())?;
        self.plan_next();
        let took = running.began.elapsed();
        let state = running.verdict(lost);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let before = self.health.snapshot();
        self.health.ended(state.clone(), now.as_secs());
        match state {
            SelftestState::Passed if before.state == SelftestState::Passed => {
                debug!("self-test: passed in {took:?}");
            }
            SelftestState::Passed | SelftestState::NotYet => {
                info!("self-test: passed, {:.1} ms", took.as_secs_f64() * 1000.0);
            }
            SelftestState::Unproven(reason) => {
                if before.state != SelftestState::Unproven(reason.clone()) {
                    warn!("self-test: nothing could be proven: {reason}");
                }
            }
            SelftestState::NotAllowed(reason) => {
                if before.state != SelftestState::NotAllowed(reason.clone()) {
                    warn!(
                        "self-test: {reason}; `detector selftest`, run by root, proves what this agent cannot"
                    );
                }
            }
            SelftestState::Blind(fault) => {
                error!("self-test: the agent is blind: {fault}");
                let seen_well = before.last_success.map_or_else(
                    || "never".to_owned(),
                    |seconds| time::rfc3339(seconds.saturating_mul(1_000_000_000)),
                );
                let now_ns = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
                let output = format!("Detector internal: blind. The self-test failed: {fault}");
                return Some(
                    InternalAlert::new(BLIND, Priority::Critical, output, now_ns)
                        .with("detector.fault", fault)
                        .with("detector.kernel_release", kernel_release)
                        .with("detector.selftest_last_success", seen_well),
                );
            }
        }
        None
    }

    fn begin(&mut self, lost: u64) {
        let wanted = FACTS.map(|facts| self.terms.iter().any(|term| facts & term.mask == term.value));
        if !knows_overlay() {
            // Mounting one would load the module, and where there is no overlay there is nothing to be blind to.
            self.waits_for_overlay = true;
            return self.plan_next();
        }
        if !wanted.contains(&true) {
            self.unproven("the loaded rules let none of the test's files through");
            return self.plan_next();
        }
        let (tell, news) = unbounded_channel();
        let keeper = self.keeper.clone();
        let started = thread::Builder::new().name("selftest".to_owned()).spawn(move || {
            let played = Sandbox::start_by(keeper).and_then(|mut sandbox| {
                let (known, told) = mpsc::channel();
                // When nobody listens any more the agent is about to end.
                let _ = tell.send(News::Apart(sandbox.mount_namespace(), known));
                let _ = told.recv();
                let ran = sandbox.run()?;
                Ok((ran, sandbox))
            });
            match played {
                Ok((ran, sandbox)) => {
                    let (alive, concluded) = mpsc::channel();
                    let _ = tell.send(News::Ran(ran, alive));
                    let _ = concluded.recv();
                    drop(sandbox);
                }
                Err(error) => {
                    let _ = tell.send(News::Failed(error));
                }
            }
        });
        if let Err(error) = started {
            self.unproven(&format!("cannot start its thread: {error}"));
            return self.plan_next();
        }
        self.running = Some(Running {
            apart: None,
            mount_namespace: None,
            seen: Vec::new(),
            wanted,
            lost_before: lost,
            began: Instant::now(),
            news,
            ended: None,
            alive: None,
        });
    }

    fn unproven(&self, reason: &str) {
        let state = SelftestState::Unproven(reason.to_owned());
        if self.health.snapshot().state != state {
            warn!("self-test: nothing could be proven: {reason}");
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.health.ended(state, now.as_secs());
    }

    fn plan_next(&mut self) {
        let wait = if self.interval.is_zero() { NEVER } else { jittered(self.interval) };
        self.due = Instant::now() + wait;
    }
}

impl Running {
    fn verdict(self, lost: u64) -> SelftestState {
        let ran = match self.ended {
            Some(Ok(ran)) => ran,
            Some(Err(error @ SelftestError::NotAllowed(_))) => {
                return SelftestState::NotAllowed(error.to_string());
            }
            Some(Err(error)) => return SelftestState::Unproven(error.to_string()),
            None => return SelftestState::NotYet,
        };
        let mut report = Report::expecting(&ran, self.wanted);
        for (pid, origin) in self.seen {
            report.add(pid, origin);
        }
        if report.passed() {
            return SelftestState::Passed;
        }
        let meanwhile = lost.saturating_sub(self.lost_before);
        if meanwhile > 0 && !report.all_seen() {
            // Too much happened at once: that is told by the counters, and says nothing about the hooks.
            return SelftestState::Unproven(format!("{meanwhile} records were lost meanwhile"));
        }
        SelftestState::Blind(report.faults().join("; "))
    }
}

const fn is_on_overlay(origin: Origin) -> bool {
    matches!(origin, Origin::Image | Origin::New | Origin::Modified | Origin::MetadataOnly)
}

fn knows_overlay() -> bool {
    fs::read_to_string("/proc/filesystems")
        .is_ok_and(|text| text.lines().any(|line| line.ends_with("\toverlay")))
}

/// Longer or shorter by chance.
fn jittered(interval: Duration) -> Duration {
    // The standard library seeds it by chance; that is all that is asked here.
    let percent = u32::try_from(RandomState::new().hash_one(0_u8) % 101).unwrap_or(50);
    let chance = f64::from(percent) / 100.0;
    interval.mul_f64(1.0 - JITTER + 2.0 * JITTER * chance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::example;

    fn filter(terms: &[(u32, u32)]) -> KernelFilter {
        let terms = terms.iter().map(|&(mask, value)| FilterTerm { mask, value }).collect();
        KernelFilter {
            terms,
            mappings: Vec::new(),
            environment: false,
            scripts: false,
            writers: false,
            examination: false,
            interpreters: false,
        }
    }

    /// A test under way of which all files have run; the records are process id and origin.
    fn over(wanted: [bool; 3], seen: &[(u32, Origin)]) -> LiveTest {
        let mut test = LiveTest::new(Duration::from_secs(60), &filter(&[(0, 0)]), Arc::default(), None);
        let (_, news) = unbounded_channel();
        test.running = Some(Running {
            apart: None,
            mount_namespace: Some(7),
            seen: seen.iter().map(|(pid, origin)| (Some(*pid), *origin)).collect(),
            wanted,
            lost_before: 10,
            began: Instant::now(),
            news,
            ended: Some(Ok(Ran::of_test(7, [2, 3, 4]))),
            alive: None,
        });
        test
    }

    const NEW: (u32, Origin) = (3, Origin::New);
    const MODIFIED: (u32, Origin) = (4, Origin::Modified);

    #[test]
    fn what_the_filter_lets_through_must_be_seen() {
        let mut test = over([false, true, true], &[NEW, MODIFIED]);
        assert_eq!(test.conclude(10, "6.1"), None);
        assert_eq!(test.health.snapshot().state, SelftestState::Passed);
        assert_eq!(test.conclude(10, "6.1"), None, "told once");

        let alert = over([false, true, true], &[MODIFIED]).conclude(10, "6.1").unwrap();
        assert_eq!((alert.rule, alert.priority), (BLIND, Priority::Critical));
        assert!(alert.output.contains("origin `new`"), "{}", alert.output);
        assert_eq!(alert.fields["detector.selftest_last_success"], "never");
    }

    #[test]
    fn a_record_that_was_lost_meanwhile_proves_nothing() {
        let mut test = over([false, true, true], &[MODIFIED]);
        assert_eq!(test.conclude(11, "6.1"), None);
        assert!(matches!(test.health.snapshot().state, SelftestState::Unproven(_)));
        // A wrong verdict is one, whatever was lost.
        let wrong = [(3, Origin::Modified), MODIFIED];
        assert!(over([false, true, true], &wrong).conclude(11, "6.1").is_some());
    }

    #[test]
    fn an_agent_that_may_not_test_itself_says_so_and_is_not_blind() {
        let mut test = over([true; 3], &[]);
        let refused = SelftestError::NotAllowed("mounting a tmpfs: EPERM".to_owned());
        test.running.as_mut().unwrap().ended = Some(Err(refused));
        assert_eq!(test.conclude(10, "6.1"), None);
        let state = test.health.snapshot().state;
        assert!(
            matches!(&state, SelftestState::NotAllowed(why) if why.contains("CAP_SYS_ADMIN")),
            "{state:?}"
        );
    }

    #[test]
    fn only_the_tests_own_records_are_taken() {
        let mut test = over([true; 3], &[]);
        let mut event = example::exec();
        event.namespaces.mnt = 8;
        assert!(!test.takes(&event));
        event.namespaces.mnt = 7;
        assert!(test.takes(&event));
        assert_eq!(test.running.as_ref().unwrap().seen.len(), 1);
        test.running = None;
        assert!(!test.takes(&event));
    }

    /// A container that started as the test ended got the number of its mount namespace, and its drop was taken for one of the
    /// test's: no alert, and an agent that called itself blind.
    #[test]
    fn the_number_of_the_tests_namespace_is_kept_until_its_verdict() {
        let mut test = over([true; 3], &[]);
        let (alive, concluded) = mpsc::channel();
        test.go_on(Moment::News(Some(News::Ran(Ran::of_test(7, [2, 3, 4]), alive))), 10);
        assert_eq!(concluded.try_recv(), Err(mpsc::TryRecvError::Empty));
        assert!(test.conclude(10, "6.1").is_some());
        assert_eq!(concluded.try_recv(), Err(mpsc::TryRecvError::Disconnected));

        // Of a process that is gone nothing is kept, so nothing is taken any more.
        let mut failed = over([true; 3], &[]);
        failed.go_on(Moment::News(Some(News::Failed(SelftestError::Sandbox(String::new())))), 10);
        let mut event = example::exec();
        event.namespaces.mnt = 7;
        assert!(!failed.takes(&event));
    }

    #[test]
    fn the_first_file_of_an_overlay_brings_a_test_forward_that_waits_for_it() {
        let mut test = LiveTest::new(Duration::from_secs(60), &filter(&[(0, 0)]), Arc::default(), None);
        test.plan_next();
        let later = test.due;
        assert!(!test.takes(&example::exec()) && test.due == later, "nothing waits");
        test.waits_for_overlay = true;
        assert!(!test.takes(&example::exec()));
        assert!(test.due < later && !test.waits_for_overlay);
    }

    #[test]
    fn intervals_differ_by_a_tenth_at_most() {
        let minute = Duration::from_secs(60);
        for _ in 0..100 {
            let wait = jittered(minute);
            assert!(Duration::from_secs(54) <= wait && wait <= Duration::from_secs(66), "{wait:?}");
        }
    }
}

//! Hooks that outlive the agent: whatever happens to it, the next one tells what it has not told, and tells it once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::thread;
use std::time::{Duration, Instant};

use detector_tests::case::has_root;
use detector_tests::process::{self, DEADLINE, Finished, Patience};
use detector_tests::{Agent, Alert, BareContainer, PinPlace, agent, marker};
use nix::sys::signal::Signal;

detector_tests::oldest_and_newest_kernel!("it is about what stays on a bpffs");

const DROPS: usize = 400;
/// More than the ring can hold, where each has an argument of so many bytes.
const FLOOD: usize = 1200;
const ARGUMENT: usize = 4000;
/// The flood would fill the rings of the other cases, too.
static ALONE: RwLock<()> = RwLock::new(());
/// `BPF_PROG_GET_FD_BY_ID`, `BPF_MAP_GET_FD_BY_ID`
const PROGRAM: libc::c_int = 13;
const MAP: libc::c_int = 14;

fn beside_others() -> RwLockReadGuard<'static, ()> {
    ALONE.read().unwrap_or_else(PoisonError::into_inner)
}

fn start(place: &PinPlace, more: &[&str]) -> Agent {
    let mut arguments: Vec<OsString> = place.arguments().into();
    arguments.extend(more.iter().map(OsString::from));
    Agent::start_with(&arguments.iter().map(OsString::as_os_str).collect::<Vec<_>>())
}

fn detector(place: &PinPlace, arguments: &[&str]) -> Finished {
    let mut command = Command::new(agent::program());
    command.args(place.arguments()).args(arguments);
    process::run(command)
}

/// How often each file of a burst was told of, by all of these agents.
fn told(name: &str, agents: &[&Agent]) -> BTreeMap<String, usize> {
    let mut told = BTreeMap::new();
    let path = |alert: &Alert| alert.text("proc.exepath").to_owned();
    for alert in agents.iter().flat_map(|agent| agent.alerts_about(name)) {
        *told.entry(path(&alert)).or_default() += 1;
    }
    told
}

/// Kills an agent in a burst, and starts another with these arguments while the burst may still go on.
fn killed_in_a_burst(theme: &str, more: &[&str]) {
    let _beside = beside_others();
    let place = PinPlace::new();
    let (first, container, name) = (start(&place, &[]), BareContainer::new(), marker(theme));
    let next = thread::scope(|scope| {
        let burst = scope.spawn(|| container.sh(&format!("probe burst /tmp/{name} {DROPS}")).ok());
        let _ = first.expect_alert("the first alert of the burst", |alert| alert.mentions(&name));
        first.kill();
        assert!(place.names().iter().any(|name| name.contains("link_")), "{:?}", place.names());
        let next = start(&place, more);
        assert!(burst.join().is_ok(), "the burst failed");
        next
    });
    let _ = next.stop_by(Signal::SIGTERM);
    // What it had not read is for a third one.
    let last = start(&place, more);
    let _ = last.stop_by(Signal::SIGTERM);
    for alert in last.alerts_about(&name) {
        assert!(!next.alerts_about(&name).iter().any(|other| other.line == alert.line), "twice: {alert}");
    }
    let both = told(&name, &[&next, &last]);
    assert!(both.values().all(|count| *count == 1), "told twice after the kill: {both:?}");
    let all = told(&name, &[&first, &next, &last]);
    assert_eq!(all.len(), DROPS, "told of");
    // Whether its reader has the line that the killed agent was just writing nobody can know: that one comes again.
    assert!(all.values().filter(|count| **count > 1).count() <= 1, "told twice: {all:?}");
    assert_eq!(place.names().iter().filter(|name| name.ends_with("/stamp")).count(), 1, "generations");
    assert!(first.alerts_about(&name).len() < DROPS, "the kill came too late to show anything");
}

#[test]
fn an_agent_killed_in_a_burst_loses_nothing() {
    if has_root("an_agent_killed_in_a_burst_loses_nothing") {
        killed_in_a_burst("killed", &[]);
    }
}

/// The debug log of the kernel side makes programs of another making, as another version of the agent would.
#[test]
fn an_agent_of_another_making_replaces_the_hooks_without_a_gap() {
    if has_root("an_agent_of_another_making_replaces_the_hooks_without_a_gap") {
        killed_in_a_burst("replaced", &["-o", "kernel_log=true"]);
    }
}

#[test]
fn what_happens_while_no_agent_runs_is_told_by_the_next() {
    if !has_root("what_happens_while_no_agent_runs_is_told_by_the_next") {
        return;
    }
    let _beside = beside_others();
    let place = PinPlace::new();
    let (first, container, name) = (start(&place, &[]), BareContainer::new(), marker("gap"));
    let before = format!("{name}-before");
    let _ = container.sh(&format!("cp /bin/probe /tmp/{before}; /tmp/{before} exit")).ok();
    let _ = first.expect_one(&before);
    first.stop();
    let _ = container.sh(&format!("probe burst /tmp/{name} {DROPS}")).ok();
    let next = start(&place, &[]);
    next.expect_log("took over the pinned hooks");
    let alerts = next.expect_exactly(DROPS, &name);
    assert!(alerts.iter().all(|alert| !alert.mentions(&before)), "told again");
    assert_told_once_by(&name, &next);
    next.stop();
}

#[track_caller]
fn assert_told_once_by(name: &str, agent: &Agent) {
    let told = told(name, &[agent]);
    assert_eq!(told.len(), DROPS);
    assert!(told.values().all(|count| *count == 1), "{told:?}");
}

#[test]
fn what_found_no_room_while_no_agent_ran_is_told_as_lost() {
    if !has_root("what_found_no_room_while_no_agent_ran_is_told_as_lost") {
        return;
    }
    let _alone = ALONE.write().unwrap_or_else(PoisonError::into_inner);
    let place = PinPlace::new();
    let (first, container, name) = (start(&place, &[]), BareContainer::new(), marker("flood"));
    first.stop();
    let _ = container.sh(&format!("probe burst /tmp/{name} {FLOOD} {ARGUMENT}")).ok();
    let next = start(&place, &[]);
    let rule = "Falco internal: syscall event drop";
    let alert = next.expect_alert("the alert about lost execs", |alert| alert.part_text("rule") == rule);
    let lost: usize = alert.text("n_drops").parse().unwrap_or_else(|error| panic!("{error}: {alert}"));
    // Other drops of the host may be among the lost.
    let patience = Patience::begin();
    let told = || next.alerts_about(&name).len();
    while told() + lost < FLOOD {
        assert!(patience.left().is_some(), "{} told, {lost} lost, of {FLOOD}", told());
        thread::sleep(Duration::from_millis(20));
    }
    assert!(lost > 0 && told() > 0, "{} told, {lost} lost", told());
    // It has told, and the next one has nothing to tell.
    next.kill();
    start(&place, &[]).stop();
}

#[test]
fn a_second_agent_with_the_same_pins_is_refused() {
    if !has_root("a_second_agent_with_the_same_pins_is_refused") {
        return;
    }
    let _beside = beside_others();
    let place = PinPlace::new();
    let first = start(&place, &[]);
    let second = detector(&place, &["-M", "1"]);
    assert_eq!(second.code(), 1, "{second}");
    assert!(second.stderr.contains("belong to an agent that runs"), "{second}");
    let name = marker("still");
    let _ = BareContainer::new().sh(&format!("cp /bin/probe /tmp/{name}; /tmp/{name} exit")).ok();
    let _ = first.expect_one(&name);
    first.stop();
}

#[test]
fn cleanup_leaves_nothing() {
    if !has_root("cleanup_leaves_nothing") {
        return;
    }
    let _beside = beside_others();
    let place = PinPlace::new();
    let agent = start(&place, &[]);
    let objects = objects_of(agent.pid().unwrap_or_else(|| panic!("the agent has ended")));
    assert!(objects.iter().any(|(kind, _)| *kind == PROGRAM), "no program of the agent: {objects:?}");
    assert!(objects.iter().any(|(kind, _)| *kind == MAP), "no map of the agent: {objects:?}");

    let refused = detector(&place, &["cleanup"]);
    assert_eq!(refused.code(), 1, "{refused}");
    assert!(refused.stderr.contains("belong to an agent that runs"), "{refused}");
    agent.stop();
    assert!(objects.iter().all(|(kind, id)| exists(*kind, *id)), "ended with the agent: {objects:?}");

    let cleaned = detector(&place, &["cleanup"]);
    assert_eq!(cleaned.code(), 0, "{cleaned}");
    assert!(String::from_utf8_lossy(&cleaned.stdout).starts_with("removed "), "{cleaned}");
    assert!(!place.pins().exists());
    // The kernel frees them in its own time.
    let end = Instant::now() + DEADLINE;
    while objects.iter().any(|(kind, id)| exists(*kind, *id)) {
        assert!(Instant::now() < end, "still in the kernel: {objects:?}");
        thread::sleep(Duration::from_millis(20));
    }
    let again = detector(&place, &["cleanup"]);
    assert_eq!(again.code(), 0, "{again}");
    assert!(String::from_utf8_lossy(&again.stdout).starts_with("nothing is pinned"), "{again}");
}

#[test]
fn cleanup_by_force_lets_the_running_agent_finish() {
    if !has_root("cleanup_by_force_lets_the_running_agent_finish") {
        return;
    }
    let _beside = beside_others();
    let place = PinPlace::new();
    let agent = start(&place, &[]);
    let forced = detector(&place, &["cleanup", "--force"]);
    assert_eq!(forced.code(), 0, "{forced}");
    assert_eq!(place.names(), Vec::<String>::new());
    let name = marker("forced");
    let _ = BareContainer::new().sh(&format!("cp /bin/probe /tmp/{name}; /tmp/{name} exit")).ok();
    let _ = agent.expect_one(&name);
    agent.stop();
}

/// An agent that was killed while it pinned: what is not whole is not believed.
#[test]
fn half_made_pins_are_made_anew() {
    if !has_root("half_made_pins_are_made_anew") {
        return;
    }
    let _beside = beside_others();
    let place = PinPlace::new();
    let first = start(&place, &[]);
    first.kill();
    fs::remove_file(place.pins().join("1/stamp")).unwrap_or_else(|error| panic!("no stamp: {error}"));
    let next = start(&place, &[]);
    let name = marker("anew");
    let _ = BareContainer::new().sh(&format!("cp /bin/probe /tmp/{name}; /tmp/{name} exit")).ok();
    let _ = next.expect_one(&name);
    next.stop();
}

#[test]
fn a_folder_of_somebody_else_is_refused() {
    if !has_root("a_folder_of_somebody_else_is_refused") {
        return;
    }
    let _beside = beside_others();
    let place = PinPlace::new();
    fs::create_dir(place.pins()).unwrap_or_else(|error| panic!("no folder: {error}"));
    chown(place.pins(), Some(1000), None).unwrap_or_else(|error| panic!("cannot give it away: {error}"));
    for arguments in [&["-M", "1"][..], &["cleanup"]] {
        let refused = detector(&place, arguments);
        assert_eq!(refused.code(), 1, "{refused}");
        assert!(refused.stderr.contains("belongs to the user 1000"), "{refused}");
    }
}

#[test]
fn a_bpffs_is_mounted_where_there_is_none() {
    if !has_root("a_bpffs_is_mounted_where_there_is_none") {
        return;
    }
    let folder = tempfile::TempDir::new().unwrap_or_else(|error| panic!("no folder: {error}"));
    let run = |pins: &Path| {
        let script =
            r#""$0" -o pin.enabled=true -o "pin.path=$1" -M 1 && ls "$1/1" && grep bpf /proc/mounts"#;
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script]).arg(agent::program()).arg(pins);
        process::run(command)
    };
    let mounted = run(&folder.path().join("bpf/pins")).ok();
    assert!(mounted.contains("link_detector_exec") && mounted.contains("stamp"), "{mounted}");
    // Nothing is covered.
    fs::write(folder.path().join("something"), "").unwrap_or_else(|error| panic!("{error}"));
    let refused = run(&folder.path().join("pins"));
    assert!(refused.code() == 1 && refused.stderr.contains("mount -t bpf"), "{refused}");
}

/// Programs and maps that a process has open, by kind and id.
fn objects_of(pid: i32) -> Vec<(libc::c_int, u32)> {
    let mut objects = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fdinfo")).into_iter().flatten().flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        // A link tells of its program, too.
        if text.contains("link_id:") {
            continue;
        }
        for (kind, name) in [(PROGRAM, "prog_id:"), (MAP, "map_id:")] {
            let id = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
            objects.extend(id.map(|id| (kind, id)));
        }
    }
    objects
}

/// Whether the kernel still has this object.
fn exists(kind: libc::c_int, id: u32) -> bool {
    let attributes = [id, 0, 0];
    // SAFETY: the attributes of both calls begin with these three words, and live during the call.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, kind, &raw const attributes, size_of_val(&attributes)) };
    if result < 0 {
        return false;
    }
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    unsafe { libc::close(i32::try_from(result).unwrap_or(-1)) };
    true
}

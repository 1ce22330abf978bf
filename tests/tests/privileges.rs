//! The rights that the agent gives up once its hooks are armed: they are gone, for everything that it starts, too, and it
//! does all of its work without them.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use detector_tests::case::has_root;
use detector_tests::process::DEADLINE;
use detector_tests::{Agent, BareContainer, marker};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

detector_tests::oldest_and_newest_kernel!("it is about rights that are given up");

/// Bits of capabilities.
const DAC_READ_SEARCH: u64 = 1 << 2;
const SYS_PTRACE: u64 = 1 << 19;
/// Where the kernel asks for it to read counters.
const BPF: u64 = 1 << 39;

fn start(options: &[String]) -> Agent {
    let mut arguments: Vec<&OsStr> = Vec::new();
    for option in options {
        arguments.extend([OsStr::new("-o"), OsStr::new(option)]);
    }
    Agent::start_with(&arguments)
}

fn drop_and_run(theme: &str) -> String {
    let name = marker(theme);
    let _ = BareContainer::new().sh(&format!("cp /bin/probe /tmp/{name}; /tmp/{name} exit")).ok();
    name
}

#[track_caller]
fn fact(status: &str, name: &str) -> String {
    let found = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    found.unwrap_or_else(|| panic!("no {name} in {status}")).trim().to_owned()
}

#[track_caller]
fn capabilities(status: &str, name: &str) -> u64 {
    u64::from_str_radix(&fact(status, name), 16).unwrap_or_else(|error| panic!("{name}: {error} in {status}"))
}

/// What a `status` of the agent, or of something that it started, must say.
#[track_caller]
fn assert_reduced(status: &str) {
    for set in ["CapEff", "CapPrm"] {
        let left = capabilities(status, set);
        assert_eq!(left & !BPF, SYS_PTRACE | DAC_READ_SEARCH, "{set} in {status}");
    }
    assert_eq!(fact(status, "NoNewPrivs"), "1", "{status}");
    assert_eq!(fact(status, "Seccomp"), "2", "{status}");
}

#[track_caller]
fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[track_caller]
fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !is_there() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[track_caller]
fn process(agent: &Agent) -> i32 {
    agent.pid().unwrap_or_else(|| panic!("the agent has ended"))
}

#[test]
fn every_thread_of_the_agent_has_given_up_its_rights() {
    if !has_root("every_thread_of_the_agent_has_given_up_its_rights") {
        return;
    }
    let agent = start(&[]);
    let name = drop_and_run("threads");
    let _ = agent.expect_one(&name);
    let mut threads = 0;
    for entry in fs::read_dir(format!("/proc/{}/task", process(&agent))).into_iter().flatten().flatten() {
        // One that has just ended has no status.
        if let Ok(status) = fs::read_to_string(entry.path().join("status")) {
            assert_reduced(&status);
            threads += 1;
        }
    }
    assert!(threads > 1, "{threads} threads");
    agent.stop();
}

/// What an output starts has no more rights than the agent: it cannot mount, cannot make namespaces, and
/// under landlock cannot write elsewhere.
#[test]
fn the_program_of_an_output_cannot_do_what_the_agent_cannot() {
    if !has_root("the_program_of_an_output_cannot_do_what_the_agent_cannot") {
        return;
    }
    let folder = TempDir::new().unwrap_or_else(|error| panic!("no folder: {error}"));
    let out = folder.path().join("said");
    let elsewhere = format!("/etc/{}", marker("elsewhere"));
    let script = format!(
        "cat >> {0}.alert; cat /proc/self/status > {0}.new; mkdir {0}.d; \
         for call in 'mount -t tmpfs none {0}.d' 'unshare -m true' 'unshare -U true' 'touch {1}'; do \
         $call 2>/dev/null && echo \"done: $call\" >> {0}.new; done; mv {0}.new {0}",
        out.display(),
        elsewhere
    );
    let agent = start(&[
        "privileges.landlock=true".to_owned(),
        "program_output.enabled=true".to_owned(),
        format!("program_output.program={script}"),
    ]);
    let name = drop_and_run("program");
    let _ = agent.expect_one(&name);
    wait_for("what the program did", || out.exists());
    let log = agent.stop_by(Signal::SIGTERM);
    let there = Path::new(&elsewhere).exists();
    let _ = fs::remove_file(&elsewhere);
    let said = read(&out);
    assert_reduced(&said);
    // Before 5.13 there is no landlock, and the agent has said so.
    let no_landlock = log.iter().any(|line| line.contains("this kernel has no landlock"));
    let done: Vec<&str> = said.lines().filter(|line| line.starts_with("done: ")).collect();
    let expected = if no_landlock { vec![format!("done: touch {elsewhere}")] } else { Vec::new() };
    assert_eq!((done, there), (expected.iter().map(String::as_str).collect(), no_landlock), "{said}");
    assert!(read(&folder.path().join("said.alert")).contains(&name), "the program did not get the alert");
}

#[test]
fn everything_works_without_those_rights() {
    if !has_root("everything_works_without_those_rights") {
        return;
    }
    let folder = TempDir::new().unwrap_or_else(|error| panic!("no folder: {error}"));
    let at = |name: &str| folder.path().join(name);
    let stock = include_str!("../../detector/rules/falco_rules.yaml");
    let rule = format!(
        "{stock}\n- rule: Hash\n  desc: x\n  condition: spawned_process and container and proc.is_exe_upper_layer=true\n  \
         output: hash=%drop.sha256 examined=%drop.examined %proc.exepath\n  priority: INFO\n"
    );
    let put =
        |text: &str| fs::write(at("rules.yaml"), text).unwrap_or_else(|error| panic!("no rules: {error}"));
    put(stock);
    let agent = start(&[
        format!("rules_files[]={}", at("rules.yaml").display()),
        "rule_matching=all".to_owned(),
        "watch_config_files=false".to_owned(),
        "selftest.interval=1s".to_owned(),
        "file_output.enabled=true".to_owned(),
        "file_output.keep_alive=true".to_owned(),
        format!("file_output.filename={}", at("alerts").display()),
    ]);
    agent.expect_log("rights: no new privileges");
    agent.expect_log("self-test: passed");
    let first = drop_and_run("first");
    let _ = agent.expect_one(&first);
    wait_for("the alert in the file", || read(&at("alerts")).contains(&first));

    // New rules: with the hash of the file, which lies in the container.
    put(&rule);
    kill(Pid::from_raw(process(&agent)), Signal::SIGHUP).unwrap_or_else(|error| panic!("no signal: {error}"));
    agent.expect_log("reloaded");
    let (container, second) = (BareContainer::new(), marker("second"));
    let _ = container.sh(&format!("cp /bin/probe /tmp/{second}; /tmp/{second} exit; sleep 2")).ok();
    let alert = agent.expect_alert("the alert with the hash", |alert| {
        alert.mentions(&second) && alert.part_text("rule") == "Hash"
    });
    let hash = alert.text("drop.sha256");
    assert_eq!(hash.len(), 64, "in {alert}");

    // Rotation.
    fs::rename(at("alerts"), at("alerts.1")).unwrap_or_else(|error| panic!("no alerts: {error}"));
    kill(Pid::from_raw(process(&agent)), Signal::SIGUSR1)
        .unwrap_or_else(|error| panic!("no signal: {error}"));
    let third = drop_and_run("third");
    wait_for("the alert in the new file", || at("alerts").exists() && read(&at("alerts")).contains(&third));
    agent.stop();
}

#[test]
fn each_right_can_be_kept() {
    if !has_root("each_right_can_be_kept") {
        return;
    }
    let off = |key: &str| format!("privileges.{key}=false");
    let agent = start(&["drop_capabilities", "no_new_privs", "seccomp", "landlock"].map(off));
    let status = read(Path::new(&format!("/proc/{}/status", process(&agent))));
    assert_eq!(
        capabilities(&status, "CapEff"),
        capabilities(&read(Path::new("/proc/self/status")), "CapEff")
    );
    assert_eq!((fact(&status, "NoNewPrivs").as_str(), fact(&status, "Seccomp").as_str()), ("0", "0"));
    agent.expect_log("(switched off)");
    agent.stop();

    let agent = start(&["privileges.keep_capabilities[]=cap_dac_override".to_owned()]);
    let status = read(Path::new(&format!("/proc/{}/status", process(&agent))));
    assert_eq!(capabilities(&status, "CapEff") & !BPF, SYS_PTRACE | DAC_READ_SEARCH | 1 << 1, "{status}");
    agent.stop();
}

/// Whatever the agent starts ends with it.
#[test]
fn the_keeper_of_the_self_test_ends_with_a_killed_agent() {
    if !has_root("the_keeper_of_the_self_test_ends_with_a_killed_agent") {
        return;
    }
    let agent = start(&[]);
    agent.expect_log("self-test: passed");
    let children = format!("/proc/{0}/task/{0}/children", process(&agent));
    let keepers: Vec<i32> =
        read(Path::new(&children)).split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    assert_eq!(keepers.len(), 1, "{keepers:?}");
    agent.kill();
    let gone = || {
        !fs::read_to_string(format!("/proc/{}/cmdline", keepers[0])).is_ok_and(|line| line.contains("keeper"))
    };
    wait_for("the end of the keeper", gone);
}

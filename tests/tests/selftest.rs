//! `detector selftest` on this kernel: it proves the verdicts, leaves nothing behind, disturbs nobody, and says what
//! keeps it from proving anything.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use detector_tests::case::has_root;
use detector_tests::cgroup::PlainCgroup;
use detector_tests::host_overlay::HostOverlay;
use detector_tests::process::{self, Finished};
use detector_tests::{Agent, BareContainer, agent, marker, program_copy, wrong_btf};

/// Where the test's own mounts come from: their name in the list of mounts.
const MOUNT_SOURCE: &str = "detector-selftest";

fn selftest() -> Finished {
    let mut command = Command::new(agent::program());
    command.arg("selftest");
    process::run(command)
}

#[track_caller]
fn assert_proven(finished: &Finished) {
    assert_eq!(finished.code(), 0, "{finished}");
    let stdout = String::from_utf8_lossy(&finished.stdout);
    let verdicts: Vec<Vec<&str>> = stdout
        .lines()
        .filter(|line| line.contains("executed:"))
        .map(|line| line.split_whitespace().collect())
        .collect();
    let expected =
        ["image", "new", "modified"].map(|origin| vec!["ok", "executed:", origin, "seen:", origin]);
    assert_eq!(verdicts, expected, "{finished}");
}

#[test]
fn the_three_verdicts_are_proven_and_nothing_stays() {
    if !has_root("the_three_verdicts_are_proven_and_nothing_stays") {
        return;
    }
    let files = |folder: &str| {
        let mut names: Vec<_> =
            fs::read_dir(folder).expect(folder).flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        names
    };
    let before = files("/mnt");
    let group = PlainCgroup::create(&marker("selftest"));
    let over = AtomicBool::new(false);
    let mounts = || fs::read_to_string("/proc/self/mountinfo").expect("the list of mounts");
    std::thread::scope(|scope| {
        // Nothing of it is visible outside, not even while it runs.
        let watch = scope.spawn(|| {
            let mut looks = 0;
            while !over.load(Ordering::Relaxed) || looks == 0 {
                assert!(!mounts().contains(MOUNT_SOURCE), "a mount of the test: {}", mounts());
                looks += 1;
            }
        });
        let mut command = Command::new(agent::program());
        command.arg("selftest");
        group.start_in(&mut command);
        let finished = process::run(command);
        over.store(true, Ordering::Relaxed);
        assert_proven(&finished);
        assert!(watch.join().is_ok(), "see above");
    });
    assert!(!mounts().contains(MOUNT_SOURCE), "a mount is left: {}", mounts());
    assert_eq!(group.processes(), "", "processes that are left");
    assert_eq!(files("/mnt"), before);
    for folder in ["lower", "upper", "merged"] {
        let path = format!("/tmp/{folder}");
        assert!(!fs::exists(format!("{path}/image")).unwrap_or(true), "{path} of the test is left");
    }
}

/// Self-tests run beside each other and beside an agent: each sees its own files alone, and no alert is made.
#[test]
fn it_disturbs_neither_an_agent_nor_another_self_test() {
    if !has_root("it_disturbs_neither_an_agent_nor_another_self_test") {
        return;
    }
    let agent = Agent::start();
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..3).map(|_| scope.spawn(selftest)).collect();
        for run in runs {
            assert_proven(&run.join().expect("a finished self-test"));
        }
    });
    agent.expect_quiet("merged/new");
    agent.stop();
}

/// Runs the self-test after `prepare` has run in its process, and compares what it says with `expected`.
#[track_caller]
fn fails(prepare: fn() -> io::Result<()>, expected: &[&str]) {
    let (_folder, program) = program_copy::agent_for_everyone();
    let mut command = Command::new(&program);
    command.arg("selftest");
    // SAFETY: what the cases do there are system calls, which touch no memory of the parent.
    unsafe { command.pre_exec(prepare) };
    let finished = process::run(command);
    assert_eq!(finished.code(), 1, "{finished}");
    for part in expected {
        assert!(finished.stderr.contains(part), "`{part}` is not in: {finished}");
    }
    assert!(finished.stdout.is_empty(), "{finished}");
}

#[test]
fn without_root_it_says_what_it_needs() {
    if !has_root("without_root_it_says_what_it_needs") {
        return;
    }
    let become_nobody = || {
        nix::unistd::setgroups(&[])?;
        nix::unistd::setgid(65534.into())?;
        Ok(nix::unistd::setuid(65534.into())?)
    };
    fails(become_nobody, &["refuses to load eBPF programs", "run it as root"]);
}

const CAP_SYS_ADMIN: libc::c_int = 21;

/// Overlays and namespaces take more than the hooks do: the message must not blame the hooks.
#[test]
fn an_overlay_that_cannot_be_made_is_named_as_the_cause() {
    if !has_root("an_overlay_that_cannot_be_made_is_named_as_the_cause") {
        return;
    }
    let drop_sys_admin = || {
        // SAFETY: takes numbers alone.
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0) } == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    };
    fails(
        drop_sys_admin,
        &["cannot test itself: needs CAP_SYS_ADMIN", "making a mount namespace of its own"],
    );
}

/// As under the unit that the packages bring: the agent sees as well, is not ill, and says that it cannot prove it.
#[test]
fn an_agent_that_may_not_test_itself_says_so_and_is_not_ill() {
    if !has_root("an_agent_that_may_not_test_itself_says_so_and_is_not_ill") {
        return;
    }
    // So that the kernel knows overlay when the agent starts.
    let _overlay = HostOverlay::mount();
    let arguments = ["-o", "webserver.enabled=true", "-o", "webserver.listen_address=127.0.0.1"];
    let arguments = [arguments.as_slice(), &["-o", "webserver.listen_port=0"]].concat();
    let arguments: Vec<&OsStr> = arguments.into_iter().map(OsStr::new).collect();
    let agent = Agent::start_without(&[CAP_SYS_ADMIN], &arguments);
    agent.expect_log("self-test: cannot test itself: needs CAP_SYS_ADMIN");
    let line = agent.expect_log_line("web server: http://");
    let address = line.split("http://").nth(1).and_then(|rest| rest.strip_suffix("/healthz"));
    let mut connection =
        TcpStream::connect(address.expect("an address")).unwrap_or_else(|error| panic!("{line}: {error}"));
    let mut answer = String::new();
    connection
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n")
        .and_then(|()| connection.read_to_string(&mut answer))
        .unwrap_or_else(|error| panic!("{line}: {error}"));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let expected = "{\"status\": \"ok\", \"selftest\": \"cannot test itself: needs CAP_SYS_ADMIN";
    assert!(answer.contains(expected), "{answer}");

    let name = marker("unproven");
    let _ = BareContainer::new().sh(&format!("cp /bin/probe /tmp/{name}; /tmp/{name} exit")).ok();
    let _ = agent.expect_one(&name);
    agent.stop();
}

/// The running agent proves itself, without a flag. Where overlay is a module, that is with the first container.
#[test]
fn a_running_agent_proves_its_own_hooks() {
    if !has_root("a_running_agent_proves_its_own_hooks") {
        return;
    }
    let agent = Agent::start();
    let name = marker("proven");
    let _ = BareContainer::new().sh(&format!("cp /bin/probe /tmp/{name}; /tmp/{name} exit")).ok();
    let _ = agent.expect_one(&name);
    agent.expect_log("self-test: passed");
    agent.expect_quiet("merged/new");
    agent.stop();
}

/// An agent that looks for the layer of an overlay's file in the wrong place, as on a kernel that nobody has seen, must
/// not stay silent.
#[test]
fn an_agent_that_judges_wrongly_says_that_it_is_blind() {
    if !has_root("an_agent_that_judges_wrongly_says_that_it_is_blind") {
        return;
    }
    // So that the kernel knows overlay when the agent starts.
    let _overlay = HostOverlay::mount();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("btf");
    fs::write(&file, wrong_btf::with_larger_struct("inode", 8)).expect("a file of BTF");
    let mut command = Command::new(agent::program());
    command.args(["-M", "10", "-U", "-o", "json_output=true", "--btf"]).arg(&file);
    let finished = process::run(command);
    assert_eq!(finished.code(), 0, "{finished}");
    let stdout = String::from_utf8_lossy(&finished.stdout).into_owned();
    let blind: Vec<serde_json::Value> = stdout
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &serde_json::Value| line["rule"] == "detector internal: blind")
        .collect();
    assert_eq!(blind.len(), 1, "{finished}");
    let keys: Vec<&String> = blind[0].as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["hostname", "output", "output_fields", "priority", "rule", "source", "time"]);
    assert_eq!((&blind[0]["priority"], &blind[0]["source"]), (&"Critical".into(), &"internal".into()));
    let fields = &blind[0]["output_fields"];
    assert_eq!(fields["detector.selftest_last_success"], "never", "{fields}");
    let fault = fields["detector.fault"].as_str().expect("a text");
    assert!(fault.contains("of origin `new`"), "{fault}");
    assert!(finished.stderr.contains("the agent is blind"), "{finished}");

    let mut command = Command::new(agent::program());
    command.args(["selftest", "--btf"]).arg(&file);
    let finished = process::run(command);
    assert_eq!(finished.code(), 1, "{finished}");
    assert!(finished.stderr.contains("where the kernel keeps the layer"), "{finished}");
}

//! The action `syscall.DropAndExecuteNewBinaryInContainer` of the event-generator: the real program where the network
//! hands it out, and always a stand-in that repeats its system calls.
//!
//! The action is the hardest plain case: the dropped process lives about a millisecond, and its file is unlinked right
//! behind it, so everything in the alert must have been taken in the kernel.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;

use detector_tests::docker::Container;
use detector_tests::not_run::{Reason, not_run};
use detector_tests::{
    Agent, Alert, Docker, agent_for, alert_schema, case, event_generator, image_tree, program_copy,
};

const DROPPED: &str = "/bin/falco-event-generator-syscall-DropAndExecuteNewBinaryInContainer-";

#[test]
fn the_real_event_generator() {
    const CASE: &str = "the_real_event_generator";
    let Some(docker) = Docker::for_case(CASE) else { return };
    let program = match event_generator::obtain() {
        Ok(program) => program,
        Err((class, reason)) => return not_run(CASE, class, &reason),
    };
    let Some(agent) = agent_for(CASE) else { return };
    let tree = tempfile::tempdir().expect("a temporary folder");
    image_tree::build(tree.path());
    let inside = tree.path().join("bin/event-generator");
    program_copy::copy(&program, &inside);
    docker.import(tree.path(), "event-generator:test");
    // It must be the first process, or it skips the action and still ends with 0.
    let action = "^syscall.DropAndExecuteNewBinaryInContainer$";
    let container = docker.start_image("event-generator:test", &["/bin/event-generator", "run", action]);
    let output = container.all_output();
    assert!(
        output.contains("DropAndExecuteNewBinaryInContainer") && !output.contains("skipped"),
        "the action was skipped: {output}"
    );
    check(&expect_action(&agent, &container), &container, "event-generator");
}

/// Its own judgement: `test` runs the action and waits for the alert at an HTTP server of its own.
#[test]
fn the_real_event_generator_gets_the_alert_that_it_waits_for() {
    const CASE: &str = "the_real_event_generator_gets_the_alert_that_it_waits_for";
    let Some(docker) = Docker::for_case(CASE) else { return };
    let program = match event_generator::obtain() {
        Ok(program) => program,
        Err((class, reason)) => return not_run(CASE, class, &reason),
    };
    if !event_generator::has_http_server(&program) {
        let reason = format!("{} takes alerts by gRPC only", program.display());
        return not_run(CASE, Reason::Unobtainable, &reason);
    }
    if !case::has_root(CASE) {
        return;
    }
    let port = free_port();
    let url = format!("http_output.url=http://127.0.0.1:{port}/");
    let settings = ["-o", "http_output.enabled=true", "-o", &url, "-o", "http_output.retry_max=200ms"];
    let agent = Agent::start_with(&settings.map(OsStr::new));
    let tree = tempfile::tempdir().expect("a temporary folder");
    image_tree::build(tree.path());
    program_copy::copy(&program, &tree.path().join("bin/event-generator"));
    docker.import(tree.path(), "event-generator:judge");
    let server = format!("--http-server-address=127.0.0.1:{port}");
    let action = "^syscall.DropAndExecuteNewBinaryInContainer$";
    let command = ["/bin/event-generator", "test", action, &server, "--test-timeout=40s"];
    // It ends with 0 whatever came of it: its words decide.
    let container = docker.start_image_with(&["--network=host"], "event-generator:judge", &command);
    let output = container.all_output();
    assert!(output.contains("test passed") && !output.contains("error"), "{output}");
    agent.stop();
}

/// A port that nobody listens at.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

#[test]
fn the_stand_in_for_the_event_generator() {
    const CASE: &str = "the_stand_in_for_the_event_generator";
    let Some(docker) = Docker::for_case(CASE) else { return };
    let Some(agent) = agent_for(CASE) else { return };
    let container = docker.start_container(&["/bin/probe", "event-generator-stand-in"]);
    let output = container.output();
    let alert = expect_action(&agent, &container);
    check(&alert, &container, "probe");
    let dropped =
        output.strip_prefix("dropped ").and_then(|rest| rest.split_once(": ")).map(|(path, _)| path);
    assert_eq!(Some(alert.text("proc.exepath")), dropped, "the path in {alert}");
}

/// The one alert of the container; two would be as wrong as none.
fn expect_action(agent: &Agent, container: &Container<'_>) -> Alert {
    let of_container = |alert: &Alert| alert.text("container.id") == container.short_id();
    let first = agent.expect_alert("the alert about the action", of_container);
    // Everything the container did lies before the sentinel.
    let path = first.text("proc.exepath").to_owned();
    agent.expect_one(&path)
}

/// Field by field what the action is known to do.
#[track_caller]
fn check(alert: &Alert, container: &Container<'_>, first_process: &str) {
    alert_schema::check(alert);
    let path = alert.text("proc.exepath");
    assert!(path.starts_with(DROPPED) && path.len() == DROPPED.len() + 6, "proc.exepath in {alert}");
    let name = case::comm_of(path.trim_start_matches("/bin/"));
    assert_eq!(name, "falco-event-gen");
    for (field, expected) in [
        ("evt.type", "execve"),
        ("evt.arg.flags", "EXE_WRITABLE|EXE_UPPER_LAYER"),
        ("drop.origin", "new"),
        ("drop.kind", "exec"),
        ("container.id", &container.inspect("{{.Id}}")[..12]),
        ("proc.exe", path),
        ("proc.name", name),
        // argv[0] is the only argument, so the command line is the name alone.
        ("proc.cmdline", name),
        ("proc.cwd", "/"),
        ("proc.pname", first_process),
        ("proc.aname[2]", "containerd-shim"),
        // The container's first process leads the session.
        ("proc.sname", first_process),
        ("user.name", "root"),
    ] {
        assert_eq!(alert.text(field), expected, "{field} in {alert}");
    }
    assert_eq!((alert.integer("user.uid"), alert.integer("proc.tty")), (0, 0), "in {alert}");
    assert_eq!(alert.integer("user.loginuid"), own_loginuid(), "user.loginuid in {alert}");
    assert!(alert.field("drop.truncated").is_null(), "in {alert}");

    let (changed, time) = (alert.integer("proc.exe_ino.ctime"), alert.integer("evt.time"));
    assert_eq!(alert.integer("proc.exe_ino.mtime"), changed, "written once: mtime is ctime, in {alert}");
    let container_start = alert.integer("container.start_ts");
    assert!(container_start < changed && changed < time, "container, file, exec in this order, in {alert}");
    // The process was made after the file: no wrap-around.
    let age = alert.integer("proc.exe_ino.ctime_duration_proc_start");
    assert!(0 < age && age < time - container_start, "in {alert}");
}

/// The daemon, and so the container, inherits the login id of this process.
fn own_loginuid() -> i128 {
    let text = fs::read_to_string("/proc/self/loginuid").unwrap_or_default();
    text.trim().parse::<u32>().ok().filter(|uid| *uid != u32::MAX).map_or(-1, i128::from)
}

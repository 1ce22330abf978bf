//! The agent's outputs while their other ends fail: what can be delivered later is, and what cannot is counted.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use detector_tests::case::has_root;
use detector_tests::{Agent, BareContainer, marker};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::Signal;
use tempfile::TempDir;

detector_tests::same_on_every_kernel!("it is about files, sockets and programs that alerts go to");

fn folder() -> TempDir {
    TempDir::new().unwrap_or_else(|error| panic!("no folder: {error}"))
}

fn agent(settings: &[String]) -> Agent {
    let arguments: Vec<&std::ffi::OsStr> =
        settings.iter().flat_map(|setting| ["-o".as_ref(), setting.as_ref()]).collect();
    Agent::start_with(&arguments)
}

fn drop_and_run(agent: &Agent, container: &BareContainer, name: &str) -> String {
    let _ = container.sh(&format!("cp /bin/probe /tmp/{name}; /tmp/{name} exit")).ok();
    agent.expect_one(name).line
}

/// The figure behind `what` in the agent's last line about an output.
fn counted(log: &[String], output: &str, what: &str) -> u64 {
    let about = format!("output {output}: ");
    let line = log.iter().rev().find(|line| line.contains(&about) && line.contains(" taken, "));
    let line = line.unwrap_or_else(|| panic!("no line about the output {output} in {log:?}"));
    let part = line.split([',', ':']).find(|part| part.ends_with(what));
    let number = part.and_then(|part| part.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("no `{what}` in {line}"))
}

/// A minute without a receiver, and in it the end of the agent, once in order and once by `kill -9`.
#[test]
fn alerts_wait_on_disk_until_the_receiver_is_back() {
    const ALERTS: usize = 15;
    const MINUTE: Duration = Duration::from_secs(60);
    if !has_root("alerts_wait_on_disk_until_the_receiver_is_back") {
        return;
    }
    let began = Instant::now();
    let (folder, container, name) = (folder(), BareContainer::new(), marker("spooled"));
    // A port that nobody listens at, and that nobody else is given meanwhile: bound, but not listening.
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("no port: {error}"));
        listener.local_addr().map_or(0, |address| address.port())
    };
    let settings = [
        "http_output.enabled=true".to_owned(),
        format!("http_output.url=http://127.0.0.1:{port}/"),
        format!("http_output.spool.path={}", folder.path().join("spool").display()),
        "http_output.retry_max=200ms".to_owned(),
    ];
    let down = agent(&settings);
    let sent: Vec<String> =
        (0..5).map(|number| drop_and_run(&down, &container, &format!("{name}-{number:02}"))).collect();
    let log = down.stop_by(Signal::SIGTERM);
    assert!(counted(&log, "http", "on disk") >= sent.len() as u64, "{log:?}");

    // The next agents have the same spool.
    let killed = agent(&settings);
    let more: Vec<String> =
        (5..10).map(|number| drop_and_run(&killed, &container, &format!("{name}-{number:02}"))).collect();
    // Outputs are independent: that it is on standard output does not say that it is on disk.
    let spool = folder.path().join("spool");
    while !holds(&spool, &format!("{name}-09")) {
        assert!(began.elapsed() < MINUTE, "the last alert did not reach the disk");
        thread::sleep(Duration::from_millis(5));
    }
    killed.kill_hard();
    let up = agent(&settings);
    let last: Vec<String> =
        (10..ALERTS).map(|number| drop_and_run(&up, &container, &format!("{name}-{number:02}"))).collect();
    thread::sleep(MINUTE.saturating_sub(began.elapsed()));
    let listener =
        TcpListener::bind(("127.0.0.1", port)).unwrap_or_else(|error| panic!("port {port}: {error}"));
    let expected: Vec<String> = sent.into_iter().chain(more).chain(last).collect();
    let wanted = name.clone();
    let bodies = thread::spawn(move || receive(&listener, &wanted, ALERTS)).join();
    let bodies = bodies.unwrap_or_else(|_| panic!("the receiver failed"));
    assert_eq!(bodies, expected, "the alerts, in their order");
    up.stop();
}

/// Whether a file of this folder holds this text.
fn holds(folder: &Path, text: &str) -> bool {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files
        .filter_map(|file| fs::read(file.path()).ok())
        .any(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
}

/// Answers requests with 200 until `count` bodies that mention `name` have come; other containers of the host may
/// give alerts, too.
fn receive(listener: &TcpListener, name: &str, count: usize) -> Vec<String> {
    let mut bodies = Vec::new();
    while bodies.len() < count {
        let (stream, _) = listener.accept().unwrap_or_else(|error| panic!("no connection: {error}"));
        let mut reader = BufReader::new(stream);
        while bodies.len() < count {
            let mut length = 0;
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
                line.clear();
            }
            let mut body = vec![0; length];
            if length == 0 || reader.read_exact(&mut body).is_err() {
                break;
            }
            let body = String::from_utf8_lossy(&body).into_owned();
            if body.contains(name) {
                bodies.push(body);
            }
            if reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
                break;
            }
        }
    }
    bodies
}

/// A small filesystem; unmounted at the end.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new() -> Self {
        let folder = folder();
        let size = Some("size=64k");
        mount(Some("tmpfs"), folder.path(), Some("tmpfs"), MsFlags::empty(), size)
            .unwrap_or_else(|errno| panic!("cannot mount a tmpfs: {errno}"));
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = umount2(self.path(), MntFlags::MNT_DETACH);
    }
}

#[test]
fn a_full_disk_costs_counted_alerts_and_spoils_no_later_one() {
    if !has_root("a_full_disk_costs_counted_alerts_and_spoils_no_later_one") {
        return;
    }
    let (disk, container, name) = (SmallDisk::new(), BareContainer::new(), marker("full-disk"));
    let file = disk.path().join("alerts");
    let agent =
        agent(&["file_output.enabled=true".to_owned(), format!("file_output.filename={}", file.display())]);
    let before = drop_and_run(&agent, &container, &format!("{name}-before"));
    let filler = disk.path().join("filler");
    // Until nothing more goes in.
    let _ = fs::write(&filler, vec![0; 1 << 20]);
    for number in 0..8 {
        let _ = drop_and_run(&agent, &container, &format!("{name}-full-{number}"));
    }
    fs::remove_file(&filler).unwrap_or_else(|error| panic!("cannot make room: {error}"));
    let after = drop_and_run(&agent, &container, &format!("{name}-after"));
    let log = agent.stop_by(Signal::SIGTERM);
    let written = fs::read_to_string(&file).unwrap_or_default();
    let lines: Vec<&str> = written.lines().collect();
    assert!(lines.contains(&before.as_str()) && lines.contains(&after.as_str()), "in the file: {written}");
    assert!(counted(&log, "file", "failed") > 0, "{log:?}");
    assert!(log.iter().any(|line| line.contains("works again")), "{log:?}");
}

#[test]
fn a_program_that_ends_is_started_again_with_the_next_alert() {
    if !has_root("a_program_that_ends_is_started_again_with_the_next_alert") {
        return;
    }
    let (folder, container, name) = (folder(), BareContainer::new(), marker("program"));
    let out = folder.path().join("got");
    let ended = folder.path().join("ended");
    // Ends with the first of our alerts, and lets go of its input before it says so: what lies unread in a pipe is lost.
    let program = format!(
        "while read -r line; do printf '%s\\n' \"$line\" >> {}; case \"$line\" in *{name}-0*) break;; esac; done; \
         exec 0<&-; touch {}; exit 3",
        out.display(),
        ended.display()
    );
    let agent = agent(&[
        "program_output.enabled=true".to_owned(),
        "program_output.keep_alive=true".to_owned(),
        format!("program_output.program={program}"),
    ]);
    let first = drop_and_run(&agent, &container, &format!("{name}-0"));
    let deadline = Instant::now() + Duration::from_secs(60);
    while !ended.exists() {
        assert!(Instant::now() < deadline, "the program did not get the first alert");
        thread::sleep(Duration::from_millis(5));
    }
    let second = drop_and_run(&agent, &container, &format!("{name}-1"));
    let third = drop_and_run(&agent, &container, &format!("{name}-2"));
    let sent = [first, second, third];
    agent.stop();
    let got = fs::read_to_string(&out).unwrap_or_default();
    for line in &sent {
        assert!(got.lines().any(|one| one == line), "not in {got}: {line}");
    }
}

#[test]
fn a_receiver_that_hangs_delays_nobody() {
    if !has_root("a_receiver_that_hangs_delays_nobody") {
        return;
    }
    let (container, name) = (BareContainer::new(), marker("hangs"));
    // Takes connections, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("no port: {error}"));
    let port = silent.local_addr().map_or(0, |address| address.port());
    let agent = agent(&[
        "http_output.enabled=true".to_owned(),
        format!("http_output.url=http://127.0.0.1:{port}/"),
        "outputs_queue.capacity=1".to_owned(),
        "output_timeout=200".to_owned(),
    ]);
    // Standard output has them all, or this would not come to its end.
    for number in 0..5 {
        let _ = drop_and_run(&agent, &container, &format!("{name}-{number}"));
    }
    let log = agent.stop_by(Signal::SIGTERM);
    assert!(counted(&log, "http", "dropped (full)") >= 3, "{log:?}");
    assert!(log.iter().any(|line| line.contains("blocked for more than 200 ms")), "{log:?}");
}

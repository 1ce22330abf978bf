//! The system's logger: datagrams, streams, gone, back, never there.

use std::{
    fs,
    io::Read as _,
    os::unix::net::{UnixDatagram, UnixListener},
    path::Path,
    time::Duration,
};

use detector::output::{OutputSettings, Outputs, SyslogSettings};

use crate::{PATIENCE, counters, eventually, finish, names, send};

fn start(socket: &Path, patience: Duration) -> Outputs {
    let syslog = SyslogSettings { socket: socket.to_path_buf(), ident: "ident".to_owned(), patience };
    Outputs::start(&OutputSettings { syslog: Some(syslog), ..OutputSettings::default() }).unwrap()
}

fn receive(socket: &UnixDatagram) -> String {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = vec![0; 100_000];
    let size = socket.recv(&mut bytes).unwrap();
    bytes.truncate(size);
    String::from_utf8(bytes).unwrap()
}

/// What stands behind `<10>Mmm dd hh:mm:ss ident: `.
fn text(message: &str) -> String {
    // Priority 2, facility 1.
    let rest = message.strip_prefix("<10>").unwrap_or_else(|| panic!("{message}"));
    let (time, rest) = rest.split_at("Nov  2 04:05:06".len());
    chrono::NaiveDateTime::parse_from_str(&format!("2024 {time}"), "%Y %b %e %H:%M:%S").unwrap();
    assert_eq!(time.len(), time.trim().len(), "`{time}`");
    rest.strip_prefix(" ident: ").unwrap_or_else(|| panic!("{message}")).to_owned()
}

#[test]
fn datagrams_have_the_layout_of_the_c_library() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let logger = UnixDatagram::bind(&path).unwrap();
    let outputs = start(&path, PATIENCE);
    send(&outputs, "line", 0..3);
    let got: Vec<String> = (0..3).map(|_| text(&receive(&logger))).collect();
    assert_eq!(got, names("line", 0..3));
    assert_eq!(finish(&outputs, "syslog").delivered, 3);
}

#[test]
fn a_stream_gets_messages_with_a_zero_behind_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let logger = UnixListener::bind(&path).unwrap();
    let outputs = start(&path, PATIENCE);
    send(&outputs, "line", 0..3);
    let (mut stream, _) = logger.accept().unwrap();
    assert_eq!(finish(&outputs, "syslog").delivered, 3);
    drop(outputs);
    let mut all = String::new();
    stream.read_to_string(&mut all).unwrap();
    let got: Vec<String> = all.split_terminator('\0').map(text).collect();
    assert_eq!(got, names("line", 0..3));
}

#[test]
fn a_logger_that_is_missing_and_comes_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let outputs = start(&path, PATIENCE);
    send(&outputs, "line", 0..3);
    eventually("it is tried again", || counters(&outputs, "syslog").retried > 0);
    let logger = UnixDatagram::bind(&path).unwrap();
    let got: Vec<String> = (0..3).map(|_| text(&receive(&logger))).collect();
    assert_eq!(got, names("line", 0..3));
    assert_eq!(finish(&outputs, "syslog").delivered, 3);
}

#[test]
fn a_logger_that_is_started_anew_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let logger = UnixDatagram::bind(&path).unwrap();
    let outputs = start(&path, PATIENCE);
    send(&outputs, "before", 0..1);
    assert_eq!(text(&receive(&logger)), "before 0");
    drop(logger);
    fs::remove_file(&path).unwrap();
    send(&outputs, "between", 0..1);
    eventually("it is tried again", || counters(&outputs, "syslog").retried > 0);
    let logger = UnixDatagram::bind(&path).unwrap();
    send(&outputs, "after", 0..1);
    assert_eq!(text(&receive(&logger)), "between 0");
    assert_eq!(text(&receive(&logger)), "after 0");
    assert_eq!(finish(&outputs, "syslog").delivered, 3);
}

#[test]
fn a_host_without_a_logger_counts_losses_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let outputs = start(&path, Duration::from_millis(50));
    send(&outputs, "lost", 0..20);
    eventually("all are lost", || counters(&outputs, "syslog").failed == 20);
    let tries = counters(&outputs, "syslog").retried;
    assert!(tries < 10, "one wait for the outage, not one for each line: {tries}");
    let logger = UnixDatagram::bind(&path).unwrap();
    send(&outputs, "kept", 0..1);
    assert_eq!(text(&receive(&logger)), "kept 0");
    assert_eq!(finish(&outputs, "syslog").delivered, 1);
}

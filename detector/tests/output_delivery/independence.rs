//! A slow output delays no other one, and not the sender.

use std::{fs, net::TcpListener, time::Duration};

use detector::output::{FileSettings, HttpSettings, OutputSettings, Outputs, ProgramSettings};

use crate::{assert_adds_up, counters, eventually, send};

#[test]
fn blocked_outputs_delay_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let path = folder.path().join("alerts");
    // Takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let outputs = Outputs::start(&OutputSettings {
        queue_capacity: 10,
        timeout: Duration::from_millis(20),
        file: Some(FileSettings { path: path.clone(), keep_alive: true }),
        program: Some(ProgramSettings {
            command: format!("read -r go < {}", gate.display()),
            keep_alive: false,
        }),
        http: Some(HttpSettings {
            url: format!("http://{}", silent.local_addr().unwrap()),
            timeout: Duration::from_secs(600),
            ..HttpSettings::default()
        }),
        ..OutputSettings::default()
    })
    .unwrap();
    let depth = |name| counters(&outputs, name).queue_depth;
    let mut sent = 0;
    eventually("both queues are full, and each thread holds a line", || {
        send(&outputs, "line", sent..sent + 1);
        sent += 1;
        eventually("the file has it", || counters(&outputs, "file").delivered == u64::from(sent));
        (depth("program"), depth("http")) == (11, 11)
    });
    send(&outputs, "line", sent..sent + 1);
    sent += 1;
    for blocked in ["program", "http"] {
        let counters = counters(&outputs, blocked);
        assert_adds_up(&counters);
        assert_eq!((counters.delivered, counters.dropped_overflow), (0, u64::from(sent) - 11), "{blocked}");
    }
    let flushed = outputs.flush(Duration::from_millis(50));
    assert_eq!(flushed.dropped, 22);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), sent as usize);
    send(&outputs, "too late", 0..1);
    assert_eq!(counters(&outputs, "file").dropped_timeout, 1);
    fs::write(&gate, "go\n").unwrap();
}

#[test]
fn no_output_is_fine() {
    let outputs = Outputs::start(&OutputSettings::default()).unwrap();
    send(&outputs, "line", 0..1);
    assert_eq!(outputs.counters().count(), 0);
    assert_eq!(outputs.flush(Duration::from_secs(1)).dropped, 0);
}

//! HTTP with a spool: nothing is lost while the receiver is down, not even over a restart.

use std::{fs, path::Path, time::Duration};

use detector::output::{HttpSettings, OutputSettings, Outputs, Overflow, SpoolSettings};

use crate::{
    assert_adds_up, counters, eventually, finish,
    http::{settings, start},
    names,
    receiver::{Receiver, Reply},
    send,
};

fn spooled(url: &str, folder: &Path) -> HttpSettings {
    let spool =
        SpoolSettings { folder: folder.join("spool"), max_bytes: 1 << 20, overflow: Overflow::DropNewest };
    HttpSettings { spool: Some(spool), ..settings(url) }
}

#[test]
fn a_receiver_that_is_down_and_back_misses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start();
    let address = receiver.address();
    let outputs = start(spooled(&receiver.url(), folder.path()));
    send(&outputs, "up", 0..10);
    eventually("they are there", || receiver.accepted().len() == 10);
    eventually("and known to be", || counters(&outputs, "http").spooled == 0);
    drop(receiver);
    // More than the queue holds.
    for thousand in 0..5 {
        send(&outputs, "down", thousand * 1000..(thousand + 1) * 1000);
        eventually("it is on disk", || counters(&outputs, "http").queue_depth == 0);
    }
    eventually("it is tried often", || counters(&outputs, "http").retried > 3);
    let waiting = counters(&outputs, "http");
    assert_adds_up(&waiting);
    assert_eq!(waiting.spooled, 5000);
    let receiver = Receiver::again(address);
    send(&outputs, "back", 0..10);
    eventually("all are there", || counters(&outputs, "http").delivered == 5020);
    assert_eq!(finish(&outputs, "http").spooled, 0);
    assert_eq!(receiver.accepted(), [names("down", 0..5000), names("back", 0..10)].concat());
}

#[test]
fn what_is_on_disk_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let address = Receiver::nowhere();
    let url = format!("http://{address}/");
    let outputs = start(spooled(&url, folder.path()));
    send(&outputs, "first", 0..50);
    let flushed = outputs.flush(Duration::from_secs(60));
    assert_eq!((flushed.dropped, flushed.spooled), (0, 50));
    let outputs = start(spooled(&url, folder.path()));
    send(&outputs, "second", 0..50);
    eventually("both are on disk", || counters(&outputs, "http").spooled == 100);
    assert_adds_up(&counters(&outputs, "http"));
    outputs.flush(Duration::from_secs(60));
    let receiver = Receiver::again(address);
    let outputs = start(spooled(&url, folder.path()));
    send(&outputs, "third", 0..1);
    eventually("all are there", || counters(&outputs, "http").delivered == 101);
    finish(&outputs, "http");
    assert_eq!(
        receiver.accepted(),
        [names("first", 0..50), names("second", 0..50), names("third", 0..1)].concat()
    );
}

#[test]
fn a_stop_delivers_what_can_be_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start();
    let outputs = start(spooled(&receiver.url(), folder.path()));
    send(&outputs, "line", 0..200);
    let counters = finish(&outputs, "http");
    assert_eq!((counters.delivered, counters.spooled), (200, 0));
    assert_eq!(receiver.accepted(), names("line", 0..200));
}

#[test]
fn bad_answers_cost_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let script = [
        Reply::Status(500, "", ""),
        Reply::Close,
        Reply::Silence,
        Reply::CloseEarly,
        Reply::Status(502, "", ""),
    ];
    let receiver = Receiver::scripted(script);
    let http = spooled(&receiver.url(), folder.path());
    let outputs = start(HttpSettings { timeout: Duration::from_millis(300), ..http });
    send(&outputs, "line", 0..20);
    eventually("all are there", || counters(&outputs, "http").delivered == 20);
    assert_eq!(finish(&outputs, "http").failed, 0);
    assert_eq!(receiver.accepted(), names("line", 0..20));
}

#[test]
fn a_rejected_line_leaves_the_spool() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::scripted([Reply::Status(400, "", "no")]);
    let outputs = start(spooled(&receiver.url(), folder.path()));
    send(&outputs, "line", 0..3);
    eventually("the rest is there", || counters(&outputs, "http").delivered == 2);
    let counters = finish(&outputs, "http");
    assert_eq!((counters.rejected, counters.spooled), (1, 0));
}

#[test]
fn a_full_spool_counts_what_it_cannot_take() {
    for (overflow, first_kept) in [(Overflow::DropNewest, true), (Overflow::DropOldest, false)] {
        let folder = tempfile::tempdir().unwrap();
        let address = Receiver::nowhere();
        let mut http = spooled(&format!("http://{address}/"), folder.path());
        if let Some(spool) = &mut http.spool {
            (spool.max_bytes, spool.overflow) = (20_000, overflow);
        }
        let outputs = start(http);
        send(&outputs, "line", 0..3000);
        eventually("all are dealt with", || counters(&outputs, "http").queue_depth == 0);
        let full = counters(&outputs, "http");
        assert_adds_up(&full);
        assert!(full.dropped_overflow > 1000, "{full:?}");
        let receiver = Receiver::again(address);
        eventually("what is left is there", || counters(&outputs, "http").spooled == 0);
        finish(&outputs, "http");
        let got = receiver.accepted();
        assert_eq!(got.len() as u64, full.spooled);
        assert_eq!(got[0] == "line 0", first_kept);
        assert_eq!(got.last().unwrap() == "line 2999", !first_kept);
    }
}

#[test]
fn a_spool_that_cannot_be_written_costs_nothing_while_the_receiver_is_up() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start();
    let outputs = start(spooled(&receiver.url(), folder.path()));
    fs::remove_dir_all(folder.path().join("spool")).unwrap();
    send(&outputs, "line", 0..20);
    let counters = finish(&outputs, "http");
    assert_eq!((counters.delivered, counters.failed), (20, 0));
    assert_eq!(receiver.accepted(), names("line", 0..20));
}

#[test]
fn two_outputs_do_not_share_a_spool() {
    let folder = tempfile::tempdir().unwrap();
    let http = spooled("http://127.0.0.1:9/", folder.path());
    let first = start(http.clone());
    let settings = OutputSettings { http: Some(http.clone()), ..OutputSettings::default() };
    let error = Outputs::start(&settings).err().expect("the folder is in use").to_string();
    assert!(error.contains("in use") && error.contains("spool.path"), "{error}");
    first.flush(Duration::from_secs(60));
    start(http);
}

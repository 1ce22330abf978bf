//! Standard output: a pipe whose reader reads, stalls, or leaves.

use std::{
    io::{BufRead as _, BufReader, PipeReader, PipeWriter, pipe},
    os::fd::AsFd as _,
};

use detector::output::{OutputSettings, Outputs, Overflow};

use crate::{assert_adds_up, counters, eventually, finish, names, send};

fn start(writer: PipeWriter, settings: OutputSettings) -> Outputs {
    let outputs =
        Outputs::start_with_stdout(&OutputSettings { stdout: true, ..settings }, writer.as_fd()).unwrap();
    // The reader sees the end with the last descriptor.
    drop(writer);
    outputs
}

fn lines(reader: PipeReader) -> Vec<String> {
    BufReader::new(reader).lines().map(Result::unwrap).collect()
}

#[test]
fn lines_come_in_order() {
    for buffered in [false, true] {
        let (reader, writer) = pipe().unwrap();
        let outputs = start(writer, OutputSettings { buffered, ..OutputSettings::default() });
        send(&outputs, "line", 0..1000);
        let reading = std::thread::spawn(move || lines(reader));
        send(&outputs, "line", 1000..4000);
        assert_eq!(finish(&outputs, "stdout").delivered, 4000);
        drop(outputs);
        assert_eq!(reading.join().unwrap(), names("line", 0..4000));
    }
}

#[test]
fn long_and_short_lines_keep_their_order() {
    let (reader, writer) = pipe().unwrap();
    let outputs = start(writer, OutputSettings::default());
    let long = "x".repeat(20_000);
    send(&outputs, "a", 0..1);
    send(&outputs, &long, 0..1);
    send(&outputs, "b", 0..200);
    finish(&outputs, "stdout");
    drop(outputs);
    assert_eq!(lines(reader), [names("a", 0..1), names(&long, 0..1), names("b", 0..200)].concat());
}

#[test]
fn a_reader_that_stalls_stops_nobody() {
    for (overflow, newest_kept) in [(Overflow::DropNewest, false), (Overflow::DropOldest, true)] {
        let (reader, writer) = pipe().unwrap();
        let settings = OutputSettings { queue_capacity: 100, overflow, ..OutputSettings::default() };
        let outputs = start(writer, settings);
        let long = "x".repeat(1000);
        let mut sent = 0;
        eventually("the queue is full, and the thread holds a line, too", || {
            send(&outputs, &long, sent..sent + 1);
            sent += 1;
            counters(&outputs, "stdout").queue_depth == 101
        });
        // A pipe holds 64 KiB: far more than fits. That this ends is the point.
        send(&outputs, &long, sent..5000);
        let stalled = counters(&outputs, "stdout");
        assert_adds_up(&stalled);
        assert!(stalled.delivered < 100, "{stalled:?}");
        assert_eq!(stalled.dropped_overflow, 5000 - 101 - stalled.delivered);

        let reading = std::thread::spawn(move || lines(reader));
        let done = finish(&outputs, "stdout");
        assert_eq!(done.delivered, 101 + stalled.delivered);
        drop(outputs);
        let got = reading.join().unwrap();
        let numbers: Vec<u32> =
            got.iter().map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap()).collect();
        assert_eq!(numbers.len() as u64, done.delivered);
        assert!(numbers.is_sorted(), "{numbers:?}");
        assert_eq!(numbers.last() == Some(&4999), newest_kept);
    }
}

#[test]
fn a_reader_that_leaves_is_noticed() {
    let (reader, writer) = pipe().unwrap();
    let outputs = start(writer, OutputSettings::default());
    send(&outputs, "a", 0..1);
    assert!(!outputs.stdout_gone());
    drop(reader);
    send(&outputs, "b", 0..1);
    eventually("the loss is noticed", || outputs.stdout_gone());
    let counters = finish(&outputs, "stdout");
    assert_eq!((counters.delivered, counters.failed), (1, 1));
}

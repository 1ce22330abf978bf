//! The spool survives restarts, kills within a write, damage, and its own limits.

use std::{fs, path::Path};

use tempfile::TempDir;

use super::{Appended, Spool, SpoolError};
use crate::output::{
    line::Line,
    settings::{Overflow, SpoolSettings},
};

const MANY: u64 = 1 << 20;

fn settings(folder: &Path, max_bytes: u64, overflow: Overflow) -> SpoolSettings {
    SpoolSettings { folder: folder.join("spool"), max_bytes, overflow }
}

fn open(folder: &TempDir) -> Spool {
    Spool::open(&settings(folder.path(), MANY, Overflow::DropNewest)).unwrap()
}

fn append(spool: &mut Spool, range: std::ops::Range<u32>) {
    for number in range {
        let stored = spool.append(&Line::new(format!("line {number}"), 5, true)).unwrap();
        assert_eq!(stored, Appended::Stored { dropped: 0 });
    }
}

/// Takes up to so many lines out.
fn take(spool: &mut Spool, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.len() < most
        && let (Some(line), 0) = spool.front()
    {
        assert!((line.priority(), line.is_json()) == (5, true));
        lines.push(String::from_utf8(line.bytes().to_vec()).unwrap());
        spool.advance();
    }
    lines
}

fn names(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| format!("line {number}")).collect()
}

fn segments(folder: &TempDir) -> Vec<std::path::PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(folder.path().join("spool")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    paths.sort();
    paths
}

#[test]
fn lines_come_in_order_across_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(&folder);
    append(&mut spool, 0..5);
    assert_eq!(take(&mut spool, 2), names(0..2));
    drop(spool);
    let mut spool = open(&folder);
    assert_eq!(spool.lines(), 3);
    append(&mut spool, 5..8);
    assert_eq!(take(&mut spool, 4), names(2..6));
    drop(spool);
    let mut spool = open(&folder);
    assert_eq!(take(&mut spool, 100), names(6..8));
    assert_eq!(spool.lines(), 0);
    drop(spool);
    assert_eq!(open(&folder).lines(), 0);
    assert!(segments(&folder).is_empty(), "an empty spool keeps no segment over a restart");
}

#[test]
fn a_line_that_was_only_looked_at_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(&folder);
    append(&mut spool, 0..1);
    assert!(spool.front().0.is_some());
    drop(spool);
    assert_eq!(take(&mut open(&folder), 9), names(0..1));
}

#[test]
fn a_truncated_tail_costs_only_the_torn_line() {
    for cut in [1, 5, 14] {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(&folder);
        append(&mut spool, 0..3);
        drop(spool);
        let path = segments(&folder).pop().unwrap();
        let size = fs::metadata(&path).unwrap().len();
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(size - cut).unwrap();
        let mut spool = open(&folder);
        append(&mut spool, 3..5);
        assert_eq!(take(&mut spool, 9), [names(0..2), names(3..5)].concat(), "cut by {cut}");
    }
}

#[test]
fn a_flipped_bit_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(&folder);
    append(&mut spool, 0..3);
    drop(spool);
    let path = segments(&folder).pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(take(&mut open(&folder), 9), names(0..2));
}

#[test]
fn a_segment_that_vanishes_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(&folder);
    append(&mut spool, 0..3);
    fs::remove_file(segments(&folder).pop().unwrap()).unwrap();
    let (line, lost) = spool.front();
    assert_eq!((line, lost), (None, 3));
    append(&mut spool, 3..4);
    assert_eq!(take(&mut spool, 9), names(3..4));
}

#[test]
fn a_damaged_cursor_repeats_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(&folder);
    append(&mut spool, 0..3);
    take(&mut spool, 1);
    drop(spool);
    fs::write(folder.path().join("spool/cursor"), b"nonsense").unwrap();
    assert_eq!(take(&mut open(&folder), 9), names(0..3));
}

#[test]
fn a_full_spool_refuses_new_lines() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(&settings(folder.path(), 4096, Overflow::DropNewest)).unwrap();
    let mut stored = 0;
    while spool.append(&Line::new("x".repeat(500), 5, true)).unwrap() == (Appended::Stored { dropped: 0 }) {
        stored += 1;
    }
    assert!((7..=8).contains(&stored), "{stored}");
    assert_eq!(spool.lines(), stored);
    spool.front();
    for _ in 0..stored {
        spool.front();
        spool.advance();
    }
    assert_eq!(
        spool.append(&Line::new("x".repeat(500), 5, true)).unwrap(),
        Appended::Stored { dropped: 0 },
        "delivered lines make room"
    );
}

#[test]
fn a_full_spool_lets_the_oldest_go() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(&settings(folder.path(), 64 << 10, Overflow::DropOldest)).unwrap();
    let mut dropped = 0;
    for number in 0..1000 {
        let line = Line::new(format!("{number:0500}"), 5, true);
        match spool.append(&line).unwrap() {
            Appended::Stored { dropped: gone } => dropped += gone,
            Appended::Full => panic!("full"),
        }
    }
    let on_disk: u64 = segments(&folder).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert!(on_disk <= 64 << 10, "{on_disk}");
    let left = take(&mut spool, 2000);
    assert_eq!(left.len() as u64 + dropped, 1000);
    assert_eq!(left.last().unwrap(), &format!("{:0500}", 999));
    assert_eq!(left.first().unwrap(), &format!("{dropped:0500}"));
}

#[test]
fn disk_use_shrinks_as_lines_go() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(&folder);
    for round in 0..200 {
        append(&mut spool, round * 50..round * 50 + 50);
        assert_eq!(take(&mut spool, 50).len(), 50);
        let on_disk: u64 = segments(&folder).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        assert!(on_disk < 128 << 10, "{on_disk}");
    }
}

#[test]
fn a_folder_serves_one() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(&folder);
    let second = Spool::open(&settings(folder.path(), MANY, Overflow::DropNewest));
    assert!(matches!(second, Err(SpoolError::InUse(_))));
    drop(first);
    open(&folder);
}

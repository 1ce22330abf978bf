//! Files: rotated, missing, full.

use std::{fs, path::Path};

use detector::output::{FileSettings, OutputSettings, Outputs};

use crate::{counters, eventually, finish, names, send};

fn start(path: &Path, keep_alive: bool, buffered: bool) -> Outputs {
    let file = FileSettings { path: path.to_path_buf(), keep_alive };
    Outputs::start(&OutputSettings { file: Some(file), buffered, ..OutputSettings::default() }).unwrap()
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn lines_are_appended_in_order() {
    for (keep_alive, buffered) in [(false, false), (true, false), (true, true)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts");
        fs::write(&path, "before\n").unwrap();
        let outputs = start(&path, keep_alive, buffered);
        send(&outputs, "line", 0..500);
        assert_eq!(finish(&outputs, "file").delivered, 500);
        assert_eq!(lines(&path), [vec!["before".to_owned()], names("line", 0..500)].concat());
    }
}

#[test]
fn a_rotated_file_is_opened_anew_when_asked() {
    for buffered in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (path, rotated) = (folder.path().join("alerts"), folder.path().join("alerts.1"));
        let outputs = start(&path, true, buffered);
        send(&outputs, "old", 0..2);
        eventually("the file has both", || counters(&outputs, "file").queue_depth == 0);
        if buffered {
            // The first line has to be out for the file to exist.
            fs::write(&path, "").unwrap();
            assert_eq!(lines(&path), Vec::<String>::new());
            outputs.reopen();
            eventually("a reopen empties the buffer", || lines(&path) == names("old", 0..2));
            fs::rename(&path, &rotated).unwrap();
        } else {
            fs::rename(&path, &rotated).unwrap();
            outputs.reopen();
        }
        send(&outputs, "new", 0..2);
        assert_eq!(finish(&outputs, "file").delivered, 4);
        assert_eq!(lines(&rotated), names("old", 0..2));
        assert_eq!(lines(&path), names("new", 0..2));
    }
}

#[test]
fn a_full_disk_is_counted() {
    for (keep_alive, buffered) in [(false, false), (true, false), (true, true)] {
        let outputs = start(Path::new("/dev/full"), keep_alive, buffered);
        send(&outputs, "lost", 0..10);
        let counters = finish(&outputs, "file");
        assert_eq!(
            (counters.delivered, counters.failed),
            (0, 10),
            "keep_alive {keep_alive} buffered {buffered}"
        );
    }
}

#[test]
fn a_disk_that_has_room_again_is_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts");
    for keep_alive in [false, true] {
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let outputs = start(&path, keep_alive, false);
        send(&outputs, "lost", 0..3);
        eventually("three are lost", || counters(&outputs, "file").failed == 3);
        fs::remove_file(&path).unwrap();
        send(&outputs, "kept", 0..3);
        assert_eq!(finish(&outputs, "file").delivered, 3);
        assert_eq!(lines(&path), names("kept", 0..3));
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_missing_folder_is_counted_and_may_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later/alerts");
    let outputs = start(&path, true, false);
    send(&outputs, "lost", 0..1);
    eventually("it is lost", || counters(&outputs, "file").failed == 1);
    fs::create_dir(folder.path().join("later")).unwrap();
    send(&outputs, "kept", 0..1);
    finish(&outputs, "file");
    assert_eq!(lines(&path), names("kept", 0..1));
}

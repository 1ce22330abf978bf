//! Programs: one for each line, one for all, that end, that fail, that do not read.

use std::{fs, path::Path, time::Duration};

use detector::output::{OutputSettings, Outputs, ProgramSettings};

use crate::{counters, eventually, finish, names, send};

fn start(command: String, keep_alive: bool) -> Outputs {
    let program = Some(ProgramSettings { command, keep_alive });
    Outputs::start(&OutputSettings { program, ..OutputSettings::default() }).unwrap()
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn a_program_for_each_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let outputs = start(format!("echo start >> {0}; cat >> {0}", path.display()), false);
    send(&outputs, "line", 0..2);
    assert_eq!(finish(&outputs, "program").delivered, 2);
    assert_eq!(lines(&path), ["start", "line 0", "start", "line 1"]);
}

#[test]
fn a_program_for_all_lines_ends_with_the_output() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let outputs = start(format!("echo start >> {0}; cat >> {0}; echo end >> {0}", path.display()), true);
    send(&outputs, "line", 0..100);
    assert_eq!(finish(&outputs, "program").delivered, 100);
    let all = lines(&path);
    assert_eq!((all.first().unwrap().as_str(), all.last().unwrap().as_str()), ("start", "end"));
    assert_eq!(all[1..101], names("line", 0..100));
}

#[test]
fn a_reopen_starts_the_program_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let outputs = start(format!("echo start >> {0}; cat >> {0}", path.display()), true);
    send(&outputs, "old", 0..1);
    eventually("the first is there", || lines(&path).len() == 2);
    outputs.reopen();
    send(&outputs, "new", 0..1);
    finish(&outputs, "program");
    assert_eq!(lines(&path), ["start", "old 0", "start", "new 0"]);
}

#[test]
fn a_program_that_ends_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let outputs = start(format!("read -r line; echo \"$$ $line\" >> {}", path.display()), true);
    for number in 0..3u32 {
        send(&outputs, "line", number..number + 1);
        eventually("it is there", || lines(&path).len() == number as usize + 1);
        // A line that is already in the pipe of a dying program is lost with it, unseen: let it die.
        let pid = lines(&path).last().unwrap().split(' ').next().unwrap().to_owned();
        eventually("the program has ended", || {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
        });
    }
    assert_eq!(finish(&outputs, "program").delivered, 3);
    let texts: Vec<String> =
        lines(&path).iter().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect();
    assert_eq!(texts, names("line", 0..3));
}

#[test]
fn how_a_program_ends_decides() {
    for (command, delivered) in [("exit 3", 0), ("true", 2), ("kill -9 $$", 0), ("exec /nonexistent", 0)] {
        let outputs = start(format!("{command} 2> /dev/null"), false);
        send(&outputs, "line", 0..2);
        let counters = finish(&outputs, "program");
        assert_eq!((counters.delivered, counters.failed), (delivered, 2 - delivered), "{command}");
    }
}

#[test]
fn a_program_that_will_not_run_loses_lines_visibly() {
    let outputs = start("exec 0<&-; exit 7".to_owned(), true);
    // More than a pipe takes: those that went into the pipe of a program that had not ended yet count as delivered.
    let long = "x".repeat(70_000);
    send(&outputs, &long, 0..2);
    let counters = finish(&outputs, "program");
    assert_eq!((counters.delivered, counters.failed), (0, 2));
}

#[test]
fn a_program_that_does_not_read_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let outputs = start(format!("read -r go < {}", gate.display()), true);
    send(&outputs, &"x".repeat(100_000), 0..3);
    eventually("it blocks", || counters(&outputs, "program").queue_depth == 3);
    let flushed = outputs.flush(Duration::from_millis(100));
    assert_eq!(flushed.dropped, 3);
    // Lets the program go.
    fs::write(&gate, "go\n").unwrap();
}

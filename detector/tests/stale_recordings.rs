//! `detector explain --stale` of a recording counts what silences a rule, also where the kernel's filter would have done
//! so before.

#[expect(dead_code, reason = "whole events are for other tests")]
mod synthetic;

use std::process::Command;

use detector::recording::Recorder;
use synthetic::Record;

const RULES: &str = "\
- rule: in a container
  desc: d
  condition: evt.type = execve and container.id != host
  output: x
  priority: INFO
  exceptions:
    - name: dropped
      fields: proc.is_exe_upper_layer
      values: [true]
    - name: from_memory
      fields: proc.is_exe_from_memfd
      values: [true]
";

#[test]
fn an_exception_that_makes_records_unwanted_is_counted_in_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    let (rules, recording) = (folder.path().join("rules.yaml"), folder.path().join("execs.rec"));
    std::fs::write(&rules, RULES).unwrap();
    let mut bytes = Vec::new();
    Recorder::new(&mut bytes).unwrap().add(0, &Record::drop_in_docker().bytes(), b"").unwrap();
    std::fs::write(&recording, bytes).unwrap();

    let mut explain = Command::new(env!("CARGO_BIN_EXE_detector"));
    let out = explain.args(["explain", "--stale"]).arg(&recording).arg("-r").arg(&rules).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(
        text.contains("used   exception `dropped` of `in a container` matches 1 of 1 events"),
        "{text}{errors}"
    );
    assert!(text.contains("stale  exception `from_memory`"), "{text}{errors}");
}

//! Alerts byte for byte, made by the program itself: `detector replay` of a recording goes through decoding, rules and
//! format. `expected/` holds what each call wrote; after a wanted change
//!
//! ```text
//! DETECTOR_WRITE_GOLDEN=1 cargo test -p detector --test golden_alerts
//! ```
//!
//! writes the files anew, and the difference is for review.

mod compare;
mod events;
#[path = "../synthetic/mod.rs"]
#[expect(dead_code, reason = "whole events are for other tests")]
mod synthetic;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// One call of `detector replay`.
struct Case {
    /// Name of the file in `expected`.
    name: &'static str,
    /// Rules of their own, a file in `rules`; without it those that are built in.
    rules: Option<&'static str>,
    /// Further arguments.
    arguments: &'static [&'static str],
}

const JSON: &str = "json_output=true";
const CLASSIC: &str = "output_style=classic";
const STATIC: &str = "static_fields.rack=r7 \"left\"";
const APPENDED: &str = "append_output[]={extra_output: on CPU %evt.cpu, \
    extra_fields: [evt.hostname, 'proc.aname[2]', proc.exe_ino, {who: '%<8>user.name|%proc.aname[9]|%static.rack'}]}";
const APPENDED_TO_SOME: &str = "append_output[]={match: {rule: numbers, source: syscall}, extra_output: 'only here %static.rack', suggested_output: true}";

/// Every option that changes what a line looks like, in text and in JSON.
const CASES: &[Case] = &[
    Case { name: "current.txt", rules: None, arguments: &[] },
    Case { name: "current.jsonl", rules: None, arguments: &["-o", JSON] },
    Case { name: "iso_time.txt", rules: None, arguments: &["-o", "time_format_iso_8601=true"] },
    Case { name: "iso_time.jsonl", rules: None, arguments: &["-o", JSON, "-o", "time_format_iso_8601=true"] },
    Case {
        name: "message.jsonl",
        rules: None,
        arguments: &["-o", JSON, "-o", "json_include_message_property=true"],
    },
    Case {
        name: "no_output.jsonl",
        rules: None,
        arguments: &["-o", JSON, "-o", "json_include_output_property=false"],
    },
    Case {
        name: "no_output_fields.jsonl",
        rules: None,
        arguments: &["-o", JSON, "-o", "json_include_output_fields_property=false"],
    },
    Case {
        name: "no_tags.jsonl",
        rules: None,
        arguments: &["-o", JSON, "-o", "json_include_tags_property=false"],
    },
    Case { name: "of_2024.txt", rules: Some("of_2024.yaml"), arguments: &["-o", CLASSIC] },
    Case { name: "of_2024.jsonl", rules: Some("of_2024.yaml"), arguments: &["-o", CLASSIC, "-o", JSON] },
    Case { name: "of_2024_today.txt", rules: Some("of_2024.yaml"), arguments: &[] },
    Case { name: "of_2024_pc.txt", rules: Some("of_2024.yaml"), arguments: &["-o", CLASSIC, "-pc"] },
    Case { name: "of_2024_pk.txt", rules: Some("of_2024.yaml"), arguments: &["-o", CLASSIC, "-pk"] },
    Case {
        name: "of_2024_print.txt",
        rules: Some("of_2024.yaml"),
        arguments: &["-o", CLASSIC, "-p", "pid=%proc.pid"],
    },
    Case { name: "built_in_of_2024.txt", rules: None, arguments: &["-o", CLASSIC] },
    Case { name: "print.txt", rules: None, arguments: &["-p", "pid=%proc.pid"] },
    Case { name: "no_token_pk.txt", rules: Some("forms.yaml"), arguments: &["-o", CLASSIC, "-pk"] },
    Case {
        name: "appended.txt",
        rules: Some("forms.yaml"),
        arguments: &["-o", "rule_matching=all", "-o", STATIC, "-o", APPENDED, "-o", APPENDED_TO_SOME],
    },
    Case {
        name: "appended.jsonl",
        rules: Some("forms.yaml"),
        arguments: &[
            "-o",
            JSON,
            "-o",
            "rule_matching=all",
            "-o",
            STATIC,
            "-o",
            APPENDED,
            "-o",
            APPENDED_TO_SOME,
        ],
    },
    Case { name: "static_fields.jsonl", rules: None, arguments: &["-o", JSON, "-o", STATIC] },
    Case { name: "forms.txt", rules: Some("forms.yaml"), arguments: &["-o", "rule_matching=all"] },
    Case {
        name: "forms.jsonl",
        rules: Some("forms.yaml"),
        arguments: &["-o", "rule_matching=all", "-o", JSON],
    },
];

#[test]
fn lines_are_what_they_were() {
    let place = Place::new();
    let mut faults = Vec::new();
    for case in CASES {
        let rules = case.rules.map(|rules| folder("rules").join(rules));
        let lines = place.replay(rules.as_deref(), case.arguments);
        faults.extend(compare::with_file(&folder("expected").join(case.name), &lines));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// All values that an exec can have, in all events: text and JSON form of each stand in one line.
#[test]
fn every_field_is_what_it_was() {
    let place = Place::new();
    let shown: Vec<String> = events::every_field().iter().map(|field| format!("%{field}")).collect();
    let rule = format!(
        "- rule: every field\n  desc: d\n  condition: evt.type = execve\n  output: \"{}\"\n  priority: DEBUG\n",
        shown.join(" ")
    );
    let rules = place.folder.path().join("every_field.yaml");
    std::fs::write(&rules, rule).expect("the folder is ours");
    let lines = place.replay(Some(&rules), &["-o", JSON, "-o", "static_fields.rack=r7"]);
    let fault = compare::with_file(&folder("expected").join("every_field.jsonl"), &lines);
    assert_eq!(fault, None, "{}", fault.as_deref().unwrap_or_default());
}

/// A folder with the recording.
struct Place {
    folder: TempDir,
    recording: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the recording");
        let recording = folder.path().join("recording");
        std::fs::write(&recording, events::recording()).expect("the folder is ours");
        Self { folder, recording }
    }

    /// What `detector replay` writes, with all that it takes from its surroundings set.
    fn replay(&self, rules: Option<&Path>, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_detector"));
        command.arg("replay").arg(&self.recording).args(arguments);
        // No file of the host's: its settings are not ours.
        let config = self.folder.path().join("none.yaml");
        std::fs::write(&config, "{}").expect("the folder is ours");
        command.arg("-c").arg(config);
        if let Some(rules) = rules {
            command.arg("-r").arg(rules);
        }
        // Five hours behind UTC, by a rule that needs no file of time zones.
        command.env("TZ", "EST5").env("FALCO_HOSTNAME", "node-1");
        let output = command.output().expect("the program is built");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}\n{errors}");
        String::from_utf8(output.stdout).expect("lines are UTF-8, whatever the events are")
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden_alerts").join(name)
}

//! Copies of what was executed, kept by the running agent of files that are gone when anybody looks.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use detector_tests::case::has_root;
use detector_tests::{Agent, BareContainer, marker, process};

detector_tests::same_on_every_kernel!("it is about files that the agent keeps");

/// The stock rule, with what is told of copies in its output.
const RULES: &str = "
- rule: Drop and execute new binary in container
  desc: d
  condition: evt.type in (execve, execveat) and container.id != host and proc.is_exe_upper_layer = true
  output: copy %drop.sample of %drop.sha256 %drop.examined %proc.exepath %proc.exe %proc.cmdline
  priority: CRITICAL
";

/// A shell that was dropped, whose first act is to remove itself; `change` is done to it before. It stays for a while: of a
/// process that is gone, too, nothing is left.
fn drops_and_removes_itself(container: &BareContainer, name: &str, change: &str) {
    let _ = container
        .sh(&format!(
            "mkdir /tmp/{name}; cp /bin/busybox /tmp/{name}/sh; {change} /tmp/{name}/sh; \
             /tmp/{name}/sh -c '/bin/rm /tmp/{name}/sh; /bin/sleep 3; :'"
        ))
        .ok();
    assert!(!container.upper().join("tmp").join(name).join("sh").exists(), "the file is still there");
}

fn sha256(file: &Path) -> String {
    let mut sum = Command::new("sha256sum");
    sum.arg(file);
    process::run(sum).ok().split(' ').next().unwrap_or_default().to_owned()
}

fn names(folder: &Path) -> Vec<OsString> {
    let entries = fs::read_dir(folder).expect("the folder of copies");
    entries.map(|entry| entry.expect("an entry").file_name()).collect()
}

#[test]
fn a_file_that_removes_itself_is_kept_and_no_more_files_than_were_asked_for() {
    if !has_root("a_file_that_removes_itself_is_kept_and_no_more_files_than_were_asked_for") {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (rules, samples) = (folder.path().join("rules.yaml"), folder.path().join("samples"));
    fs::write(&rules, RULES).expect("the rules");
    let settings = [
        format!("samples.folder={}", samples.display()),
        "samples.max_files=1".to_owned(),
        // Hashing shall not depend on how busy this computer is.
        "metadata.wait=20s".to_owned(),
    ];
    let mut arguments = vec![OsStr::new("-r"), rules.as_os_str()];
    for setting in &settings {
        arguments.extend([OsStr::new("-o"), OsStr::new(setting)]);
    }
    let agent = Agent::start_with(&arguments);
    let container = BareContainer::new();
    let [kept, beyond, again] = ["kept", "beyond", "again"].map(marker);

    drops_and_removes_itself(&container, &kept, ":");
    let hash = sha256(&container.lower().join("bin/busybox"));
    let alert = agent.expect_one(&kept);
    let copy = samples.join(&hash);
    assert_eq!(alert.text("drop.sha256"), hash, "in {alert}");
    assert_eq!(alert.text("drop.sample"), copy.to_str().expect("its path"), "in {alert}");
    assert_eq!(sha256(&copy), hash, "the copy holds something else");
    let data = fs::metadata(&copy).expect("the copy");
    assert_eq!(
        (data.uid(), data.permissions().mode() & 0o7777),
        (0, 0o400),
        "others may do something with it"
    );
    let of_folder = fs::metadata(&samples).expect("the folder").permissions().mode();
    assert_eq!(of_folder & 0o777, 0o700, "others may look into the folder");

    drops_and_removes_itself(&container, &beyond, "echo x >>");
    let alert = agent.expect_one(&beyond);
    assert_ne!(alert.text("drop.sha256"), hash, "in {alert}");
    assert!(alert.field("drop.sample").is_null(), "there was no room for it: {alert}");
    // What is kept is found again, full or not.
    drops_and_removes_itself(&container, &again, ":");
    let alert = agent.expect_one(&again);
    assert_eq!(alert.text("drop.sample"), copy.to_str().expect("its path"), "in {alert}");
    agent.stop();
    assert_eq!(names(&samples), [OsString::from(&hash)]);
}

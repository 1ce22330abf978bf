//! The rule file that is built in, and its tuning hooks, which users name in their own files.

use detector::{
    alert::Priority,
    rules::{
        files::RuleFile,
        resolve::{LoadOptions, LoadReport, load},
    },
};

use crate::{catalog::Catalog, found, found_but_unused};

const NAME: &str = "Drop and execute new binary in container";

fn with(text: &str) -> LoadReport<&'static str> {
    let files = [RuleFile::stock(), RuleFile::from_bytes("local.yaml", text.as_bytes().to_vec())];
    load(&files, &Catalog, &LoadOptions::default())
}

fn condition(text: &str) -> String {
    let report = with(text);
    // A hook that is replaced no longer names what it named.
    assert_eq!(found_but_unused(&report), Vec::<String>::new());
    report.rules[0].details.condition.clone()
}

#[test]
fn it_loads_without_any_finding() {
    let report = with("");
    assert_eq!(found(&report), Vec::<String>::new());
    assert_eq!((report.rules.len(), report.skipped.len()), (1, 0));
    let rule = &report.rules[0];
    assert_eq!((rule.name.as_str(), rule.priority, rule.enabled), (NAME, Priority::Critical, true));
    let tags: Vec<&str> = rule.tags.iter().map(String::as_str).collect();
    assert_eq!(
        tags,
        ["PCI_DSS_11.5.1", "TA0003", "container", "maturity_stable", "mitre_persistence", "process"]
    );
}

#[test]
fn the_output_has_the_labels_and_fields_that_pipelines_know_in_their_order() {
    let report = with("");
    let output = &report.rules[0].details.output;
    let (message, pairs) = output.split_once(" | ").expect("a message and pairs");
    assert_eq!(message, "Executing binary not part of base image");
    let expected = [
        "proc_exe=%proc.exe",
        "proc_sname=%proc.sname",
        "gparent=%proc.aname[2]",
        "proc_exe_ino_ctime=%proc.exe_ino.ctime",
        "proc_exe_ino_mtime=%proc.exe_ino.mtime",
        "proc_exe_ino_ctime_duration_proc_start=%proc.exe_ino.ctime_duration_proc_start",
        "proc_cwd=%proc.cwd",
        "container_start_ts=%container.start_ts",
        "evt_type=%evt.type",
        "user=%user.name",
        "user_uid=%user.uid",
        "user_loginuid=%user.loginuid",
        "process=%proc.name",
        "proc_exepath=%proc.exepath",
        "parent=%proc.pname",
        "command=%proc.cmdline",
        "terminal=%proc.tty",
        "exe_flags=%evt.arg.flags",
    ];
    assert_eq!(pairs.split(' ').collect::<Vec<_>>(), expected);
}

#[test]
fn its_condition_is_the_one_of_the_stock_rule() {
    assert_eq!(
        condition(""),
        "evt.type in (execve, execveat) and container.id != host and proc.is_exe_upper_layer = true \
         and not container.image.repository in () and not evt.num = 0"
    );
}

#[test]
fn each_hook_can_be_tuned() {
    let image = "- {list: known_drop_and_execute_containers, items: [r.io/x], override: {items: append}}\n";
    assert!(condition(image).contains("not container.image.repository in (r.io/x)"), "{}", condition(image));
    let activity = "- {macro: known_drop_and_execute_activities, condition: proc.pname = apt, override: {condition: replace}}\n";
    assert!(condition(activity).ends_with("and not proc.pname = apt"), "{}", condition(activity));
    let container = "- {macro: container, condition: proc.name exists}\n";
    assert!(condition(container).contains("and proc.name exists and"), "{}", condition(container));
    let off = format!("- {{rule: {NAME}, enabled: false, override: {{enabled: replace}}}}\n");
    assert!(!with(&off).rules[0].enabled);
    let exception = format!(
        "- rule: {NAME}\n  exceptions: [{{name: e, fields: proc.exepath, values: [/x]}}]\n  override: {{exceptions: append}}\n"
    );
    assert!(condition(&exception).ends_with("and not proc.exepath in (/x)"), "{}", condition(&exception));
}

//! Rules beside the one that is built in, in real containers: each reports its deed and stays quiet about its twin.

use detector_tests::{Docker, exec_rules};

detector_tests::same_on_every_kernel!("rules are judged in user space");

#[test]
fn exec_rules_report_deeds_and_not_their_twins() {
    let Some(docker) = Docker::for_case("exec_rules_report_deeds_and_not_their_twins") else { return };
    let folder = tempfile::tempdir().expect("a folder for rules");
    let file = folder.path().join("exec_rules.yaml");
    std::fs::write(&file, include_str!("data/exec_rules.yaml")).expect("a rule file");
    exec_rules::check(&docker, &[&file]);
}

//! Rules beside the one that is built in, in real containers: each reports its deed and stays quiet about its twin.

use std::path::Path;

use detector_tests::{Docker, exec_rules};

#[test]
fn exec_rules_report_deeds_and_not_their_twins() {
    let Some(docker) = Docker::for_case("exec_rules_report_deeds_and_not_their_twins") else { return };
    exec_rules::check(&docker, &[&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/exec_rules.yaml")]);
}

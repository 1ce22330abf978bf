//! runc without an engine above it: the runtime that all engines share, on every kernel.

use detector_tests::image_tree::TOOL;
use detector_tests::{Runc, agent_for, alert_schema, marker};

#[test]
fn a_drop_in_runc() {
    let Some(runc) = Runc::for_case("a_drop_in_runc") else { return };
    let Some(agent) = agent_for("a_drop_in_runc") else { return };
    let name = marker("runc");
    let _ =
        runc.run(&format!("c-{name}"), &format!("cp /bin/probe /tmp/{name}; /tmp/{name} exit; true")).ok();
    let alert = agent.expect_one(&name);
    alert_schema::check(&alert);
    assert_eq!(alert.text("drop.origin"), "new", "in {alert}");
    assert_eq!(alert.text("evt.arg.flags"), "EXE_WRITABLE|EXE_UPPER_LAYER", "in {alert}");
    assert_eq!(
        (alert.text("proc.exepath"), alert.text("proc.pname")),
        (&*format!("/tmp/{name}"), "sh"),
        "in {alert}"
    );
}

#[test]
fn a_file_of_the_image_that_was_rewritten() {
    let Some(runc) = Runc::for_case("a_file_of_the_image_that_was_rewritten") else { return };
    let Some(agent) = agent_for("a_file_of_the_image_that_was_rewritten") else { return };
    let name = marker("runc-again");
    let _ = runc.run(&format!("c-{name}"), &format!("cat /bin/probe > {TOOL}; {TOOL} exit {name}")).ok();
    let alert = agent.expect_one(&name);
    assert_eq!((alert.text("proc.exepath"), alert.text("drop.origin")), (TOOL, "modified"), "in {alert}");
}

#[test]
fn what_the_image_has_stays_quiet() {
    let Some(runc) = Runc::for_case("what_the_image_has_stays_quiet") else { return };
    let Some(agent) = agent_for("what_the_image_has_stays_quiet") else { return };
    let name = marker("runc-image");
    let _ = runc.run(&format!("c-{name}"), &format!("{TOOL} exit {name}")).ok();
    agent.expect_quiet(&name);
}

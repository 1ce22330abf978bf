//! Image files that the container changed: they live in the upper layer, so the rule speaks, but they were not dropped.

use detector_tests::image_tree::TOOL;
use detector_tests::{BareContainer, Facts, agent_for, marker, witness};

/// Changes the image's tool, runs it, and expects one alert with this verdict.
fn changed_tool(case: &str, container: &BareContainer, change: &str, origin: &str) {
    let Some(agent) = agent_for(case) else { return };
    let name = marker("copy-up");
    // Before the change it is the image's file and stays quiet; the argument is what tells the two runs apart.
    let output =
        container.sh(&format!("{TOOL} {name}-before > /dev/null\n{change}\n{TOOL} {name}-after")).ok();
    let facts = Facts::parse(&output);
    assert!(container.upper().join(TOOL.trim_start_matches('/')).exists(), "`{change}` copied nothing up");
    let alert = agent.expect_one(&name);
    witness::check(&alert, &facts, container.short_id());
    assert!(alert.text("proc.cmdline").ends_with("-after"), "in {alert}");
    assert_eq!(alert.text("proc.exepath"), TOOL);
    assert_eq!(alert.text("evt.arg.flags"), "EXE_WRITABLE|EXE_UPPER_LAYER", "in {alert}");
    assert_eq!(alert.text("drop.origin"), origin, "after `{change}`, in {alert}");
}

#[test]
fn chmod_is_a_modification() {
    changed_tool("chmod_is_a_modification", &BareContainer::new(), &format!("chmod 700 {TOOL}"), "modified");
}

#[test]
fn touch_is_a_modification() {
    changed_tool("touch_is_a_modification", &BareContainer::new(), &format!("touch {TOOL}"), "modified");
}

#[test]
fn append_is_a_modification() {
    changed_tool("append_is_a_modification", &BareContainer::new(), &format!("echo x >> {TOOL}"), "modified");
}

#[test]
fn chmod_with_metacopy_is_metadata_only() {
    let container = BareContainer::new().mount_option("metacopy=on");
    changed_tool(
        "chmod_with_metacopy_is_metadata_only",
        &container,
        &format!("chmod 700 {TOOL}"),
        "metadata_only",
    );
}

#[test]
fn append_with_metacopy_is_a_modification() {
    let container = BareContainer::new().mount_option("metacopy=on");
    changed_tool(
        "append_with_metacopy_is_a_modification",
        &container,
        &format!("echo x >> {TOOL}"),
        "modified",
    );
}

/// Replaced and not changed: whatever the name, the file is new.
#[test]
fn a_replaced_image_file_is_new() {
    let Some(agent) = agent_for("a_replaced_image_file_is_new") else { return };
    let (container, name) = (BareContainer::new(), marker("replaced"));
    let script = format!("cp /bin/probe /tmp/other; mv /tmp/other {TOOL}; {TOOL} {name}");
    let facts = Facts::parse(&container.sh(&script).ok());
    let alert = agent.expect_one(&name);
    witness::check(&alert, &facts, container.short_id());
    assert_eq!((alert.text("proc.exepath"), alert.text("drop.origin")), (TOOL, "new"), "in {alert}");
}

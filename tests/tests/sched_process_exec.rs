//! The hook `sched_process_exec`: each field of the alert, and each way to execute a dropped file.

use detector_common::limits::ANCESTORS;
use detector_tests::bare_container::RootBy;
use detector_tests::{Alert, BareContainer, Facts, agent_for, case, marker, witness};

/// Drops the probe as `/tmp/NAME`, does the rest of the script and returns the one alert with the facts.
fn one_drop(
    agent: &detector_tests::Agent,
    container: &BareContainer,
    name: &str,
    rest: &str,
) -> (Alert, Facts) {
    let output = container.sh(&format!("cp /bin/probe /tmp/{name}\n{rest}")).ok();
    (agent.expect_one(name), Facts::parse(&output))
}

/// The verdict that a dropped file has when root runs it.
#[track_caller]
fn assert_new(alert: &Alert) {
    assert_eq!(alert.text("evt.arg.flags"), "EXE_WRITABLE|EXE_UPPER_LAYER", "in {alert}");
    assert_eq!(alert.text("drop.origin"), "new", "in {alert}");
}

#[test]
fn plain_drop() {
    let Some(agent) = agent_for("plain_drop") else { return };
    let (container, name) = (BareContainer::new(), marker("plain"));
    let (alert, facts) = one_drop(&agent, &container, &name, &format!("cd /tmp; ./{name} one two"));
    witness::check(&alert, &facts, container.short_id());
    assert_new(&alert);
    // The witness could be wrong in the same way: these are known without it.
    assert_eq!(alert.text("proc.exepath"), format!("/tmp/{name}"));
    assert_eq!(alert.text("proc.exe"), format!("./{name}"));
    assert_eq!(alert.text("proc.name"), case::comm_of(&name));
    assert_eq!(alert.text("proc.cmdline"), format!("{} one two", case::comm_of(&name)));
    assert_eq!(alert.text("proc.cwd"), "/tmp/");
    assert_eq!((alert.text("proc.pname"), alert.text("proc.aname[2]")), ("sh", "bare-init"));
    assert_eq!(alert.text("proc.sname"), "sh");
    assert_eq!((alert.text("user.name"), alert.integer("user.uid")), ("root", 0));
    assert!(alert.integer("container.start_ts") <= alert.integer("evt.time"), "in {alert}");
}

#[test]
fn by_absolute_path_from_the_root() {
    let Some(agent) = agent_for("by_absolute_path_from_the_root") else { return };
    let (container, name) = (BareContainer::new(), marker("absolute"));
    let (alert, facts) = one_drop(&agent, &container, &name, &format!("/tmp/../tmp/./{name}"));
    witness::check(&alert, &facts, container.short_id());
    assert_eq!(alert.text("proc.exepath"), format!("/tmp/{name}"));
    assert_eq!(alert.text("proc.exe"), format!("/tmp/../tmp/./{name}"));
    assert_eq!(alert.text("proc.cwd"), "/");
}

/// The container's root is not the root of its mount namespace: paths are still those that the process sees.
#[test]
fn in_a_chroot() {
    let Some(agent) = agent_for("in_a_chroot") else { return };
    let (container, name) = (BareContainer::new().root_by(RootBy::Chroot), marker("chroot"));
    let (alert, facts) = one_drop(&agent, &container, &name, &format!("/tmp/{name}"));
    witness::check_all_but_arguments(&alert, &facts, container.short_id());
    assert_new(&alert);
    assert_eq!(alert.text("proc.exepath"), format!("/tmp/{name}"));
}

#[test]
fn renamed() {
    let Some(agent) = agent_for("renamed") else { return };
    let (container, name) = (BareContainer::new(), marker("renamed"));
    let script = format!("mkdir /opt; cp /bin/probe /opt/before; mv /opt/before /opt/{name}; /opt/{name}");
    let facts = Facts::parse(&container.sh(&script).ok());
    let alert = agent.expect_one(&name);
    witness::check(&alert, &facts, container.short_id());
    assert_new(&alert);
    assert_eq!(alert.text("proc.exepath"), format!("/opt/{name}"));
}

#[test]
fn hard_link() {
    let Some(agent) = agent_for("hard_link") else { return };
    let (container, name) = (BareContainer::new(), marker("link"));
    let (alert, facts) =
        one_drop(&agent, &container, &name, &format!("ln /tmp/{name} /usr/bin/{name}-2; /usr/bin/{name}-2"));
    witness::check(&alert, &facts, container.short_id());
    assert_new(&alert);
    // The link's own name, not that of the file it was made from.
    assert_eq!(alert.text("proc.exepath"), format!("/usr/bin/{name}-2"));
}

#[test]
fn symlink_to_a_dropped_file() {
    let Some(agent) = agent_for("symlink_to_a_dropped_file") else { return };
    let (container, name) = (BareContainer::new(), marker("target"));
    let (alert, facts) =
        one_drop(&agent, &container, &name, &format!("ln -s /tmp/{name} /tmp/nice; /tmp/nice"));
    witness::check(&alert, &facts, container.short_id());
    assert_new(&alert);
    assert_eq!(alert.text("proc.exepath"), format!("/tmp/{name}"));
    assert_eq!((alert.text("proc.exe"), alert.text("proc.name")), ("/tmp/nice", "nice"));
}

#[test]
fn execveat_with_an_empty_path() {
    let Some(agent) = agent_for("execveat_with_an_empty_path") else { return };
    let (container, name) = (BareContainer::new(), marker("empty-path"));
    let (alert, facts) =
        one_drop(&agent, &container, &name, &format!("probe exec-at-empty-path /tmp/{name}"));
    witness::check(&alert, &facts, container.short_id());
    assert_new(&alert);
    assert_eq!(alert.text("proc.exepath"), format!("/tmp/{name}"));
}

#[test]
fn an_unlinked_file() {
    let Some(agent) = agent_for("an_unlinked_file") else { return };
    let (container, name) = (BareContainer::new(), marker("unlinked"));
    let (alert, facts) = one_drop(&agent, &container, &name, &format!("probe unlink-then-exec /tmp/{name}"));
    assert!(facts.exe.ends_with(" (deleted)"), "the file was not unlinked: {facts:?}");
    witness::check(&alert, &facts, container.short_id());
    assert_new(&alert);
    assert_eq!(alert.text("proc.exepath"), format!("/tmp/{name}"));
}

/// The executing thread takes over the leader's id: parent and start are those of the process, not of the thread.
#[test]
fn from_a_thread_that_is_not_the_leader() {
    let Some(agent) = agent_for("from_a_thread_that_is_not_the_leader") else { return };
    let (container, name) = (BareContainer::new(), marker("thread"));
    let (alert, facts) = one_drop(&agent, &container, &name, &format!("probe thread-exec /tmp/{name}"));
    witness::check(&alert, &facts, container.short_id());
    assert_new(&alert);
    assert_eq!(alert.text("proc.pname"), "sh");
}

/// As many ancestors as a record carries are all there, and one more is visibly not.
#[test]
fn at_the_end_of_a_deep_tree() {
    let Some(agent) = agent_for("at_the_end_of_a_deep_tree") else { return };
    let container = BareContainer::new();
    let drop_at = |depth: usize| {
        let name = marker("tree");
        let (alert, facts) = one_drop(&agent, &container, &name, &format!("probe deep {depth} /tmp/{name}"));
        assert_eq!(facts.ancestors[0], format!("deep-{}", depth - 1));
        (alert, facts)
    };
    // What the host and the container put above the tree.
    let above = drop_at(2).1.ancestors.len() - 2;
    assert!(above < ANCESTORS - 3, "the tests themselves run too deep: {above} ancestors");
    let (alert, facts) = drop_at(ANCESTORS - above);
    assert_eq!(facts.ancestors.len(), ANCESTORS);
    witness::check(&alert, &facts, container.short_id());
    assert_new(&alert);
    assert_eq!(alert.text("proc.sname"), "sh");
    let (alert, facts) = drop_at(ANCESTORS - above + 1);
    assert_eq!(facts.ancestors.len(), ANCESTORS + 1);
    witness::check(&alert, &facts, container.short_id());
    assert_eq!(alert.text("drop.truncated"), "ancestors", "in {alert}");
}

/// Far deeper than a record carries: what is near is right.
#[test]
fn deeper_than_ancestors_are_recorded() {
    let Some(agent) = agent_for("deeper_than_ancestors_are_recorded") else { return };
    let (container, name) = (BareContainer::new(), marker("abyss"));
    let (alert, facts) = one_drop(&agent, &container, &name, &format!("probe deep 100 /tmp/{name}"));
    // The session's leader is beyond the cut.
    let facts = Facts { session_name: Some(alert.text("proc.sname").to_owned()), ..facts };
    witness::check(&alert, &facts, container.short_id());
    assert_new(&alert);
    assert_eq!((alert.text("proc.pname"), alert.text("proc.aname[2]")), ("deep-99", "deep-98"));
}

/// The dropped file is the container's first process itself.
#[test]
fn as_the_first_process() {
    let Some(agent) = agent_for("as_the_first_process") else { return };
    let (container, name) = (BareContainer::new(), marker("first"));
    let _ = container.sh(&format!("cp /bin/probe /tmp/{name}")).ok();
    let facts = Facts::parse(&container.run(&[&format!("/tmp/{name}")]).ok());
    let alert = agent.expect_one(&name);
    witness::check(&alert, &facts, container.short_id());
    assert_new(&alert);
    assert_eq!(alert.text("proc.pname"), "bare-init");
}

#[test]
fn a_setuid_file_run_by_a_user_is_roots() {
    let Some(agent) = agent_for("a_setuid_file_run_by_a_user_is_roots") else { return };
    let (container, name) = (BareContainer::new(), marker("setuid"));
    let script = format!("chmod 4755 /tmp/{name}; probe setuid-exec /tmp/{name}");
    let (alert, facts) = one_drop(&agent, &container, &name, &script);
    assert_eq!((facts.uid, facts.euid), (1000, 0), "{facts:?}");
    witness::check(&alert, &facts, container.short_id());
    assert_new(&alert);
    assert_eq!((alert.integer("user.uid"), alert.text("user.name")), (0, "root"));
}

/// A user may run root's file but not write it.
#[test]
fn a_users_process_cannot_write_roots_file() {
    let Some(agent) = agent_for("a_users_process_cannot_write_roots_file") else { return };
    let (container, name) = (BareContainer::new(), marker("user"));
    let script = format!("chmod 755 /tmp/{name}; probe setuid-exec /tmp/{name}");
    let (alert, facts) = one_drop(&agent, &container, &name, &script);
    witness::check(&alert, &facts, container.short_id());
    assert_eq!(alert.text("evt.arg.flags"), "EXE_UPPER_LAYER", "in {alert}");
    assert_eq!(alert.integer("user.uid"), 1000);
    // The container's own list of users, or openly unknown; never a wrong name.
    assert!(["carol", "<NA>"].contains(&alert.text("user.name")), "in {alert}");
}

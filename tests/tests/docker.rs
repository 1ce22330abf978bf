//! Real Docker: the id is the engine's, and what the engine itself does stays quiet.

use detector_tests::docker::Container;
use detector_tests::image_tree::TOOL;
use detector_tests::{Alert, Docker, Facts, agent_for, helper_binaries, marker, witness};

/// A container that waits to be used.
fn waiting(docker: &Docker) -> Container<'_> {
    docker.start_container(&["/bin/sleep", "1000"])
}

/// Of a process that `docker exec` starts, runc is the parent until it ends and the shim takes over. That may come
/// between the exec and the look of the witness: then the alert, which is earlier, says runc, and is right.
fn before_runc_ended(facts: Facts, alert: &Alert) -> Facts {
    let names = [alert.field("proc.pname"), alert.field("proc.aname[2]")];
    let Some(index) = names.iter().position(|name| *name == "runc") else { return facts };
    let mut ancestors = facts.ancestors.clone();
    if ancestors[index] == "containerd-shim" {
        ancestors.insert(index, "runc".to_owned());
    }
    Facts { ancestors, ..facts }
}

#[test]
fn a_drop_in_docker_run() {
    let Some(docker) = Docker::for_case("a_drop_in_docker_run") else { return };
    let Some(agent) = agent_for("a_drop_in_docker_run") else { return };
    let name = marker("run");
    let script = format!("cp /bin/probe /tmp/{name}; cd /tmp; ./{name} one; exit 0");
    let container = docker.start_container(&["/bin/sh", "-c", &script]);
    let facts = Facts::parse(&container.output());
    let alert = agent.expect_one(&name);
    witness::check(&alert, &facts, &container.inspect("{{.Id}}")[..12]);
    assert_eq!(alert.text("container.id"), container.short_id());
    assert_eq!(alert.text("drop.origin"), "new", "in {alert}");
    assert_eq!(alert.text("evt.arg.flags"), "EXE_WRITABLE|EXE_UPPER_LAYER", "in {alert}");
    assert_eq!(
        (alert.text("proc.pname"), alert.text("proc.aname[2]")),
        ("sh", "containerd-shim"),
        "in {alert}"
    );
}

#[test]
fn a_drop_in_docker_exec() {
    let Some(docker) = Docker::for_case("a_drop_in_docker_exec") else { return };
    let Some(agent) = agent_for("a_drop_in_docker_exec") else { return };
    let (container, name) = (waiting(&docker), marker("exec"));
    let script = format!("cp /bin/probe /tmp/{name}; /tmp/{name}; exit 0");
    let facts = Facts::parse(&container.exec(&["/bin/sh", "-c", &script]).ok());
    let alert = agent.expect_one(&name);
    witness::check(&alert, &before_runc_ended(facts, &alert), container.short_id());
    assert_eq!(alert.text("drop.origin"), "new", "in {alert}");
}

#[test]
fn a_binary_by_docker_cp() {
    let Some(docker) = Docker::for_case("a_binary_by_docker_cp") else { return };
    let Some(agent) = agent_for("a_binary_by_docker_cp") else { return };
    let (container, name) = (waiting(&docker), marker("cp"));
    let path = format!("/usr/bin/{name}");
    container.copy_in(&helper_binaries::path("probe"), &path);
    let facts = Facts::parse(&container.exec(&[&path]).ok());
    let alert = agent.expect_one(&name);
    witness::check(&alert, &before_runc_ended(facts, &alert), container.short_id());
    assert_eq!((alert.text("proc.exepath"), alert.text("drop.origin")), (path.as_str(), "new"), "in {alert}");
}

#[test]
fn a_file_of_the_image_stays_quiet() {
    let Some(docker) = Docker::for_case("a_file_of_the_image_stays_quiet") else { return };
    let Some(agent) = agent_for("a_file_of_the_image_stays_quiet") else { return };
    let name = marker("docker-image");
    let container = docker.start_container(&[TOOL, &name]);
    assert_eq!(Facts::parse(&container.output()).arguments_lossy(), [TOOL, name.as_str()]);
    let container = waiting(&docker);
    let facts = Facts::parse(&container.exec(&[TOOL, &name]).ok());
    assert_eq!(facts.exe, TOOL);
    agent.expect_quiet(&name);
}

#[test]
fn two_containers_are_told_apart() {
    let Some(docker) = Docker::for_case("two_containers_are_told_apart") else { return };
    let Some(agent) = agent_for("two_containers_are_told_apart") else { return };
    let (one, other) = (waiting(&docker), waiting(&docker));
    for container in [&one, &other] {
        let name = marker("apart");
        let script = format!("cp /bin/probe /tmp/{name}; /tmp/{name}; exit 0");
        let facts = Facts::parse(&container.exec(&["/bin/sh", "-c", &script]).ok());
        let alert = agent.expect_one(&name);
        witness::check(&alert, &before_runc_ended(facts, &alert), container.short_id());
    }
    assert_ne!(one.short_id(), other.short_id());
}

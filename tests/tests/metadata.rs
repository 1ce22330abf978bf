//! Who the container is: for each engine a file is dropped and run by the very first command of a container that is
//! gone at once, and the alert knows all that the engine keeps of it.

use detector_tests::{
    Agent, Alert, Containerd, Docker, Lxc, Nspawn, Podman, Runc, agent_for, containerd, engine, marker,
    podman,
};
use nix::sys::signal::Signal;

detector_tests::same_on_every_kernel!("it is about what engines keep on disk and answer");

/// A script that drops the file `name` and runs it.
fn drop_and_run(name: &str) -> String {
    format!("cp /bin/probe /tmp/{name}; /tmp/{name}; exit 0")
}

/// The one alert about `name`, checked for the container's name and image.
fn known(agent: &Agent, name: &str, container: &str, image: (&str, &str)) -> Alert {
    let alert = agent.expect_one(name);
    assert_eq!(alert.text("container.name"), container, "in {alert}");
    let found = (alert.text("container.image.repository"), alert.text("container.image.tag"));
    assert_eq!(found, image, "in {alert}");
    alert
}

fn repository_and_tag(image: &str) -> (&str, &str) {
    image.rsplit_once(':').expect("a tag")
}

#[test]
fn docker_without_its_socket() {
    // The agent looks for sockets where they usually are; this daemon's is elsewhere. What it knows comes from disk.
    let Some(docker) = Docker::for_case("docker_without_its_socket") else { return };
    let Some(agent) = agent_for("docker_without_its_socket") else { return };
    let name = marker("docker");
    let container = docker.start_container(&["/bin/sh", "-c", &drop_and_run(&name)]);
    let _ = container.output();
    let engines_name = container.inspect("{{.Name}}");
    let alert = known(
        &agent,
        &name,
        engines_name.trim_start_matches('/'),
        repository_and_tag(detector_tests::docker::IMAGE),
    );
    assert_eq!(alert.text("drop.metadata"), "complete", "in {alert}");
    assert_eq!((alert.text("container.id"), alert.text("user.name")), (container.short_id(), "root"));
}

#[test]
fn a_process_of_docker_that_hid_in_another_cgroup() {
    let Some(docker) = Docker::for_case("a_process_of_docker_that_hid_in_another_cgroup") else { return };
    // An agent that has seen nothing of this container before.
    if !detector_tests::case::has_root("a_process_of_docker_that_hid_in_another_cgroup") {
        return;
    }
    let agent = Agent::start();
    let name = marker("hid");
    let wait = "while [ ! -e /tmp/go ]; do sleep 0.01; done";
    let container = docker.start_container(&["/bin/sh", "-c", &format!("{wait}; {}", drop_and_run(&name))]);
    let pid = container.inspect("{{.State.Pid}}").parse().expect("a process id");
    engine::hide_in_root_cgroup(pid);
    let _ = container.exec(&["/bin/touch", "/tmp/go"]).ok();
    let _ = container.output();
    let engines_name = container.inspect("{{.Name}}");
    let alert = known(
        &agent,
        &name,
        engines_name.trim_start_matches('/'),
        repository_and_tag(detector_tests::docker::IMAGE),
    );
    assert_eq!(alert.text("container.id"), container.short_id(), "in {alert}");
    agent.stop();
}

/// A container of Docker drops and runs a file while its daemon is not there; the agent is started after that.
fn docker_without_its_daemon(case: &str, signal: Signal) {
    let Some(docker) = Docker::alone_for_case(case) else { return };
    let name = marker("nodaemon");
    let wait = "while [ ! -e /tmp/go ]; do sleep 0.01; done";
    let container = docker.start_container(&["/bin/sh", "-c", &format!("{wait}; {}", drop_and_run(&name))]);
    let pid = container.inspect("{{.State.Pid}}");
    let engines_name = container.inspect("{{.Name}}");
    let stopped = docker.stop_daemon(signal);
    let agent = Agent::start();
    std::fs::write(format!("/proc/{pid}/root/tmp/go"), "").expect("the container goes on");
    let alert = known(
        &agent,
        &name,
        engines_name.trim_start_matches('/'),
        repository_and_tag(detector_tests::docker::IMAGE),
    );
    assert_eq!(alert.text("drop.metadata"), "complete", "in {alert}");
    assert_eq!(alert.text("container.id"), container.short_id(), "in {alert}");
    drop(stopped);
    agent.stop();
}

/// A container is started before or after the agent, and when the agent says that it knows it, the daemon is killed and
/// its files are gone: what the alert tells was known ahead.
fn docker_known_ahead(case: &str, agent_first: bool) {
    let Some(docker) = Docker::alone_for_case(case) else { return };
    let name = marker("ahead");
    let wait = "while [ ! -e /tmp/go ]; do sleep 0.01; done";
    let run = docker.run_folder();
    let before = agent_first.then(|| Agent::start_with_run(&run));
    let container = docker.start_container(&["/bin/sh", "-c", &format!("{wait}; {}", drop_and_run(&name))]);
    let agent = before.unwrap_or_else(|| Agent::start_with_run(&run));
    let pid = container.inspect("{{.State.Pid}}");
    let engines_name = container.inspect("{{.Name}}");
    agent.expect_log(&format!("container {} is known ahead of its events: complete", container.id()));
    let stopped = docker.stop_daemon(Signal::SIGKILL);
    let hidden = docker.hide_files(container.id());
    std::fs::write(format!("/proc/{pid}/root/tmp/go"), "").expect("the container goes on");
    let alert = known(
        &agent,
        &name,
        engines_name.trim_start_matches('/'),
        repository_and_tag(detector_tests::docker::IMAGE),
    );
    assert_eq!(alert.text("drop.metadata"), "complete", "in {alert}");
    drop(hidden);
    drop(stopped);
    agent.stop();
}

#[test]
fn a_container_that_ran_before_the_agent() {
    docker_known_ahead("a_container_that_ran_before_the_agent", false);
}

#[test]
fn a_container_of_which_its_engine_told() {
    docker_known_ahead("a_container_of_which_its_engine_told", true);
}

#[test]
fn docker_whose_daemon_was_stopped() {
    docker_without_its_daemon("docker_whose_daemon_was_stopped", Signal::SIGTERM);
}

#[test]
fn docker_whose_daemon_was_killed() {
    docker_without_its_daemon("docker_whose_daemon_was_killed", Signal::SIGKILL);
}

#[test]
fn podman_as_root() {
    let Some(podman) = Podman::for_case("podman_as_root", false) else { return };
    let Some(agent) = agent_for("podman_as_root") else { return };
    let name = marker("podman");
    let _ = podman.run(&format!("c-{name}"), &drop_and_run(&name)).ok();
    let alert = known(&agent, &name, &format!("c-{name}"), repository_and_tag(podman::IMAGE));
    // Its files do not have these, and its service does not run.
    assert_eq!(alert.text("drop.metadata"), "partial:source:labels,ip", "in {alert}");
}

#[test]
fn podman_with_its_service() {
    let Some(podman) = Podman::for_case("podman_with_its_service", false) else { return };
    let _service = podman.service();
    let agent = Agent::start_with_run(&podman.run_folder());
    let name = marker("podsrv");
    // A second more than nothing: what this asks its service for is gone with the container (`--rm`).
    let script = format!("{}; sleep 1", drop_and_run(&name).replace("exit 0", "true"));
    let _ = podman.run(&format!("c-{name}"), &script).ok();
    let alert = known(&agent, &name, &format!("c-{name}"), repository_and_tag(podman::IMAGE));
    assert_eq!(alert.text("drop.metadata"), "complete", "in {alert}");
    // The service told of it, too.
    agent.expect_log(&format!("container {}", alert.text("container.id")));
    agent.expect_log("is known ahead of its events");
    agent.stop();
}

#[test]
fn podman_without_root() {
    // No cgroup at all tells whose the process is.
    let Some(podman) = Podman::for_case("podman_without_root", true) else { return };
    let (agent, _rules) =
        Agent::start_showing(" inner_uid=%drop.inner_uid kernels_uid=%user.uid type=%container.type");
    let name = marker("rootless");
    let _ = podman.run(&format!("c-{name}"), &drop_and_run(&name)).ok();
    let alert = known(&agent, &name, &format!("c-{name}"), repository_and_tag(podman::IMAGE));
    assert_eq!(alert.text("container.id").len(), 12, "in {alert}");
    assert_eq!(alert.text("user.name"), "root", "the user inside, in {alert}");
    let ids = (alert.integer("drop.inner_uid"), alert.integer("user.uid"));
    assert_eq!(ids, (0, i128::from(podman::NOBODY)), "inside and for the kernel, in {alert}");
    assert_eq!(alert.text("container.type"), "podman", "in {alert}");
    // The disk has all but these, and this user runs no service.
    assert_eq!(alert.text("drop.metadata"), "partial:source:labels,ip", "in {alert}");
    agent.stop();
}

#[test]
fn podman_without_root_with_its_service() {
    let Some(podman) = Podman::for_case("podman_without_root_with_its_service", true) else { return };
    let _service = podman.service();
    // Only who may write to the user's socket can ask, and by default the agent gives that right up.
    let keep = ["privileges.keep_capabilities[]=CAP_DAC_OVERRIDE"];
    let agent = Agent::start_with_run_and(&podman.run_folder(), &keep);
    let name = marker("usrsrv");
    // A second more than nothing: what this asks the service for is gone with the container (`--rm`).
    let script = format!("{}; sleep 1", drop_and_run(&name).replace("exit 0", "true"));
    let _ = podman.run(&format!("c-{name}"), &script).ok();
    let alert = known(&agent, &name, &format!("c-{name}"), repository_and_tag(podman::IMAGE));
    assert_eq!(alert.text("drop.metadata"), "complete", "in {alert}");
    // The user's service told of it, and is believed as the container is that user's.
    agent.expect_log("is known ahead of its events: complete");
    agent.stop();
}

#[test]
fn containerd_without_kubernetes() {
    let Some(containerd) = Containerd::for_case("containerd_without_kubernetes") else { return };
    let Some(agent) = agent_for("containerd_without_kubernetes") else { return };
    let name = marker("ctr");
    let _ = containerd.run(&format!("c-{name}"), &drop_and_run(&name)).ok();
    let id: String = format!("c-{name}").chars().take(12).collect();
    let alert = known(&agent, &name, &id, repository_and_tag(containerd::IMAGE));
    assert_eq!(alert.text("container.id"), id, "in {alert}");
    assert_eq!(alert.text("drop.metadata"), "complete", "in {alert}");
}

#[test]
fn a_container_of_which_containerd_told() {
    let Some(containerd) = Containerd::for_case("a_container_of_which_containerd_told") else { return };
    let agent = Agent::start_with_run(&containerd.run_folder());
    let name = marker("told");
    let _ = containerd.run(&format!("c-{name}"), &format!("sleep 1; {}", drop_and_run(&name))).ok();
    agent.expect_log(&format!("container c-{name} is known ahead of its events: complete"));
    let pod_name = marker("cri-told");
    let script = drop_and_run(&pod_name);
    let pod = containerd.run_pod(&format!("pod-{pod_name}"), "shop", "web", &["/bin/sh", "-c", &script]);
    agent.expect_log(&format!("container {} is known ahead of its events", pod.container()));
    for name in [&name, &pod_name] {
        assert_eq!(agent.expect_one(name).text("drop.metadata"), "complete");
    }
    agent.stop();
}

#[test]
fn kubernetes() {
    let Some(containerd) = Containerd::for_case("kubernetes") else { return };
    let Some(agent) = agent_for("kubernetes") else { return };
    let name = marker("cri");
    let pod =
        containerd.run_pod(&format!("pod-{name}"), "shop", "web", &["/bin/sh", "-c", &drop_and_run(&name)]);
    let alert = known(&agent, &name, "web", repository_and_tag(containerd::IMAGE));
    let of_pod = (alert.text("k8s.pod.name"), alert.text("k8s.ns.name"));
    assert_eq!(of_pod, (format!("pod-{name}").as_str(), "shop"), "in {alert}");
    assert_eq!(alert.text("container.id"), &pod.container()[..12], "in {alert}");
    assert_eq!(alert.text("drop.metadata"), "complete", "in {alert}");
}

#[test]
fn runc_alone() {
    let Some(runc) = Runc::for_case("runc_alone") else { return };
    let Some(agent) = agent_for("runc_alone") else { return };
    let name = marker("runc");
    let _ = runc.run(&format!("c-{name}"), &drop_and_run(&name)).ok();
    let alert = agent.expect_one(&name);
    assert_eq!(alert.text("container.name"), format!("c-{name}"), "in {alert}");
    assert_eq!(alert.text("drop.metadata"), "complete", "in {alert}");
}

#[test]
fn lxc() {
    let Some(lxc) = Lxc::for_case("lxc") else { return };
    let Some(agent) = agent_for("lxc") else { return };
    let name = marker("lxc");
    let _ = lxc.run(&format!("c-{name}"), &drop_and_run(&name)).ok();
    let alert = agent.expect_one(&name);
    assert_eq!(alert.text("container.id"), format!("c-{name}"), "in {alert}");
    assert_eq!(alert.text("container.name"), format!("c-{name}"), "in {alert}");
    assert_eq!(alert.text("drop.metadata"), "complete", "in {alert}");
}

#[test]
fn systemd_nspawn() {
    let Some(nspawn) = Nspawn::for_case("systemd_nspawn") else { return };
    let Some(agent) = agent_for("systemd_nspawn") else { return };
    let name = marker("nspawn");
    // It mounts a tmpfs of its own at /tmp.
    let script = drop_and_run(&name).replace("/tmp/", "/root/");
    let _ = nspawn.run(&format!("c-{name}"), &script).ok();
    let alert = agent.expect_one(&name);
    // No cgroup names it; the process that looks after it does.
    assert_eq!(alert.text("container.id"), format!("c-{name}"), "in {alert}");
    assert_eq!(alert.text("container.name"), format!("c-{name}"), "in {alert}");
    assert_eq!(alert.text("drop.metadata"), "complete", "in {alert}");
}

#[test]
fn what_the_processes_above_were_called_with() {
    let Some(docker) = Docker::for_case("what_the_processes_above_were_called_with") else { return };
    let (agent, _rules) = Agent::start_showing(
        " parent=%proc.pcmdline exe=%proc.aexe[1] all=%proc.aexe var=%proc.aenv[HOSTNAME]",
    );
    let name = marker("above");
    // The parent stays: what of one that ends at once can be read is luck.
    let script = format!("cp /bin/probe /tmp/{name}; /tmp/{name} exit; sleep 1000; exit 0");
    let container = docker.start_container(&["/bin/sh", "-c", &script]);
    let alert = agent.expect_one(&name);
    assert_eq!(alert.text("proc.pcmdline"), format!("sh -c {script}"), "in {alert}");
    assert_eq!(alert.text("proc.aexe[1]"), "/bin/sh", "in {alert}");
    assert_eq!(alert.text("proc.aenv[HOSTNAME]"), container.short_id(), "in {alert}");
    // Beyond the container's first process those of the host.
    assert!(alert.text("proc.aexe").contains("containerd-shim-runc-v2"), "in {alert}");
    agent.stop();
}

#[test]
fn users_of_the_container() {
    let Some(docker) = Docker::for_case("users_of_the_container") else { return };
    let Some(agent) = agent_for("users_of_the_container") else { return };
    let name = marker("user");
    let script = format!("cp /bin/probe /tmp/{name}; /bin/probe setuid-exec /tmp/{name}; exit 0");
    let _ = docker.start_container(&["/bin/sh", "-c", &script]).output();
    let alert = agent.expect_one(&name);
    // carol is in the image's files and in no others.
    assert_eq!((alert.text("user.name"), alert.integer("user.uid")), ("carol", 1000), "in {alert}");
}

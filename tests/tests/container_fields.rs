//! What an alert can show of a container and its pod, item by item, held against what the engine itself says.

use detector_tests::{Agent, Alert, Containerd, Docker, containerd, docker, marker};

detector_tests::same_on_every_kernel!("it is about what engines keep and answer");

/// A field as the line has it, whatever its type.
fn shown(alert: &Alert, name: &str) -> String {
    let value = alert.field(name);
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[track_caller]
fn check(alert: &Alert, wanted: &[(&str, &str)]) {
    for (name, value) in wanted {
        assert_eq!(shown(alert, name), *value, "{name} in {alert}");
    }
}

#[test]
fn of_docker() {
    let Some(docker) = Docker::alone_for_case("of_docker") else { return };
    let (agent, _rules) = Agent::start_showing(
        " id=%container.full_id type=%container.type image=%container.image image_id=%container.image.id \
         privileged=%container.privileged host_pid=%container.host_pid host_network=%container.host_network \
         label=%container.label[app] labels=%container.labels mounts=%container.mounts \
         source=%container.mount.source[/data] rw=%container.mount.rdwr[/srv] \
         start=%container.start_ts for=%container.duration",
    );
    let name = marker("fields");
    let options =
        ["--label=app=shop", "--label=tier=front", "--volume=/srv:/data:ro", "--name=fields-of-docker"];
    let script = format!("cp /bin/probe /tmp/{name}; /tmp/{name}; exit 0");
    let container = docker.start_image_with(&options, docker::IMAGE, &["/bin/sh", "-c", &script]);
    let _ = container.output();
    let alert = agent.expect_one(&name);
    let image_id = container.inspect("{{.Image}}");
    let (repository, tag) = docker::IMAGE.rsplit_once(':').expect("a tag");
    check(
        &alert,
        &[
            ("container.id", container.short_id()),
            ("container.full_id", container.id()),
            ("container.type", "docker"),
            ("container.name", "fields-of-docker"),
            ("container.image", docker::IMAGE),
            ("container.image.repository", repository),
            ("container.image.tag", tag),
            ("container.privileged", "false"),
            ("container.host_pid", "false"),
            ("container.host_network", "false"),
            ("container.label[app]", "shop"),
            ("container.mount.source[/data]", "/srv"),
            ("container.mount.rdwr[/srv]", "false"),
            ("drop.metadata", "complete"),
        ],
    );
    let id = shown(&alert, "container.image.id");
    assert!(
        !id.is_empty() && image_id.trim_start_matches("sha256:").starts_with(&id),
        "{image_id} in {alert}"
    );
    for (name, part) in [("container.labels", "tier:front"), ("container.mounts", "/srv:/data:ro:false")] {
        assert!(shown(&alert, name).contains(part), "{name} in {alert}");
    }
    assert!(alert.integer("container.duration") > 0, "in {alert}");
    agent.stop();
}

#[test]
fn of_a_pod() {
    let Some(containerd) = Containerd::for_case("of_a_pod") else { return };
    let (agent, _rules) = Agent::start_showing(
        " id=%container.full_id type=%container.type image=%container.image digest=%container.image.digest \
         uid=%k8s.pod.uid sandbox=%k8s.pod.full_sandbox_id short=%k8s.pod.sandbox_id label=%k8s.pod.label[app] \
         labels=%k8s.pod.labels own=%container.label[io.kubernetes.container.name]",
    );
    let name = marker("podfld");
    let script = format!("cp /bin/probe /tmp/{name}; /tmp/{name}; exit 0");
    let pod = containerd.run_pod(&format!("pod-{name}"), "shop", "web", &["/bin/sh", "-c", &script]);
    let alert = agent.expect_one(&name);
    let (pod_name, uid) = (format!("pod-{name}"), format!("uid-pod-{name}"));
    check(
        &alert,
        &[
            ("container.full_id", pod.container()),
            ("container.type", "containerd"),
            ("container.name", "web"),
            ("container.image", containerd::IMAGE),
            ("container.label[io.kubernetes.container.name]", "web"),
            ("k8s.pod.name", &pod_name),
            ("k8s.ns.name", "shop"),
            ("k8s.pod.uid", &uid),
            ("k8s.pod.full_sandbox_id", pod.sandbox()),
            ("k8s.pod.sandbox_id", &pod.sandbox()[..12]),
            ("k8s.pod.label[app]", "shop"),
            ("drop.metadata", "complete"),
        ],
    );
    // An image that never was in a registry has none, which is known.
    assert_eq!(shown(&alert, "container.image.digest"), "", "in {alert}");
    assert!(shown(&alert, "k8s.pod.labels").contains("app:shop"), "in {alert}");
    agent.stop();
}

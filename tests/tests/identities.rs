//! Whose a process is where ids and cgroups have several layers: user namespaces over mounts that translate ids,
//! containers in containers, groups below a container's own.

use detector_tests::not_run::{Reason, not_run};
use detector_tests::{Agent, BareContainer, Docker, Runc, agent_for, docker, marker, runc};

detector_tests::oldest_and_newest_kernel!("it is about ids and paths of cgroups");

#[test]
fn ids_of_a_user_namespace_on_mounts_that_translate_them() {
    let case = "ids_of_a_user_namespace_on_mounts_that_translate_them";
    let Some(runc) = Runc::for_case(case) else { return };
    let (agent, _rules) =
        Agent::start_showing(" inner_uid=%drop.inner_uid inner_gid=%drop.inner_gid kernels_uid=%user.uid");
    let (root, carol) = (marker("mapped"), marker("carol"));
    let script = format!(
        "cp /bin/probe /tmp/{root}; cp /bin/probe /tmp/{carol}; /tmp/{root}; /bin/probe setuid-exec /tmp/{carol}; exit 0"
    );
    let Some(finished) = runc.run_mapped(&format!("c-{root}"), &script) else {
        not_run(case, Reason::Unobtainable, "no mount_setattr(2): the kernel is older than 5.12");
        return;
    };
    let _ = finished.ok();
    let first = i128::from(runc::FIRST_ID);
    for (name, inner, user) in [(&root, 0, "root"), (&carol, 1000, "carol")] {
        let alert = agent.expect_one(name);
        // The kernel's id, the id inside, and the name that the container's own file has for it.
        assert_eq!(alert.integer("user.uid"), first + inner, "in {alert}");
        assert_eq!(alert.integer("drop.inner_uid"), inner, "in {alert}");
        assert_eq!(alert.text("user.name"), user, "in {alert}");
        assert_eq!(alert.text("container.name"), format!("c-{root}"), "in {alert}");
        assert_eq!(alert.text("drop.metadata"), "complete", "in {alert}");
    }
    agent.stop();
}

#[test]
fn the_innermost_container_counts_and_groups_below_it_belong_to_it() {
    let case = "the_innermost_container_counts_and_groups_below_it_belong_to_it";
    let Some(agent) = agent_for(case) else { return };
    let outer = "0f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff0";
    for (path, kind) in [
        // systemd in a container.
        ("docker/ID/init.scope".to_owned(), "docker"),
        ("docker/ID/system.slice/web.service".to_owned(), "docker"),
        // Docker in Docker.
        (format!("docker/{outer}/docker/ID"), "docker"),
        // A node of kind: a kubelet in a container.
        (format!("docker/{outer}/kubelet/kubepods/besteffort/pod7/ID"), "containerd"),
        (
            format!(
                "docker/{outer}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod7.slice/cri-containerd-ID.scope"
            ),
            "containerd",
        ),
        (format!("docker/{outer}/kubepods.slice/kubepods-pod7.slice/crio-ID.scope/container"), "cri-o"),
    ] {
        let container = BareContainer::new().in_cgroup(&path);
        let name = marker("nested");
        let _ = container.sh(&format!("cp /bin/probe /tmp/{name}; /tmp/{name} exit")).ok();
        let alert = agent.expect_one(&name);
        assert_eq!(alert.text("container.id"), container.short_id(), "{path}, in {alert}");
        let found = alert.text("drop.metadata");
        assert_eq!(found, "partial:not_found", "{path} ({kind}): no engine made it, in {alert}");
    }
}

/// A container of Docker in which another Docker runs, made of the host's programs, with a container of its own.
#[test]
fn docker_in_docker() {
    let Some(docker) = Docker::alone_for_case("docker_in_docker") else { return };
    let (agent, _rules) = Agent::start_showing(" type=%container.type");
    let name = marker("dind");
    let inner = tempfile::Builder::new().prefix("di-").tempdir_in("/tmp").expect("a folder");
    let script = format!(
        "set -e
        ln -s usr/lib /lib; ln -s usr/lib64 /lib64; mkdir -p /var/run
        export PATH=/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin:/bin DOCKER_HOST=unix:///run/d.sock
        dockerd --data-root /inner/root --exec-root /run/x -H $DOCKER_HOST -p /run/d.pid --iptables=false \
            --bridge=none >/inner/log 2>&1 &
        tries=0
        until docker version >/dev/null 2>&1; do tries=$((tries + 1)); [ $tries -lt 600 ]; sleep 0.1; done
        docker import /image.tar inner:1
        docker run --name inner --network=none inner:1 /bin/sh -c \
            'cp /bin/probe /tmp/{name}; /tmp/{name} exit; exit 0'
        docker inspect --format {{{{.Id}}}} inner >/inner/id"
    );
    let volume = |from: &std::path::Path, to: &str| format!("--volume={}:{to}", from.display());
    let (data, archive) = (volume(inner.path(), "/inner"), volume(&docker.image_archive(), "/image.tar:ro"));
    let options = [
        // All that `--privileged` means, but for a capability that root does not have everywhere.
        "--cap-add=ALL",
        "--cap-drop=SYS_RESOURCE",
        "--security-opt=seccomp=unconfined",
        "--security-opt=apparmor=unconfined",
        "--security-opt=systempaths=unconfined",
        "--volume=/sys/fs/cgroup:/sys/fs/cgroup",
        "--volume=/usr:/usr:ro",
        "--tmpfs=/run",
        &data,
        &archive,
    ];
    let outer = docker.start_image_with(&options, docker::IMAGE, &["/bin/sh", "-c", &script]);
    let _ = outer.output();
    let id = std::fs::read_to_string(inner.path().join("id")).expect("the inner container's id");
    let alert = agent.expect_one(&name);
    assert_eq!(alert.text("container.id"), &id[..12], "in {alert}");
    assert_eq!(alert.text("container.type"), "docker", "in {alert}");
    // What a daemon says that is a container's own is not believed, nor where its files are.
    assert_eq!(alert.text("drop.metadata"), "partial:not_found", "in {alert}");
    agent.stop();
}

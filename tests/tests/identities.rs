//! Whose a process is where ids and cgroups have several layers: user namespaces over mounts that translate ids,
//! containers in containers, groups below a container's own.

use detector_tests::{Agent, BareContainer, Runc, agent_for, marker, runc};

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
    let _ = runc.run_mapped(&format!("c-{root}"), &script).ok();
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

//! Lookups on a disk made for the test: which files lead to which container.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::json;

use super::{Disk, DiskPlaces, Trouble};
use crate::{
    enrich::{
        container_id::Identifier,
        disk::Found,
        sample::{ancestor, container},
        subject::Subject,
    },
    event::{ContainerId, ExecEvent, MetadataState, MissingReason, Runtime},
};

const ID: &str = "3b2c1d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff001";
const OTHER: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff0";

struct World {
    folder: tempfile::TempDir,
    disk: Disk,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(DiskPlaces::below(folder.path()), Arc::default());
        Self { folder, disk }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A process of the host that looks after containers, as number 40.
    fn monitor(&self, cmdline: &str, cwd: &Path) {
        let fields: Vec<String> = (4..22).map(|number| number.to_string()).collect();
        self.write("proc/40/stat", &format!("40 (m) S {} 100 0", fields.join(" ")));
        self.write("proc/40/status", "NSpid:\t40\n");
        self.write("proc/40/cmdline", &(cmdline.replace(' ', "\0") + "\0"));
        symlink(cwd, self.path("proc/40/cwd")).unwrap();
    }

    fn docker(&self, root: &str) {
        let config = json!({"ID": ID, "Name": "/web", "Config": {"Image": "x/bb:1.2"}, "Image": "sha256:aa"});
        self.write(&format!("{root}/containers/{ID}/config.v2.json"), &config.to_string());
        self.write(&format!("{root}/containers/{ID}/hostconfig.json"), r#"{"NetworkMode": "none"}"#);
        let list = json!({"Repositories": {"x/bb": {"x/bb:1.2": "sha256:aa"}}});
        self.write(&format!("{root}/image/overlay2/repositories.json"), &list.to_string());
    }

    fn look_up(&self, event: &ExecEvent) -> Found {
        let judgement = Identifier::default().judge(event);
        self.disk.look_up(&Subject::of(event), &judgement)
    }
}

/// A process (71 is its container's first) below the monitor 40.
fn event(path: &str, monitor: &str) -> ExecEvent {
    let mut event = container(7, path);
    event.ancestors = vec![ancestor(71, "sh"), ancestor(40, monitor)];
    event
}

#[test]
fn docker_in_its_usual_place() {
    let world = World::new();
    world.docker("var/lib/docker");
    let found = world.look_up(&container(7, &format!("/docker/{ID}")));
    assert_eq!(found.id, ContainerId::named(ID, Runtime::Docker));
    assert_eq!(found.state(), MetadataState::Complete);
    let facts = found.facts.unwrap();
    assert_eq!((facts.name.as_deref(), facts.image_tag.as_deref()), (Some("web"), Some("1.2")));
}

#[test]
fn docker_anywhere_is_found_by_its_shim_and_remembered() {
    let world = World::new();
    world.docker("data/docker");
    let bundle = world.path(&format!("run/x/moby/{ID}"));
    let rootfs = world.path("data/docker/overlay2/abc/merged");
    world.write(&format!("run/x/moby/{ID}/config.json"), &json!({"root": {"path": rootfs}}).to_string());
    let by_name = container(7, &format!("/docker/{ID}"));
    assert_eq!(world.look_up(&by_name).facts, None, "nothing leads there yet");
    world.monitor(&format!("/usr/bin/containerd-shim-runc-v2 -namespace moby -id {ID}"), &bundle);
    let found = world.look_up(&event(&format!("/docker/{ID}"), "containerd-shim"));
    assert_eq!(found.facts.unwrap().name.as_deref(), Some("web"));
    // The next container of this daemon needs no shim.
    assert_eq!(world.look_up(&by_name).facts.unwrap().name.as_deref(), Some("web"));
}

#[test]
fn what_a_shim_says_is_looked_for_below_the_hosts_root() {
    // The agent is a container itself, and sees the host below a folder.
    let world = World::new();
    world.docker("data/docker");
    let rootfs = "/data/docker/overlay2/abc/merged";
    fs::create_dir_all(world.path(&rootfs[1..])).unwrap();
    world.write(&format!("run/x/moby/{ID}/config.json"), &json!({"root": {"path": rootfs}}).to_string());
    world.monitor(
        &format!("/usr/bin/containerd-shim-runc-v2 -namespace moby -id {ID}"),
        &Path::new("/run/x/moby").join(ID),
    );
    let found = world.look_up(&event(&format!("/docker/{ID}"), "containerd-shim"));
    assert_eq!(found.facts.unwrap().name.as_deref(), Some("web"));
    let judgement = Identifier::default().judge(&container(7, &format!("/docker/{ID}")));
    let root = world.disk.root_of(&Subject::of(&event("/", "containerd-shim")), &judgement);
    assert_eq!(root, Some(world.path(&rootfs[1..])));
}

#[test]
fn a_container_without_a_cgroup_is_named_by_its_shim() {
    let world = World::new();
    world.docker("var/lib/docker");
    let bundle = world.path(&format!("run/x/moby/{ID}"));
    world.write(&format!("run/x/moby/{ID}/init.pid"), "71");
    world.write(&format!("run/x/moby/{OTHER}/init.pid"), "72");
    world.monitor(&format!("/usr/bin/containerd-shim-runc-v2 -namespace moby -id {ID}"), &bundle);
    for path in ["/", "/innocent", "/default/web"] {
        let found = world.look_up(&event(path, "containerd-shim"));
        assert_eq!(found.id, ContainerId::named(ID, Runtime::Docker), "{path}");
        assert_eq!(found.facts.unwrap().name.as_deref(), Some("web"));
    }
}

#[test]
fn rootless_podman_is_named_by_its_conmon() {
    let world = World::new();
    let storage = world.path("home/u/storage");
    let bundle = storage.join("overlay-containers").join(ID).join("userdata");
    let pid_file = world.path("run/user/1000/pidfile");
    world.write("run/user/1000/pidfile", "71");
    let spec = json!({"annotations": {"io.container.manager": "libpod"}});
    world.write(&format!("home/u/storage/overlay-containers/{ID}/userdata/config.json"), &spec.to_string());
    let metadata = json!({"image-name": "localhost/y/bb:2", "image-id": "aa", "name": "pweb"}).to_string();
    let list = json!([{"id": ID, "names": ["pweb"], "image": "aa", "metadata": metadata}]);
    world.write("home/u/storage/overlay-containers/containers.json", &list.to_string());
    let cmdline =
        format!("/usr/bin/conmon -c {ID} -b {} -p {} -n pweb", bundle.display(), pid_file.display());
    world.monitor(&cmdline, Path::new("/"));
    let found = world.look_up(&event("/", "conmon"));
    assert_eq!(found.id, ContainerId::named(ID, Runtime::Podman));
    let facts = found.facts.clone().unwrap();
    assert_eq!((facts.name.as_deref(), facts.image_tag.as_deref()), (Some("pweb"), Some("2")));
    let state = found.state().to_string();
    assert!(state.starts_with("partial:source:") && state.contains("labels"), "{state}");
    // Another container's process below this conmon (a lie, or the number was used again) is not that container.
    world.write("run/user/1000/pidfile", "72");
    assert_eq!(world.look_up(&event("/", "conmon")).id, ContainerId::Namespace(7));
}

#[test]
fn a_container_of_a_pod_is_found_beside_the_sandbox_of_its_shim() {
    let world = World::new();
    let sandbox = world.path(&format!("run/x/k8s.io/{OTHER}"));
    world.write(&format!("run/x/k8s.io/{OTHER}/init.pid"), "60");
    world.write(&format!("run/x/k8s.io/{ID}/init.pid"), "71");
    let spec = json!({"annotations": {
        "io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.container-name": "web",
        "io.kubernetes.cri.image-name": "x/bb:1.2", "io.kubernetes.cri.sandbox-id": OTHER,
        "io.kubernetes.cri.sandbox-name": "web-1", "io.kubernetes.cri.sandbox-namespace": "shop",
    }});
    world.write(&format!("run/x/k8s.io/{ID}/config.json"), &spec.to_string());
    world.monitor(&format!("/usr/bin/containerd-shim-runc-v2 -namespace k8s.io -id {OTHER}"), &sandbox);
    let systemd = format!("/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope");
    for path in [systemd.as_str(), &format!("/kubepods/pod1/{ID}"), "/"] {
        let found = world.look_up(&event(path, "containerd-shim"));
        assert_eq!(found.id, ContainerId::named(ID, Runtime::Containerd), "{path}");
        let facts = found.facts.unwrap();
        assert_eq!(facts.name.as_deref(), Some("web"), "{path}");
        let pod = facts.pod.clone().unwrap();
        assert_eq!((pod.name.as_deref(), pod.namespace.as_deref()), (Some("web-1"), Some("shop")));
    }
}

#[test]
fn cri_o_has_all_of_it_on_disk_while_its_service_is_down() {
    let world = World::new();
    let image = "f9263c105f39c3577b434fbc8358114ccd6f389f90042788f5a9e606842fdab9";
    let labels = json!({"io.kubernetes.container.name": "web", "app": "shop"}).to_string();
    let spec = json!({
        "process": {"capabilities": {"bounding": ["CAP_CHOWN"]}},
        "root": {"path": format!("/var/lib/containers/storage/overlay/{OTHER}/merged")},
        "mounts": [{"destination": "/data", "type": "bind", "source": "/srv", "options": ["rbind", "rprivate"]}],
        "linux": {"namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "mount"}]},
        "annotations": {
            "io.container.manager": "cri-o",
            "io.kubernetes.cri-o.ContainerType": "container",
            "io.kubernetes.cri-o.ContainerID": ID,
            "io.kubernetes.cri-o.Image": "quay.io/a/b:2",
            "io.kubernetes.cri-o.ImageName": "quay.io/a/b:2",
            "io.kubernetes.cri-o.ImageRef": image,
            "io.kubernetes.cri-o.IP.0": "192.0.2.7",
            "io.kubernetes.cri-o.Labels": labels,
            "io.kubernetes.cri-o.SandboxID": OTHER,
            "io.kubernetes.cri-o.SandboxName": "k8s_POD_web-1_shop_u-1_0",
            "io.kubernetes.container.name": "web",
            "io.kubernetes.pod.name": "web-1",
            "io.kubernetes.pod.namespace": "shop",
            "io.kubernetes.pod.uid": "u-1",
        },
    });
    // Of the pod itself, where its labels are.
    let of_pod = json!({"annotations": {
        "io.kubernetes.cri-o.ContainerType": "sandbox",
        "io.kubernetes.cri-o.Labels": json!({"tier": "front"}).to_string(),
        "io.kubernetes.cri-o.SandboxID": OTHER,
    }});
    let userdata = |id: &str| format!("run/containers/storage/overlay-containers/{id}/userdata/config.json");
    world.write(&userdata(ID), &spec.to_string());
    world.write(&userdata(OTHER), &of_pod.to_string());
    let metadata =
        json!({"image-name": "quay.io/a/b:2", "image-id": image, "name": "k8s_web_web-1_shop_u-1_0"});
    let list = json!([{"id": ID, "names": ["k8s_web"], "image": image, "metadata": metadata.to_string()}]);
    world.write("var/lib/containers/storage/overlay-containers/containers.json", &list.to_string());
    let images = json!([{"id": image, "digest": "sha256:dd", "names": ["quay.io/a/b:2"]}]);
    world.write("var/lib/containers/storage/overlay-images/images.json", &images.to_string());
    // As systemd names it and as cgroupfs does; conmon ended, or is conmon-rs.
    for path in [
        format!("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podu_1.slice/crio-{ID}.scope"),
        format!("/kubepods/burstable/podu-1/crio-{ID}"),
    ] {
        let found = world.look_up(&event(&path, "conmonrs"));
        assert_eq!(found.id, ContainerId::named(ID, Runtime::CriO), "{path}");
        assert_eq!(found.state(), MetadataState::Complete, "{path}");
        let facts = found.facts.unwrap();
        assert_eq!(facts.name.as_deref(), Some("web"));
        assert_eq!(facts.image_repository.as_deref(), Some("quay.io/a/b"));
        assert_eq!((facts.image_tag.as_deref(), facts.image_id.as_deref()), (Some("2"), Some(image)));
        assert_eq!(
            (facts.image_digest.as_deref(), facts.ip.as_deref()),
            (Some("sha256:dd"), Some("192.0.2.7"))
        );
        assert_eq!((facts.privileged, facts.host_network), (Some(false), Some(false)));
        assert_eq!(facts.mounts.as_ref().unwrap()[0].to_string(), "/srv:/data::true:rprivate");
        assert_eq!(facts.labels.as_ref().unwrap()["app"], "shop");
        let pod = facts.pod.as_ref().unwrap();
        assert_eq!((pod.name.as_deref(), pod.namespace.as_deref()), (Some("web-1"), Some("shop")));
        assert_eq!((pod.uid.as_deref(), pod.sandbox_id.as_deref()), (Some("u-1"), Some(OTHER)));
        assert_eq!(pod.labels.as_ref().unwrap()["tier"], "front");
    }
}

#[test]
fn a_container_of_runc_alone_is_named_by_its_state() {
    let world = World::new();
    let bundle = world.path("b");
    let config = json!({"labels": [format!("bundle={}", bundle.display())]});
    world.write("run/runc/web/state.json", &json!({"init_process_pid": 71, "config": config}).to_string());
    world.write("b/config.json", r#"{"root": {"path": "rootfs"}}"#);
    for path in ["/web", "/", "/innocent"] {
        let found = world.look_up(&event(path, "runc"));
        assert_eq!(found.id, ContainerId::named("web", Runtime::Oci), "{path}");
        assert_eq!(found.state(), MetadataState::Complete, "{path}");
    }
}

#[test]
fn names_are_all_that_lxc_has() {
    let found = World::new().look_up(&container(7, "/lxc.payload.web"));
    assert_eq!(
        (found.id.clone(), found.state()),
        (ContainerId::named("web", Runtime::Lxc), MetadataState::Complete)
    );
    assert_eq!(found.facts.unwrap().name.as_deref(), Some("web"));
}

#[test]
fn what_nobody_knows_says_so() {
    let world = World::new();
    let found = world.look_up(&container(7, &format!("/docker/{ID}")));
    assert_eq!((found.facts.as_ref(), found.why), (None, MissingReason::NotFound));
    assert_eq!(found.state().to_string(), "partial:not_found");
    let found = world.look_up(&container(7, "/"));
    assert_eq!(found.state().to_string(), "partial:unnamed");
}

#[test]
fn damaged_files_are_named_as_the_reason() {
    let world = World::new();
    world.docker("var/lib/docker");
    world.write(&format!("var/lib/docker/containers/{ID}/config.v2.json"), "{");
    let event = container(7, &format!("/docker/{ID}"));
    assert_eq!(world.look_up(&event).state().to_string(), "partial:garbage");
    world.write(&format!("var/lib/docker/containers/{ID}/config.v2.json"), &"x".repeat(5 << 20));
    assert_eq!(world.look_up(&event).state().to_string(), "partial:too_large");
    let counted = |trouble| world.disk.troubles.of(trouble);
    assert_eq!((counted(Trouble::EngineFileGarbage), counted(Trouble::EngineFileTooLarge)), (1, 1));
}

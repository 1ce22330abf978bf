//! Cgroup paths as the runtimes make them (both drivers, versions 1 and 2, nested), and what must be read from them.

use super::{Claim, Strength, claim};
use crate::event::{Cgroup, Cgroups, Runtime};

const ID: &str = "3b2c1d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff001";
const OTHER: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff0";
const POD: &str = "8f4ad8f9_5ab2_4a8a_9ad8_3d5a3f3f2d11";

fn cgroups(paths: &[(&'static str, &str)]) -> Cgroups {
    let cgroup = |(controller, path): &(&'static str, &str)| {
        let path = path.replace("ID", ID).replace("OTHER", OTHER).replace("POD", POD);
        Cgroup { controller, complete: !path.starts_with("..."), path: path.into_bytes() }
    };
    Cgroups(paths.iter().map(cgroup).collect())
}

fn of(path: &str) -> Option<Claim> {
    claim(&cgroups(&[("", path)]))
}

#[test]
fn ids_of_all_runtimes_in_all_forms() {
    use Runtime::{Containerd, Cri, CriO, Docker, Podman};
    #[rustfmt::skip]
    let table = [
        // Docker: cgroupfs and systemd driver, --cgroup-parent with the systemd driver, rootless
        (Docker, "/docker/ID"),
        (Docker, "/system.slice/docker-ID.scope"),
        (Docker, "/custom.slice/docker-ID.scope"),
        (Docker, "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope"),
        (Docker, "/actions_job/docker/ID"),
        // sub-cgroups: systemd in the container, nested delegation, kind
        (Docker, "/docker/ID/init.scope"),
        (Docker, "/system.slice/docker-ID.scope/system.slice/nginx.service"),
        (Docker, "/docker/ID/kubelet/other"),
        // Docker in Docker, kind: the inner one
        (Docker, "/docker/OTHER/docker/ID"),
        (Cri, "/docker/OTHER/kubelet/kubepods/besteffort/podPOD/ID"),
        (Containerd, "/docker/OTHER/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podPOD.slice/cri-containerd-ID.scope"),
        // The driver said systemd and the runtime did not listen
        (Docker, "/docker/OTHER/system.slice:docker:ID"),
        // Podman: cgroupfs, systemd, rootless, payload split, sub-cgroup of crun
        (Podman, "/libpod_parent/libpod-ID"),
        (Podman, "/machine.slice/libpod-ID.scope"),
        (Podman, "/machine.slice/libpod-ID.scope/container"),
        (Podman, "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope"),
        (Podman, "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container"),
        (Podman, "/user.slice/user-1000.slice/user@1000.service/app.slice/web.service/libpod-payload-ID"),
        (Podman, "/system.slice/web.service/libpod-payload-ID"),
        (Podman, "/machine.slice/libpod-payload-ID.scope/container"),
        (Podman, "/machine.slice/machine-libpod_pod_OTHER.slice/libpod-ID.scope"),
        (Podman, "/libpod_parent/OTHER/libpod-ID"),
        // Kubernetes: cgroupfs, systemd, all classes of service, k3s, microk8s, nested form
        (Cri, "/kubepods/podPOD/ID"),
        (Cri, "/kubepods/besteffort/podPOD/ID"),
        (Cri, "/kubepods/burstable/podPOD/ID/init.scope"),
        (Cri, "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podPOD.slice/ID"),
        (Containerd, "/kubepods.slice/kubepods-podPOD.slice/cri-containerd-ID.scope"),
        (Containerd, "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podPOD.slice/cri-containerd-ID.scope/x"),
        (Containerd, "/system.slice/containerd.service/kubepods-burstable-podPOD.slice:cri-containerd:ID"),
        (Containerd, "/kubepods-besteffort-podPOD.slice:cri-containerd:ID"),
        (Containerd, "/k8s.slice/kubepods-burstable-podPOD.slice:cri-containerd:ID"),
        (CriO, "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podPOD.slice/crio-ID.scope"),
        (CriO, "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podPOD.slice/crio-ID.scope/container"),
        (CriO, "/kubepods/besteffort/podPOD/crio-ID"),
        (Docker, "/kubepods.slice/kubepods-podPOD.slice/docker-ID.scope"),
        (Containerd, "/system.slice/nerdctl-ID.scope"),
        (Containerd, "/user.slice/nerdctl-ID.scope"),
        // cut at the top: the kernel side walks from the leaf
        (Docker, ".../docker-ID.scope/a/b"),
        (Cri, ".../kubepods/podPOD/ID"),
    ];
    for (runtime, path) in table {
        let want = Claim { id: ID.to_owned(), runtime, strength: Strength::Certain };
        assert_eq!(of(path), Some(want), "{path}");
    }
}

#[test]
fn ids_alone_are_only_likely() {
    for (runtime, path) in [
        (Runtime::Docker, "/ID"),
        (Runtime::Docker, "/batch/jobs/ID"),
        (Runtime::Docker, ".../ID"),
        (Runtime::Containerd, "/default/ID"),
        (Runtime::Containerd, "/k8s.io/ID"),
    ] {
        let want = Claim { id: ID.to_owned(), runtime, strength: Strength::Likely };
        assert_eq!(of(path), Some(want), "{path}");
    }
}

#[test]
fn machines_are_known_by_name() {
    use Runtime::{Bpm, LibvirtLxc, Lxc, Nspawn, Oci};
    #[rustfmt::skip]
    let table = [
        (Lxc, Strength::Certain, "/lxc/web", "web"),
        (Lxc, Strength::Certain, "/lxc/web/system.slice/nginx.service", "web"),
        (Lxc, Strength::Certain, "/lxc.payload/web", "web"),
        (Lxc, Strength::Certain, "/lxc.payload.web", "web"),
        (Lxc, Strength::Certain, "/lxc.payload.web/init.scope", "web"),
        (Lxc, Strength::Certain, "/lxc.payload.project_with-a-long-name-1", "project_with-a-long-name-1"),
        (LibvirtLxc, Strength::Certain, "/machine/web.libvirt-lxc", "web"),
        (LibvirtLxc, Strength::Certain, r"/machine.slice/machine-lxc\x2d4711\x2dweb.scope", r"4711\x2dweb"),
        (LibvirtLxc, Strength::Certain, r"/machine.slice/machine-lxc\x2d4711\x2dweb.scope/libvirt", r"4711\x2dweb"),
        (LibvirtLxc, Strength::Certain, "/libvirt/lxc/web", "web"),
        (LibvirtLxc, Strength::Certain, "/libvirt/lxc/web/init.scope", "web"),
        (Bpm, Strength::Certain, "/system.slice/bpm-gorouter.web_1-x.scope", "gorouter.web_1-x"),
        (Nspawn, Strength::Likely, r"/machine.slice/machine-web\x2d1.scope/payload", "web-1"),
        (Nspawn, Strength::Likely, "/machine.slice/machine-web.scope", "web"),
        (Nspawn, Strength::Likely, "/machine.slice/systemd-nspawn@web.service/payload/init.scope", "web"),
        (Nspawn, Strength::Likely, r"/machine.slice/systemd-nspawn@my\x2dweb.service", "my-web"),
        (Oci, Strength::Likely, "/system.slice/runc-web.scope", "web"),
        (Oci, Strength::Likely, "/user.slice/user-1000.slice/user@1000.service/user.slice/crun-web.scope", "web"),
        (Runtime::Containerd, Strength::Words, "/default/test_container", "test_container"),
        (Runtime::Containerd, Strength::Words, "/my-namespace.x/web/init.scope", "web"),
        (Runtime::Containerd, Strength::Words, "/default/web/system.slice/x.service", "web"),
        (Oci, Strength::Words, "/web", "web"),
        (Oci, Strength::Words, "/web/init.scope", "web"),
    ];
    for (runtime, strength, path, id) in table {
        assert_eq!(of(path), Some(Claim { id: id.to_owned(), runtime, strength }), "{path}");
    }
}

#[test]
fn what_names_no_container() {
    let long = format!("/docker/{ID}0");
    let no_hex = format!("/docker/{}", ID.replace('3', "g"));
    let short = format!("/system.slice/docker-{}.scope", &ID[..63]);
    #[rustfmt::skip]
    let table = [
        "/", "", "...", "/init.scope", "/system.slice", "/user.slice",
        "/system.slice/sshd.service",
        "/system.slice/docker.service",
        "/system.slice/containerd.service",
        "/system.slice/system-getty.slice/getty@tty1.service",
        "/user.slice/user-1000.slice/session-1.scope",
        "/user.slice/user-1000.slice/user@1000.service/app.slice/vte-spawn-1.scope",
        "/user.slice/user-1000.slice/user@1000.service/init.scope",
        // what runtimes run beside their containers
        "/machine.slice/libpod-conmon-ID.scope",
        "/kubepods.slice/kubepods-podPOD.slice/crio-conmon-ID.scope",
        "/lxc.monitor.web", "/lxc.pivot",
        r"/machine.slice/machine-qemu\x2d1\x2dweb.scope",
        "/system.slice/bpm-a b.scope",
        // the parents of containers
        "/docker", "/kubepods", "/kubepods.slice", "/kubepods/besteffort/podPOD", "/libpod_parent", "/lxc", "/machine.slice",
        "/machine.slice/machine-libpod_pod_OTHER.slice",
        // more than two words
        "/batch/jobs/one",
        "/-bad/web",
        &long, &no_hex, &short,
        "/foo-ID",
        "/docker-ID.service",
    ];
    for path in table {
        // Words are what is left when nothing else matches; a single unit or parent must not become one.
        assert_eq!(of(path).map(|claim| claim.id), None, "{path}");
    }
}

#[test]
fn thirty_two_digits_are_no_id() {
    let found = of("/docker/25e40a063901499cf956927267073d5d");
    assert_eq!(found, None);
}

#[test]
fn version_1_names_the_container_where_the_unified_hierarchy_does_not() {
    let found =
        claim(&cgroups(&[("", "/"), ("cpuset", "/"), ("memory", "/docker/ID"), ("pids", "/docker/ID")]));
    assert_eq!(found.map(|claim| claim.id).as_deref(), Some(ID));
}

#[test]
fn the_strongest_hierarchy_wins() {
    let found = claim(&cgroups(&[("", "/OTHER"), ("memory", "/docker/ID")])).unwrap();
    assert_eq!((found.id.as_str(), found.strength), (ID, Strength::Certain));
}

#[test]
fn words_need_all_hierarchies() {
    // A host's own process manager uses one hierarchy only.
    let host = [("memory", "/process_api/07775af016f9244b06560c4d81e6bd76"), ("cpuset", "/"), ("", "/")];
    assert_eq!(claim(&cgroups(&host)), None);
    let ctr = [("", "/default/web"), ("cpuset", "/default/web"), ("memory", "/default/web")];
    assert_eq!(claim(&cgroups(&ctr)).unwrap().id, "web");
    let runc =
        [("memory", "/process_api/07775af016f9244b06560c4d81e6bd76/web"), ("", "/web"), ("pids", "/web")];
    assert_eq!(claim(&cgroups(&runc)).unwrap().id, "web", "below the group of whoever called runc");
    let other = [("", "/web"), ("memory", "/cobweb")];
    assert_eq!(claim(&cgroups(&other)), None);
    assert_eq!(claim(&cgroups(&[("", ".../web")])), None, "a cut path has no beginning to judge by");
}

#[test]
fn invalid_utf8_names_nothing() {
    let cgroup = Cgroup { controller: "", path: b"/docker/\xff\xfe".to_vec(), complete: true };
    assert_eq!(claim(&Cgroups(vec![cgroup])), None);
}

//! Who is a container and which: all combinations of names, namespaces and roots that lead to different answers.

use super::{Identifier, PLACES, identify};
use crate::enrich::sample::{EXT4, HOST_MNT, OVERLAY, cgroups, container, host};
use crate::event::{ContainerId, Runtime};

const ID: &str = "3b2c1d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff001";

fn docker() -> ContainerId {
    ContainerId::named(ID, Runtime::Docker)
}

#[test]
fn an_ordinary_container() {
    assert_eq!(identify(&container(7, &format!("/docker/{ID}"))), docker());
}

#[test]
fn a_host_process_in_a_cgroup_with_an_id_for_a_name_is_of_the_host() {
    for path in [format!("/docker/{ID}"), format!("/{ID}"), "/default/web".to_owned(), ID[..32].to_owned()] {
        let mut event = host();
        event.cgroups = cgroups(&path);
        assert_eq!(identify(&event), ContainerId::Host, "{path}");
    }
}

#[test]
fn a_service_with_a_mount_namespace_of_its_own_is_of_the_host() {
    for path in ["/system.slice/private-tmp.service", "/default/web", &format!("/{ID}")] {
        let mut event = host();
        event.namespaces.mnt = 7;
        event.cgroups = cgroups(path);
        assert_eq!(identify(&event), ContainerId::Host, "{path}");
    }
}

#[test]
fn a_service_of_a_host_that_runs_on_an_overlay_is_of_the_host() {
    let mut event = host();
    event.namespaces.mnt = 7;
    event.file.root = Some((42, OVERLAY));
    event.cgroups = cgroups("/system.slice/private-tmp.service");
    assert_eq!(Identifier::new(Some(42)).identify(&event), ContainerId::Host);
    assert_eq!(Identifier::new(Some(43)).identify(&event), ContainerId::Namespace(7));
}

#[test]
fn a_container_with_the_pids_of_the_host_is_one() {
    let mut event = container(7, &format!("/docker/{ID}"));
    event.process.pidns_level = 0;
    assert_eq!(identify(&event), docker());
    // Also where the storage is no overlay: nobody else names a cgroup so.
    event.file.root = Some((8 << 20 | 1, EXT4));
    assert_eq!(identify(&event), docker());
}

#[test]
fn a_container_without_a_name_is_a_namespace() {
    // Rootless Podman without delegation: no cgroup at all.
    assert_eq!(identify(&container(7, "/")), ContainerId::Namespace(7));
    let mut event = container(7, "/user.slice/user-1000.slice/session-1.scope");
    assert_eq!(identify(&event), ContainerId::Namespace(7));
    event.file.root = Some((8 << 20 | 1, EXT4));
    assert_eq!(identify(&event), ContainerId::Namespace(7), "pids of its own are enough");
}

#[test]
fn words_name_what_lives_apart() {
    let web = ContainerId::named("web", Runtime::Containerd);
    assert_eq!(identify(&container(7, "/default/web")), web);
    assert_eq!(identify(&container(7, "/web")), ContainerId::named("web", Runtime::Oci));
}

#[test]
fn without_namespaces_only_a_certain_name_counts() {
    let mut event = container(0, &format!("/docker/{ID}"));
    assert_eq!(identify(&event), docker());
    event.cgroups = cgroups("/default/web");
    assert_eq!(identify(&event), ContainerId::Unknown);
    let mut event = container(7, "/");
    event.namespaces.host_mnt = 0;
    assert_eq!(identify(&event), ContainerId::Unknown);
}

#[test]
fn a_process_that_moved_to_an_innocent_cgroup_is_still_recognised() {
    let mut identifier = Identifier::default();
    assert_eq!(identifier.identify(&container(7, &format!("/docker/{ID}"))), docker());
    for innocent in ["/", "/system.slice/sshd.service", "/web", "/default/web"] {
        assert_eq!(identifier.identify(&container(7, innocent)), docker(), "{innocent}");
    }
}

#[test]
fn also_with_a_new_mount_namespace_by_its_root() {
    let mut identifier = Identifier::default();
    let first = container(7, &format!("/docker/{ID}"));
    let _ = identifier.identify(&first);
    let mut moved = container(8, "/");
    moved.file.root = first.file.root;
    moved.process.pidns_start_ns = first.process.pidns_start_ns;
    assert_eq!(identifier.identify(&moved), docker());
}

#[test]
fn a_number_that_the_kernel_uses_again_is_another_container() {
    let mut identifier = Identifier::default();
    let _ = identifier.identify(&container(7, &format!("/docker/{ID}")));
    let mut later = container(7, "/");
    later.process.pidns_start_ns = later.process.pidns_start_ns.map(|start| start + 10_000_000);
    assert_eq!(identifier.identify(&later), ContainerId::Namespace(7));
}

#[test]
fn with_the_pids_of_the_host_any_name_beats_the_memory() {
    let mut identifier = Identifier::default();
    let with_host_pids = |path: &str| {
        let mut event = container(7, path);
        event.process.pidns_level = 0;
        event
    };
    let _ = identifier.identify(&with_host_pids(&format!("/docker/{ID}")));
    let web = ContainerId::named("web", Runtime::Containerd);
    assert_eq!(identifier.identify(&with_host_pids("/default/web")), web);
    assert_eq!(identifier.identify(&with_host_pids("/")), docker());
}

#[test]
fn the_host_is_never_remembered_as_a_container() {
    let mut identifier = Identifier::default();
    let mut event = host();
    event.cgroups = cgroups(&format!("/docker/{ID}"));
    // A pid namespace of its own, but the host's mounts: `unshare --pid`.
    event.process.pidns_level = 1;
    assert_eq!(identifier.identify(&event), docker());
    let mut other = host();
    other.process.pidns_level = 1;
    assert_eq!(identifier.identify(&other), ContainerId::Namespace(HOST_MNT));
    assert_eq!(identifier.identify(&host()), ContainerId::Host);
}

#[test]
fn what_is_remembered_is_bounded_and_the_oldest_goes_first() {
    let mut identifier = Identifier::default();
    let many = u32::try_from(PLACES).unwrap();
    for mnt in 1..=many {
        let _ = identifier.identify(&container(mnt, &format!("/docker/{ID}")));
    }
    assert_eq!(identifier.remembered.len(), PLACES);
    assert_eq!(identifier.order.len(), PLACES);
    assert_eq!(identifier.identify(&container(1, "/")), ContainerId::Namespace(1));
    assert_eq!(identifier.identify(&container(many, "/")), docker());
}

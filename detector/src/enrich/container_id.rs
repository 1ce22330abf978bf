//! From cgroup names and namespaces to the container's identity. A pure function: the names are the record's.

use crate::event::{Cgroups, ContainerId, ExecEvent};

/// `OVERLAYFS_SUPER_MAGIC`
const OVERLAY_MAGIC: u64 = 0x794c_7630;

/// Whose process it is. A cgroup name alone does not make a container: host processes can live in cgroups whose
/// names look like ids, and a process can move itself to a cgroup with an innocent name.
#[must_use]
pub fn identify(event: &ExecEvent) -> ContainerId {
    let namespaces = event.namespaces;
    if namespaces.mnt == 0 || namespaces.host_mnt == 0 {
        return ContainerId::Unknown;
    }
    let own_pids = event.process.pidns_level > 0;
    if namespaces.mnt == namespaces.host_mnt && !own_pids {
        return ContainerId::Host;
    }
    if let Some(id) = runtime_id(&event.cgroups) {
        return ContainerId::Named(id);
    }
    // Services of the host may have a mount namespace of their own; what they do not have is an overlay as root.
    let own_root = event.file.root.is_some_and(|(_, magic)| magic == OVERLAY_MAGIC);
    if own_pids || own_root {
        return ContainerId::Namespace(namespaces.mnt);
    }
    ContainerId::Host
}

/// The id that a runtime wrote into a cgroup name. The component nearest to the leaf wins, so that a process in a
/// sub-cgroup of its container belongs to it, and a container in a container is the inner one.
fn runtime_id(cgroups: &Cgroups) -> Option<String> {
    cgroups.0.iter().find_map(|cgroup| {
        cgroup.path.split(|byte| *byte == b'/').rev().find_map(|component| {
            let name = std::str::from_utf8(component).ok()?;
            let name = name.strip_suffix(".scope").unwrap_or(name);
            let id = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
            (id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id.to_owned())
        })
    })
}

/// What runtimes put before the id.
const PREFIXES: [&str; 6] = ["docker-", "libpod-payload-", "libpod-", "cri-containerd-", "crio-", "nerdctl-"];

#[cfg(test)]
mod tests {
    use super::runtime_id;
    use crate::event::{Cgroup, Cgroups};

    const ID: &str = "3b2c1d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff001";

    fn id_of(paths: &[(&'static str, &str)]) -> Option<String> {
        let cgroup = |(controller, path): &(&'static str, &str)| Cgroup {
            controller,
            path: path.as_bytes().to_vec(),
            complete: true,
        };
        runtime_id(&Cgroups(paths.iter().map(cgroup).collect()))
    }

    #[test]
    fn docker_with_both_drivers() {
        assert_eq!(id_of(&[("", &format!("/docker/{ID}"))]).as_deref(), Some(ID));
        assert_eq!(id_of(&[("", &format!("/system.slice/docker-{ID}.scope"))]).as_deref(), Some(ID));
    }

    #[test]
    fn cgroup_v1_names_the_container_where_the_unified_hierarchy_does_not() {
        assert_eq!(id_of(&[("", "/"), ("memory", &format!("/docker/{ID}"))]).as_deref(), Some(ID));
    }

    #[test]
    fn a_sub_cgroup_belongs_to_its_container() {
        assert_eq!(
            id_of(&[("", &format!("/system.slice/docker-{ID}.scope/init.scope"))]).as_deref(),
            Some(ID)
        );
    }

    #[test]
    fn what_is_not_64_hex_digits_is_no_id() {
        assert_eq!(id_of(&[("", "/docker/25e40a063901499cf956927267073d5d")]), None);
        assert_eq!(id_of(&[("", &format!("/docker/{ID}0"))]), None);
        assert_eq!(id_of(&[("", &format!("/docker/{}", ID.replace('3', "g")))]), None);
        assert_eq!(id_of(&[("", &format!("/crio-conmon-{ID}.scope"))]), None);
    }
}

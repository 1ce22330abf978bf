//! The OCI bundle's `config.json`: what every runtime gives to runc or crun, with the annotations that Kubernetes'
//! runtimes and Podman leave in it.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use crate::{
    enrich::{
        bounded_read::{ReadError, read_in},
        bounds,
    },
    event::{ContainerMetadata, Mount, Pod, Runtime},
};

/// Bytes of a `config.json` that are read.
const BOUND: usize = 8 << 20;

/// The parts of a runtime specification that are of use here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::enrich) struct Spec {
    pub(super) root: Root,
    process: ProcessPart,
    mounts: Option<Vec<SpecMount>>,
    annotations: Option<BTreeMap<String, String>>,
    linux: Linux,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Root {
    /// Where the root file system is mounted.
    pub(super) path: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ProcessPart {
    capabilities: Option<Capabilities>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Capabilities {
    bounding: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SpecMount {
    destination: String,
    r#type: Option<String>,
    source: Option<String>,
    options: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Linux {
    namespaces: Option<Vec<Namespace>>,
    masked_paths: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Namespace {
    r#type: String,
}

/// Reads `config.json` of a bundle.
pub(super) fn read(bundle: &Path) -> Result<Spec, ReadError> {
    parse(&read_in(bundle, "config.json", BOUND)?)
}

pub(super) fn parse(bytes: &[u8]) -> Result<Spec, ReadError> {
    serde_json::from_slice(bytes).map_err(|error| ReadError::Garbage(error.to_string()))
}

impl Spec {
    /// Labels of a pod, when this is CRI-O's sandbox of it.
    pub(super) fn pod_labels(&self) -> Option<BTreeMap<String, String>> {
        let json = self.annotation("io.kubernetes.cri-o.Labels")?;
        Some(bounds::bounded(serde_json::from_str::<BTreeMap<_, _>>(json).ok()?).0)
    }

    fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(name).map(String::as_str)
    }

    /// Adds what this says to a container.
    pub(in crate::enrich) fn describe(&self, container: &mut ContainerMetadata) {
        let shares = |kind: &str| {
            let own = self.linux.namespaces.as_deref()?;
            Some(!own.iter().any(|namespace| namespace.r#type == kind))
        };
        container.host_pid = shares("pid");
        container.host_network = shares("network");
        container.host_ipc = shares("ipc");
        container.privileged = Some(self.privileged());
        container.mounts = Some(self.bind_mounts());
        if self.annotation("io.container.manager") == Some("libpod") {
            container.runtime = Runtime::Podman;
        } else if self.annotation("io.kubernetes.cri-o.ContainerType").is_some() {
            self.describe_crio(container);
        } else if self.annotation("io.kubernetes.cri.container-type").is_some() {
            self.describe_containerd(container);
        }
    }

    /// All privileges means all capabilities and nothing hidden; Podman says it in an annotation.
    fn privileged(&self) -> bool {
        if let Some(said) = self.annotation("io.podman.annotations.privileged") {
            return said.eq_ignore_ascii_case("true");
        }
        if let Some(said) = self.annotation("io.kubernetes.cri-o.PrivilegedRuntime") {
            return said == "true";
        }
        let bounding = self.process.capabilities.as_ref().and_then(|set| set.bounding.as_deref());
        let bounding = bounding.unwrap_or_default();
        let all = ["CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_MAC_ADMIN"];
        let hidden = self.linux.masked_paths.as_ref().is_some_and(|paths| !paths.is_empty());
        !hidden && all.iter().all(|wanted| bounding.iter().any(|has| has == wanted))
    }

    fn bind_mounts(&self) -> Vec<Mount> {
        const PROPAGATIONS: [&str; 6] = ["rprivate", "private", "rshared", "shared", "rslave", "slave"];
        let mounts = self.mounts.as_deref().unwrap_or_default().iter();
        let is_bind = |mount: &&SpecMount| {
            let options = mount.options.as_deref().unwrap_or_default();
            mount.r#type.as_deref() == Some("bind")
                || options.iter().any(|option| option == "bind" || option == "rbind")
        };
        mounts
            .filter(is_bind)
            .map(|mount| {
                let options = mount.options.as_deref().unwrap_or_default();
                let propagation = PROPAGATIONS.iter().find(|name| options.iter().any(|has| has == *name));
                Mount {
                    source: mount.source.clone().unwrap_or_default(),
                    destination: mount.destination.clone(),
                    mode: String::new(),
                    writable: !options.iter().any(|option| option == "ro"),
                    propagation: (*propagation.unwrap_or(&"")).to_owned(),
                }
            })
            .collect()
    }

    /// `io.kubernetes.cri.*`, as containerd writes them.
    fn describe_containerd(&self, container: &mut ContainerMetadata) {
        let text = |name: &str| self.annotation(&format!("io.kubernetes.cri.{name}")).map(str::to_owned);
        container.runtime = Runtime::Containerd;
        container.name = text("container-name").or_else(|| text("sandbox-name"));
        if let Some(image) = text("image-name").filter(|name| !name.is_empty()) {
            container.set_image(&image);
        }
        container.pod = Some(Pod {
            name: text("sandbox-name"),
            namespace: text("sandbox-namespace"),
            uid: text("sandbox-uid"),
            sandbox_id: text("sandbox-id"),
            ..Pod::default()
        });
    }

    /// `io.kubernetes.cri-o.*`, and the labels of the kubelet that stand beside them.
    fn describe_crio(&self, container: &mut ContainerMetadata) {
        let text = |name: &str| self.annotation(&format!("io.kubernetes.cri-o.{name}")).map(str::to_owned);
        let label = |name: &str| self.annotation(&format!("io.kubernetes.{name}")).map(str::to_owned);
        container.runtime = Runtime::CriO;
        container.name = label("container.name");
        if let Some(image) = text("ImageName").or_else(|| text("Image")).filter(|name| !name.is_empty()) {
            container.set_image(&image);
        }
        if let Some(id) = text("ImageRef").filter(|id| id.len() == 64) {
            container.image_id = Some(id);
        }
        // `NAME@DIGEST` of each of its names, in newer versions.
        let digests = text("ImageRepoDigests");
        if let Some((_, digest)) = digests.as_deref().and_then(|all| all.split(',').next()?.split_once('@')) {
            container.image_digest = Some(digest.to_owned());
        }
        if let Some(json) = text("Labels")
            && let Ok(found) = serde_json::from_str::<BTreeMap<String, String>>(&json)
        {
            bounds::set_labels(container, found);
        }
        // A pod in the host's network has no address of its own.
        let none = || (container.host_network == Some(true)).then(String::new);
        container.ip = text("IP.0").or_else(none);
        container.cni_json = text("CNIResult");
        container.pod = Some(Pod {
            name: label("pod.name").or_else(|| text("KubeName")),
            namespace: label("pod.namespace").or_else(|| text("Namespace")),
            uid: label("pod.uid"),
            sandbox_id: text("SandboxID"),
            ip: text("IP.0"),
            labels: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::parse;
    use crate::event::{ContainerMetadata, Runtime};

    fn describe(spec: &serde_json::Value) -> ContainerMetadata {
        let mut container = ContainerMetadata::new("x", Runtime::Unknown);
        parse(spec.to_string().as_bytes()).unwrap().describe(&mut container);
        container
    }

    #[test]
    fn namespaces_mounts_and_privileges() {
        let spec = json!({
            "ociVersion": "1.0.2",
            "process": {"capabilities": {"bounding": ["CAP_CHOWN"]}},
            "root": {"path": "rootfs"},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"]},
                {"destination": "/data", "type": "bind", "source": "/srv", "options": ["rbind", "ro", "rslave"]},
                {"destination": "/x", "source": "/y", "options": ["bind"]},
            ],
            "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}], "maskedPaths": ["/proc/kcore"]},
        });
        let container = describe(&spec);
        assert_eq!(
            (container.host_pid, container.host_network, container.host_ipc),
            (Some(false), Some(true), Some(true))
        );
        let mounts: Vec<_> = container.mounts.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(mounts, ["/srv:/data::false:rslave", "/y:/x::true:"]);
        assert_eq!(container.privileged, Some(false));
    }

    #[test]
    fn all_capabilities_and_nothing_hidden_is_privileged() {
        let bounding = ["CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_MAC_ADMIN"];
        let mut spec = json!({"process": {"capabilities": {"bounding": bounding}}, "linux": {}});
        assert_eq!(describe(&spec).privileged, Some(true));
        spec["linux"]["maskedPaths"] = json!(["/proc/kcore"]);
        assert_eq!(describe(&spec).privileged, Some(false));
    }

    #[test]
    fn containerd_names_the_pod() {
        let container = describe(&json!({"annotations": {
            "io.kubernetes.cri.container-type": "container",
            "io.kubernetes.cri.container-name": "web",
            "io.kubernetes.cri.image-name": "docker.io/library/nginx:1.25",
            "io.kubernetes.cri.sandbox-id": "abc",
            "io.kubernetes.cri.sandbox-name": "web-1",
            "io.kubernetes.cri.sandbox-namespace": "shop",
            "io.kubernetes.cri.sandbox-uid": "u-1",
        }}));
        assert_eq!(container.runtime, Runtime::Containerd);
        assert_eq!(container.name.as_deref(), Some("web"));
        assert_eq!(container.image_repository.as_deref(), Some("docker.io/library/nginx"));
        let pod = container.pod.unwrap();
        assert_eq!(
            [pod.name, pod.namespace, pod.uid, pod.sandbox_id].map(Option::unwrap),
            ["web-1", "shop", "u-1", "abc"]
        );
    }

    #[test]
    fn cri_o_names_the_pod_and_gives_labels() {
        let container = describe(&json!({"annotations": {
            "io.kubernetes.cri-o.ContainerType": "container",
            "io.kubernetes.cri-o.ImageName": "quay.io/a/b:2",
            "io.kubernetes.cri-o.ImageRepoDigests": "quay.io/a/b@sha256:dd,quay.io/c/d@sha256:ee",
            "io.kubernetes.cri-o.SandboxID": "abc",
            "io.kubernetes.cri-o.IP.0": "192.0.2.7",
            "io.kubernetes.cri-o.Labels": "{\"io.kubernetes.pod.name\":\"web-1\",\"x\":\"y\"}",
            "io.kubernetes.container.name": "web",
            "io.kubernetes.pod.name": "web-1",
            "io.kubernetes.pod.namespace": "shop",
            "io.kubernetes.pod.uid": "u-1",
        }}));
        assert_eq!(container.runtime, Runtime::CriO);
        assert_eq!((container.name.as_deref(), container.ip.as_deref()), (Some("web"), Some("192.0.2.7")));
        assert_eq!(container.labels.unwrap()["x"], "y");
        assert_eq!(container.image_digest.as_deref(), Some("sha256:dd"));
        assert_eq!(container.pod.unwrap().namespace.as_deref(), Some("shop"));
    }

    #[test]
    fn podman_leaves_annotations_of_cri_o_and_is_podman() {
        let container = describe(&json!({"annotations": {
            "io.container.manager": "libpod",
            "io.kubernetes.cri-o.Created": "2026-11-22T04:39:48Z",
            "io.kubernetes.cri-o.ContainerType": "container",
            "io.podman.annotations.privileged": "TRUE",
        }}));
        assert_eq!((container.runtime, container.privileged), (Runtime::Podman, Some(true)));
    }

    #[test]
    fn garbage_is_an_error() {
        for bytes in [&b""[..], b"{", b"[7]", b"{\"mounts\": 7}", b"\xff\xfe"] {
            assert!(parse(bytes).is_err(), "{bytes:?}");
        }
    }
}

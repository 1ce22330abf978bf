//! The container runtime interface of Kubernetes: containerd, CRI-O and others behind it.

use std::path::Path;

use serde::Deserialize;

use super::{
    cri_messages::{
        ById, ContainerStatusResponse, Image, ImageSpec, ImageStatusRequest, ImageStatusResponse,
        PodSandboxStatusResponse, VersionRequest, VersionResponse,
    },
    socket::{EngineError, call},
};
use crate::{
    enrich::{bounds, disk::Spec},
    event::{ContainerMetadata, Mount, Pod, Runtime},
};

/// Bytes of the network plugins' answer that are kept, as with Falco.
const CNI_BYTES: usize = 4096;

/// What containerd and CRI-O tell under `info` when asked for details.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Info {
    #[serde(rename = "sandboxID")]
    sandbox_id: String,
    pid: u32,
    privileged: Option<bool>,
    runtime_spec: Option<Spec>,
    cni_result: Option<serde_json::Value>,
}

fn info(map: &std::collections::BTreeMap<String, String>) -> Info {
    map.get("info").and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

/// Asks for a container, its image and its pod. `sandbox`: the pod's, where it is known already.
pub(super) async fn cri(
    socket: &Path,
    id: &str,
    sandbox: Option<&str>,
) -> Result<ContainerMetadata, EngineError> {
    let ask = ById { id: id.to_owned(), verbose: true };
    let found: Result<ContainerStatusResponse, _> =
        call(socket, "/runtime.v1.RuntimeService/ContainerStatus", None, &ask).await;
    let mut container = match found {
        Ok(answer) => describe(id, answer)?,
        // The pause container is no container for CRI but the pod itself.
        Err(EngineError::Unknown) if sandbox == Some(id) => {
            let mut container = ContainerMetadata::new(id, Runtime::Cri);
            container.pod = Some(Pod { sandbox_id: Some(id.to_owned()), ..Pod::default() });
            container
        }
        Err(error) => return Err(error),
    };
    container.runtime = runtime(socket).await;
    if let Some(image) = container.image.clone().filter(|image| !image.is_empty()) {
        let spec = ImageSpec { image, user_specified_image: String::new() };
        let ask = ImageStatusRequest { image: Some(spec) };
        let method = "/runtime.v1.ImageService/ImageStatus";
        let answer: Result<ImageStatusResponse, _> = call(socket, method, None, &ask).await;
        if let Some(image) = answer.ok().and_then(|answer| answer.image) {
            name_image(&mut container, &image);
        }
    }
    let of = container.pod.as_ref().and_then(|pod| pod.sandbox_id.as_deref()).or(sandbox);
    if let Some(sandbox) = of.map(str::to_owned) {
        let ask = ById { id: sandbox, verbose: true };
        let method = "/runtime.v1.RuntimeService/PodSandboxStatus";
        let answer: PodSandboxStatusResponse = call(socket, method, None, &ask).await?;
        describe_pod(&mut container, answer);
    }
    Ok(container)
}

async fn runtime(socket: &Path) -> Runtime {
    let ask = VersionRequest { version: "v1".to_owned() };
    let answer: Result<VersionResponse, _> =
        call(socket, "/runtime.v1.RuntimeService/Version", None, &ask).await;
    match answer.map(|answer| answer.runtime_name).as_deref() {
        Ok("containerd") => Runtime::Containerd,
        Ok("cri-o") => Runtime::CriO,
        _ => Runtime::Cri,
    }
}

fn describe(id: &str, answer: ContainerStatusResponse) -> Result<ContainerMetadata, EngineError> {
    let info = info(&answer.info);
    let from = answer.status.filter(|status| status.id == id);
    let from = from.ok_or_else(|| EngineError::Garbage("no container in the answer".to_owned()))?;
    let mut container = ContainerMetadata::new(id, Runtime::Cri);
    if let Some(spec) = &info.runtime_spec {
        spec.describe(&mut container);
    }
    container.privileged = info.privileged.or(container.privileged);
    container.name = from.metadata.map(|metadata| metadata.name);
    let image = from.image.unwrap_or_default();
    let written =
        if image.user_specified_image.is_empty() { image.image } else { image.user_specified_image };
    if !written.is_empty() {
        container.set_image(&written);
    }
    // `NAME@DIGEST`, or an id, with `sha256:` (containerd) or without (CRI-O).
    if let Some((_, digest)) = from.image_ref.split_once('@') {
        container.image_digest = Some(digest.to_owned());
    }
    let image_id = [from.image_id.as_str(), from.image_ref.as_str()].into_iter().find_map(hexadecimal_id);
    if let Some(image_id) = image_id {
        container.image_id = Some(image_id.to_owned());
    }
    bounds::set_labels(&mut container, from.labels);
    let started = [from.started_at, from.created_at].into_iter().find(|ns| *ns > 0);
    container.started_ns = started.and_then(|ns| u64::try_from(ns).ok());
    container.init_pid = Some(info.pid).filter(|pid| *pid > 0);
    let mounts = from.mounts.into_iter().map(|mount| Mount {
        source: mount.host_path,
        destination: mount.container_path,
        mode: String::new(),
        writable: !mount.readonly,
        propagation: match mount.propagation {
            1 => "rslave",
            2 => "rshared",
            _ => "rprivate",
        }
        .to_owned(),
    });
    container.mounts = Some(mounts.collect());
    let sandbox = Some(info.sandbox_id).filter(|id| !id.is_empty());
    let pod = container.pod.get_or_insert_default();
    pod.sandbox_id = sandbox.or(pod.sandbox_id.take());
    Ok(container)
}

/// The id of an image without what stands before it.
fn hexadecimal_id(written: &str) -> Option<&str> {
    let id = written.strip_prefix("sha256:").unwrap_or(written);
    (id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

/// An image that was given by its id gets its names; what an image does not have is known to be empty.
fn name_image(container: &mut ContainerMetadata, image: &Image) {
    let id = image.id.strip_prefix("sha256:").unwrap_or(&image.id);
    container.image_id.get_or_insert_with(|| id.to_owned());
    let digest = image.repo_digests.iter().find_map(|name| name.split_once('@'));
    let tag = image.repo_tags.iter().find_map(|name| name.rsplit_once(':'));
    let repository = tag.or(digest).map_or("", |(repository, _)| repository);
    container.image_repository.get_or_insert_with(|| repository.to_owned());
    container.image_tag.get_or_insert_with(|| tag.map_or("", |(_, tag)| tag).to_owned());
    container.image_digest.get_or_insert_with(|| digest.map_or("", |(_, digest)| digest).to_owned());
}

fn describe_pod(container: &mut ContainerMetadata, answer: PodSandboxStatusResponse) {
    let info = info(&answer.info);
    let Some(from) = answer.status else { return };
    let pod = container.pod.get_or_insert_default();
    pod.sandbox_id = Some(from.id);
    if let Some(named) = from.metadata {
        (pod.name, pod.namespace, pod.uid) = (Some(named.name), Some(named.namespace), Some(named.uid));
    }
    pod.labels = Some(bounds::bounded(from.labels).0);
    // Without a network of its own the pod has the host's addresses; CRI tells none then.
    let ip = from.network.map(|network| network.ip).unwrap_or_default();
    pod.ip = Some(ip.clone());
    container.ip = Some(ip);
    let json = info.cni_result.filter(|result| !result.is_null()).map(|result| result.to_string());
    container.cni_json = json.filter(|json| json.len() <= CNI_BYTES);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use prost::Message as _;

    use super::super::cri_messages::{
        ContainerName, ContainerStatus, ContainerStatusResponse, Image, ImageSpec, Mount, PodName,
        PodNetwork, PodSandboxStatus, PodSandboxStatusResponse,
    };
    use super::{describe, describe_pod, name_image};
    use crate::event::{MetadataState, MissingReason, Runtime};

    const IMAGE: &str = "sha256:6855583b1b19d60e0de2a5f1fbc8cd30d0c4bf1d1a9cb4a2e9ac8a4dcf1c9b70";

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn status() -> ContainerStatusResponse {
        let info = r#"{"sandboxID":"sand","pid":71,"runtimeSpec":{"linux":{"namespaces":[{"type":"pid"}]}}}"#;
        ContainerStatusResponse {
            status: Some(ContainerStatus {
                id: "abc".into(),
                metadata: Some(ContainerName { name: "web".into() }),
                created_at: 5,
                started_at: 0,
                image: Some(ImageSpec { image: IMAGE.into(), ..ImageSpec::default() }),
                image_ref: "docker.io/library/nginx@sha256:dd".into(),
                labels: map(&[("app", "shop")]),
                mounts: vec![Mount {
                    container_path: "/data".into(),
                    host_path: "/srv".into(),
                    readonly: true,
                    propagation: 1,
                }],
                image_id: String::new(),
            }),
            info: map(&[("info", info)]),
        }
    }

    #[test]
    fn a_container_its_image_and_its_pod() {
        // Through bytes, as it comes.
        let answer = ContainerStatusResponse::decode(status().encode_to_vec().as_slice()).unwrap();
        let mut container = describe("abc", answer).unwrap();
        let image = Image {
            id: IMAGE.into(),
            repo_tags: vec!["docker.io/library/nginx:1.25".into()],
            repo_digests: Vec::new(),
        };
        name_image(&mut container, &image);
        let sandbox = PodSandboxStatus {
            id: "sand".into(),
            metadata: Some(PodName { name: "web-1".into(), uid: "u".into(), namespace: "shop".into() }),
            network: Some(PodNetwork { ip: "10.0.0.7".into() }),
            labels: map(&[("tier", "front")]),
        };
        let info = map(&[("info", r#"{"cniResult":{"Interfaces":{}}}"#)]);
        describe_pod(&mut container, PodSandboxStatusResponse { status: Some(sandbox), info });
        assert_eq!(container.state(MissingReason::Source), MetadataState::Complete);
        assert_eq!(container.name.as_deref(), Some("web"));
        assert_eq!(container.image_repository.as_deref(), Some("docker.io/library/nginx"));
        assert_eq!(container.image_tag.as_deref(), Some("1.25"));
        assert_eq!(container.image_digest.as_deref(), Some("sha256:dd"));
        assert_eq!((container.started_ns, container.init_pid), (Some(5), Some(71)));
        assert_eq!((container.host_pid, container.host_network), (Some(false), Some(true)));
        assert_eq!(container.mounts.as_ref().unwrap()[0].to_string(), "/srv:/data::false:rslave");
        assert_eq!((container.ip.as_deref(), container.runtime), (Some("10.0.0.7"), Runtime::Cri));
        assert_eq!(container.cni_json.as_deref(), Some(r#"{"Interfaces":{}}"#));
        let pod = container.pod.unwrap();
        assert_eq!(
            [pod.name, pod.namespace, pod.uid, pod.sandbox_id, pod.ip].map(Option::unwrap),
            ["web-1", "shop", "u", "sand", "10.0.0.7"]
        );
        assert_eq!(pod.labels.unwrap()["tier"], "front");
    }

    #[test]
    fn the_id_of_the_image_as_cri_o_writes_it() {
        let id = &IMAGE["sha256:".len()..];
        let written = |image_ref: &str, image_id: &str| {
            let mut answer = status();
            let status = answer.status.as_mut().unwrap();
            status.image = Some(ImageSpec { image: "quay.io/a/b:2".into(), ..ImageSpec::default() });
            (status.image_ref, status.image_id) = (image_ref.into(), image_id.into());
            let container = describe("abc", answer).unwrap();
            (container.image_id, container.image_digest)
        };
        assert_eq!(written(id, ""), (Some(id.to_owned()), None));
        assert_eq!(written("quay.io/a/b@sha256:dd", id), (Some(id.to_owned()), Some("sha256:dd".to_owned())));
        assert_eq!(written("quay.io/a/b:2", ""), (None, None));
    }

    #[test]
    fn the_answer_must_be_about_the_container() {
        assert!(describe("other", status()).is_err());
        assert!(describe("abc", ContainerStatusResponse::default()).is_err());
    }

    #[test]
    fn details_that_are_no_json_are_left_out() {
        let mut answer = status();
        answer.info = map(&[("info", "{")]);
        let container = describe("abc", answer).unwrap();
        assert_eq!((container.name.as_deref(), container.privileged), (Some("web"), None));
    }
}

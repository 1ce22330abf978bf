//! Docker and Podman over HTTP. Podman is asked in its own dialect, which tells the image's name and digest.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use super::socket::{EngineError, get};
use crate::{
    enrich::{bounds, disk::nanoseconds},
    event::{ContainerMetadata, Healthcheck, Mount, Runtime},
};

/// The parts of a container's description that both have. The docker-compatible and the libpod form differ in what is
/// there, not in what it means.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Inspect {
    id: String,
    name: String,
    /// Id of the image.
    image: String,
    /// Podman: the reference.
    image_name: String,
    /// Podman: digest of the manifest.
    image_digest: String,
    created: String,
    config: Config,
    state: State,
    host_config: HostConfig,
    mounts: Option<Vec<MountPoint>>,
    network_settings: Option<NetworkSettings>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Config {
    image: String,
    labels: Option<BTreeMap<String, String>>,
    healthcheck: Option<HealthConfig>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct HealthConfig {
    test: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct State {
    pid: u32,
    started_at: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct HostConfig {
    privileged: bool,
    network_mode: String,
    pid_mode: String,
    ipc_mode: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MountPoint {
    #[serde(rename = "Source")]
    source: String,
    #[serde(rename = "Destination")]
    destination: String,
    #[serde(rename = "Mode")]
    mode: String,
    #[serde(rename = "RW")]
    writable: bool,
    #[serde(rename = "Propagation")]
    propagation: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NetworkSettings {
    #[serde(rename = "IPAddress")]
    ip_address: String,
    #[serde(rename = "Networks")]
    networks: Option<BTreeMap<String, Option<Endpoint>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Endpoint {
    #[serde(rename = "IPAddress")]
    ip_address: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct InspectImage {
    repo_tags: Option<Vec<String>>,
    repo_digests: Option<Vec<String>>,
}

/// Asks Docker's daemon for a container and its image.
pub(super) async fn docker(socket: &Path, id: &str) -> Result<ContainerMetadata, EngineError> {
    let inspect: Inspect = get(socket, &format!("/containers/{id}/json")).await?;
    let mut container = describe(inspect, Runtime::Docker)?;
    if let Some(image) = container.image_id.clone()
        && container.image_digest.is_none()
    {
        // Without it the container is still known.
        let found = get::<InspectImage>(socket, &format!("/images/sha256:{image}/json")).await;
        name_image(&mut container, &found.unwrap_or_default());
    }
    Ok(container)
}

/// Asks Podman's service.
pub(super) async fn podman(socket: &Path, id: &str) -> Result<ContainerMetadata, EngineError> {
    let inspect: Inspect = get(socket, &format!("/v4.0.0/libpod/containers/{id}/json")).await?;
    let mut container = describe(inspect, Runtime::Podman)?;
    name_image(&mut container, &InspectImage::default());
    Ok(container)
}

fn describe(from: Inspect, runtime: Runtime) -> Result<ContainerMetadata, EngineError> {
    if from.id.is_empty() || from.name.is_empty() {
        return Err(EngineError::Garbage("a container without id and name".to_owned()));
    }
    let mut container = ContainerMetadata::new(from.id, runtime);
    container.name = Some(from.name.trim_start_matches('/').to_owned());
    let written = if from.image_name.is_empty() { from.config.image } else { from.image_name };
    if !written.is_empty() {
        container.set_image(&written);
    }
    let image_id = from.image.strip_prefix("sha256:").unwrap_or(&from.image);
    if !image_id.is_empty() {
        container.image_id = Some(image_id.to_owned());
    }
    if !from.image_digest.is_empty() {
        container.image_digest = Some(from.image_digest);
    }
    bounds::set_labels(&mut container, from.config.labels.unwrap_or_default());
    container.healthcheck = Some(match from.config.healthcheck.and_then(|health| health.test) {
        Some(test) if !test.is_empty() && test != ["NONE"] => Healthcheck::Command(test),
        _ => Healthcheck::None,
    });
    container.privileged = Some(from.host_config.privileged);
    container.host_network = Some(from.host_config.network_mode == "host");
    container.host_pid = Some(from.host_config.pid_mode == "host");
    container.host_ipc = Some(from.host_config.ipc_mode == "host");
    let networks = from.network_settings.unwrap_or_default();
    let others = networks.networks.into_iter().flat_map(BTreeMap::into_values).flatten();
    let mut addresses =
        std::iter::once(networks.ip_address).chain(others.map(|endpoint| endpoint.ip_address));
    container.ip = Some(addresses.find(|address| !address.is_empty()).unwrap_or_default());
    container.started_ns = [from.state.started_at.as_str(), &from.created].into_iter().find_map(nanoseconds);
    container.init_pid = Some(from.state.pid).filter(|pid| *pid > 0);
    let mounts = from.mounts.unwrap_or_default().into_iter().map(|mount| Mount {
        source: mount.source,
        destination: mount.destination,
        mode: mount.mode,
        writable: mount.writable,
        propagation: mount.propagation,
    });
    container.mounts = Some(mounts.collect());
    Ok(container)
}

/// Repository, tag and digest as Falco takes them: digests first, then tags. What an image does not have is known to be
/// empty.
fn name_image(container: &mut ContainerMetadata, image: &InspectImage) {
    let digest = image.repo_digests.iter().flatten().find_map(|name| name.split_once('@'));
    let tag = image.repo_tags.iter().flatten().find_map(|name| name.rsplit_once(':'));
    let repository = digest.or(tag).map_or("", |(repository, _)| repository);
    container.image_repository.get_or_insert_with(|| repository.to_owned());
    container.image_tag.get_or_insert_with(|| tag.map_or("", |(_, tag)| tag).to_owned());
    container.image_digest.get_or_insert_with(|| digest.map_or("", |(_, digest)| digest).to_owned());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{InspectImage, describe, name_image};
    use crate::event::{ContainerMetadata, Healthcheck, MetadataState, MissingReason, Runtime};

    fn parsed(inspect: &serde_json::Value, runtime: Runtime) -> ContainerMetadata {
        describe(serde_json::from_value(inspect.clone()).unwrap(), runtime).unwrap()
    }

    #[test]
    fn docker_answers() {
        let mut container = parsed(
            &json!({
                "Id": "abc", "Name": "/web", "Image": "sha256:6855583b1b19d60e0de2a5f1fbc8cd30d0c4bf1d1a9cb4a2e9ac8a4dcf1c9b70",
                "Created": "2026-11-22T04:37:25Z",
                "State": {"Pid": 7, "StartedAt": "2026-11-22T04:37:26Z"},
                "Config": {"Image": "sha256:6855583b1b19d60e0de2a5f1fbc8cd30d0c4bf1d1a9cb4a2e9ac8a4dcf1c9b70",
                           "Labels": null, "Healthcheck": {"Test": ["NONE"]}},
                "HostConfig": {"Privileged": true, "NetworkMode": "default", "PidMode": "", "IpcMode": "host"},
                "Mounts": [{"Type": "bind", "Source": "/srv", "Destination": "/mnt", "Mode": "ro", "RW": false,
                            "Propagation": "rprivate"}],
                "NetworkSettings": {"IPAddress": "", "Networks": {"a": {"IPAddress": "172.18.0.2"}, "b": null}},
            }),
            Runtime::Docker,
        );
        let image = InspectImage {
            repo_tags: Some(vec!["registry.example:5000/x/bb:1.2".into()]),
            repo_digests: Some(vec!["registry.example:5000/x/bb@sha256:dd".into()]),
        };
        name_image(&mut container, &image);
        assert_eq!(container.state(MissingReason::Source), MetadataState::Complete);
        assert_eq!((container.name.as_deref(), container.ip.as_deref()), (Some("web"), Some("172.18.0.2")));
        assert_eq!(container.image_repository.as_deref(), Some("registry.example:5000/x/bb"));
        assert_eq!(container.image_tag.as_deref(), Some("1.2"));
        assert_eq!(container.image_digest.as_deref(), Some("sha256:dd"));
        assert_eq!((container.privileged, container.host_ipc), (Some(true), Some(true)));
        assert_eq!(container.healthcheck, Some(Healthcheck::None));
        assert_eq!(container.mounts.unwrap()[0].to_string(), "/srv:/mnt:ro:false:rprivate");
    }

    #[test]
    fn podman_answers() {
        let mut container = parsed(
            &json!({
                "Id": "abc", "Name": "pweb", "Image": "aa", "ImageName": "localhost:5000/y/bb:2",
                "ImageDigest": "sha256:dd", "Config": {"Labels": {"app": "shop"}},
                "HostConfig": {"Privileged": false, "NetworkMode": "none"}, "NetworkSettings": {"Networks": {}},
            }),
            Runtime::Podman,
        );
        name_image(&mut container, &InspectImage::default());
        assert_eq!(container.state(MissingReason::Source), MetadataState::Complete);
        assert_eq!(container.image_repository.as_deref(), Some("localhost:5000/y/bb"));
        assert_eq!(container.labels.unwrap()["app"], "shop");
        assert_eq!(container.ip.as_deref(), Some(""));
    }

    #[test]
    fn an_answer_without_a_container_is_garbage() {
        for answer in [json!({}), json!({"Id": "abc"}), json!({"message": "no"})] {
            assert!(describe(serde_json::from_value(answer).unwrap(), Runtime::Docker).is_err());
        }
    }
}

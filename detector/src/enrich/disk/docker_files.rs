//! What Docker keeps below its data root: `containers/ID/config.v2.json` and `hostconfig.json`, and the names of its
//! images. Written before a container's first process runs, removed with the container.

use std::{collections::BTreeMap, path::Path};

use chrono::DateTime;
use serde::Deserialize;

use crate::{
    enrich::{
        bounded_read::{ReadError, read_in},
        bounds,
    },
    event::{ContainerMetadata, Healthcheck, Mount, Runtime},
};

/// Bytes of a container's files that are read.
const BOUND: usize = 4 << 20;
/// Bytes of the list of all image names that are read.
const IMAGES_BOUND: usize = 16 << 20;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct ConfigV2 {
    name: String,
    /// `sha256:…` of the image's configuration.
    image: String,
    created: String,
    config: Config,
    state: State,
    network_settings: NetworkSettings,
    mount_points: Option<BTreeMap<String, MountPoint>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Config {
    /// The reference that the user gave.
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
    running: bool,
    pid: u32,
    started_at: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct NetworkSettings {
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
struct MountPoint {
    source: String,
    destination: String,
    #[serde(rename = "RW")]
    writable: bool,
    relabel: String,
    propagation: String,
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
#[serde(default, rename_all = "PascalCase")]
struct Repositories {
    /// Repository -> reference -> image id.
    repositories: BTreeMap<String, BTreeMap<String, String>>,
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, ReadError> {
    serde_json::from_slice(bytes).map_err(|error| ReadError::Garbage(error.to_string()))
}

/// Whether a container's files lie below this data root.
pub(super) fn has(root: &Path, id: &str) -> bool {
    root.join("containers").join(id).join("config.v2.json").is_file()
}

/// The container `id` of the data root `root`.
pub(super) fn read(root: &Path, id: &str) -> Result<ContainerMetadata, ReadError> {
    let folder = root.join("containers").join(id);
    let config = read_in(&folder, "config.v2.json", BOUND)?;
    let host_config = read_in(&folder, "hostconfig.json", BOUND)?;
    let mut container = describe(id, &parse(&config)?, &parse(&host_config)?);
    name_image(root, &mut container);
    Ok(container)
}

fn describe(id: &str, from: &ConfigV2, host: &HostConfig) -> ContainerMetadata {
    let mut container = ContainerMetadata::new(id, Runtime::Docker);
    container.name = Some(from.name.trim_start_matches('/').to_owned()).filter(|name| !name.is_empty());
    if !from.config.image.is_empty() {
        container.set_image(&from.config.image);
    }
    let image_id = from.image.strip_prefix("sha256:").unwrap_or(&from.image);
    if !image_id.is_empty() {
        container.image_id = Some(image_id.to_owned());
    }
    bounds::set_labels(&mut container, from.config.labels.clone().unwrap_or_default());
    container.healthcheck = Some(healthcheck(from.config.healthcheck.as_ref()));
    container.privileged = Some(host.privileged);
    container.host_network = Some(host.network_mode == "host");
    container.host_pid = Some(host.pid_mode == "host");
    container.host_ipc = Some(host.ipc_mode == "host");
    container.ip = address(from, host);
    container.started_ns = [from.state.started_at.as_str(), &from.created].into_iter().find_map(nanoseconds);
    container.init_pid = Some(from.state.pid).filter(|pid| from.state.running && *pid > 0);
    let mounts = from.mount_points.iter().flatten().map(|(at, mount)| Mount {
        source: mount.source.clone(),
        destination: if mount.destination.is_empty() { at.clone() } else { mount.destination.clone() },
        mode: mount.relabel.clone(),
        writable: mount.writable,
        propagation: mount.propagation.clone(),
    });
    container.mounts = Some(mounts.collect());
    container
}

/// `["CMD", …]` and `["CMD-SHELL", …]` are commands; `["NONE"]` and nothing at all are none.
fn healthcheck(from: Option<&HealthConfig>) -> Healthcheck {
    match from.and_then(|health| health.test.as_deref()) {
        None | Some([]) => Healthcheck::None,
        Some([kind]) if kind == "NONE" => Healthcheck::None,
        Some(test) => Healthcheck::Command(test.to_vec()),
    }
}

/// The first address. The file is written before the network is there: none yet is "unknown", not "has none".
fn address(from: &ConfigV2, host: &HostConfig) -> Option<String> {
    let endpoints = from.network_settings.networks.iter().flat_map(BTreeMap::values).flatten();
    let found = endpoints.map(|endpoint| &endpoint.ip_address).find(|address| !address.is_empty());
    let never = matches!(host.network_mode.as_str(), "none" | "host");
    found.cloned().or_else(|| (never || from.state.running).then(String::new))
}

/// Nanoseconds since the epoch; `None` for "never" (Go's zero time) and for what is no time.
pub(in crate::enrich) fn nanoseconds(text: &str) -> Option<u64> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    u64::try_from(time.timestamp_nanos_opt()?).ok().filter(|ns| *ns > 0)
}

/// Tags and digests of the image by its id, as Falco takes them from `RepoDigests` and `RepoTags`. An image that was
/// never pulled has no digest: known to be empty.
fn name_image(root: &Path, container: &mut ContainerMetadata) {
    // Another storage driver has another folder; with containerd's image store there is none.
    let drivers = std::fs::read_dir(root.join("image")).into_iter().flatten().flatten();
    let mut lists = drivers.filter_map(|driver| {
        let bytes = read_in(&driver.path(), "repositories.json", IMAGES_BOUND).ok()?;
        parse::<Repositories>(&bytes).ok()
    });
    let Some(id) = container.image_id.clone() else { return };
    let Some(list) = lists.find(|list| !list.repositories.is_empty()) else { return };
    let id = format!("sha256:{id}");
    let references: Vec<_> = list
        .repositories
        .iter()
        .flat_map(|(repository, references)| references.iter().map(move |entry| (repository, entry)))
        .filter(|(_, (_, of))| **of == id)
        .map(|(repository, (reference, _))| (repository, reference))
        .collect();
    let digest = references.iter().find_map(|(repository, reference)| {
        let digest = reference.strip_prefix(repository.as_str())?.strip_prefix('@')?;
        Some((*repository, digest.to_owned()))
    });
    let tag = references.iter().find_map(|(repository, reference)| {
        let tag = reference.strip_prefix(repository.as_str())?.strip_prefix(':')?;
        Some((*repository, tag.to_owned()))
    });
    if container.image_repository.is_none() {
        let repository = digest.as_ref().or(tag.as_ref()).map(|(repository, _)| (*repository).clone());
        container.image_repository = Some(repository.unwrap_or_default());
    }
    container.image_tag.get_or_insert_with(|| tag.map(|(_, tag)| tag).unwrap_or_default());
    container.image_digest.get_or_insert_with(|| digest.map(|(_, digest)| digest).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use serde_json::{Value, json};

    use super::read;
    use crate::{
        enrich::bounded_read::ReadError,
        event::{ContainerMetadata, Healthcheck, MetadataState, MissingReason},
    };

    const ID: &str = "3b2c1d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff001";
    const IMAGE: &str = "sha256:1c2a2f8450aa2047210dfcd09594d712fcce137bff3a508ccc1746ebd0790ade";
    const DIGEST: &str = "sha256:5f75f2dacd08c5bc817ca4ea2461135f1f2f6f2598c0fdbd8e9342b65facbbaf";

    fn config() -> Value {
        json!({
            "ID": ID, "Name": "/web", "Image": IMAGE, "Created": "2026-11-22T04:37:25.096635038Z",
            "State": {"Running": false, "Pid": 0, "StartedAt": "0001-01-01T00:00:00Z"},
            "Config": {"Image": "registry.example:5000/x/bb:1.2", "Labels": {"app": "shop"},
                       "Healthcheck": {"Test": ["CMD-SHELL", "true"]}},
            "NetworkSettings": {"Networks": {"bridge": {"IPAddress": ""}, "gone": null}},
            "MountPoints": {"/mnt": {"Source": "/srv", "Destination": "/mnt", "RW": false, "Relabel": "ro",
                                     "Propagation": "rprivate"}},
        })
    }

    fn host_config() -> Value {
        json!({"Privileged": true, "NetworkMode": "default", "PidMode": "host", "IpcMode": "private"})
    }

    fn write(root: &Path, config: &[u8], host_config: &[u8]) {
        let folder = root.join("containers").join(ID);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config.v2.json"), config).unwrap();
        fs::write(folder.join("hostconfig.json"), host_config).unwrap();
        let images = root.join("image/overlay2");
        fs::create_dir_all(&images).unwrap();
        let repository = "registry.example:5000/x/bb";
        let list = json!({"Repositories": {
            "other": {"other:1": "sha256:00"},
            repository: {format!("{repository}:1.2"): IMAGE, format!("{repository}@{DIGEST}"): IMAGE},
        }});
        fs::write(images.join("repositories.json"), list.to_string()).unwrap();
    }

    fn read_of(config: &Value, host_config: &Value) -> ContainerMetadata {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), config.to_string().as_bytes(), host_config.to_string().as_bytes());
        read(root.path(), ID).unwrap()
    }

    #[test]
    fn a_container_is_read() {
        let container = read_of(&config(), &host_config());
        assert_eq!(container.name.as_deref(), Some("web"));
        assert_eq!(container.image_id.as_deref(), IMAGE.strip_prefix("sha256:"));
        assert_eq!(container.image_repository.as_deref(), Some("registry.example:5000/x/bb"));
        assert_eq!(container.image_tag.as_deref(), Some("1.2"));
        assert_eq!(container.image_digest.as_deref(), Some(DIGEST));
        assert_eq!((container.privileged, container.host_pid), (Some(true), Some(true)));
        assert_eq!((container.host_network, container.host_ipc), (Some(false), Some(false)));
        assert_eq!(container.mounts.as_ref().unwrap()[0].to_string(), "/srv:/mnt:ro:false:rprivate");
        assert_eq!(container.labels.as_ref().unwrap()["app"], "shop");
        assert_eq!(
            container.healthcheck,
            Some(Healthcheck::Command(vec!["CMD-SHELL".into(), "true".into()]))
        );
        assert_eq!(container.started_ns, Some(1_795_322_245_096_635_038));
    }

    #[test]
    fn an_address_that_is_not_there_yet_is_missing_and_not_empty() {
        let before = read_of(&config(), &host_config());
        assert_eq!(
            before.state(MissingReason::Source),
            MetadataState::Partial { missing: vec!["ip".into()], why: MissingReason::Source }
        );
        let mut running = config();
        running["State"] = json!({"Running": true, "Pid": 7, "StartedAt": "2026-11-22T04:37:26Z"});
        running["NetworkSettings"]["Networks"]["bridge"]["IPAddress"] = json!("172.17.0.2");
        let after = read_of(&running, &host_config());
        assert_eq!((after.ip.as_deref(), after.init_pid), (Some("172.17.0.2"), Some(7)));
        assert_eq!(after.state(MissingReason::Source), MetadataState::Complete);
        let mut without = host_config();
        without["NetworkMode"] = json!("none");
        assert_eq!(read_of(&config(), &without).ip.as_deref(), Some(""));
    }

    #[test]
    fn an_image_that_was_given_by_id_gets_its_names() {
        let mut by_id = config();
        by_id["Config"]["Image"] = json!(IMAGE);
        let container = read_of(&by_id, &host_config());
        assert_eq!(container.image.as_deref(), Some(IMAGE));
        assert_eq!(container.image_repository.as_deref(), Some("registry.example:5000/x/bb"));
        assert_eq!(container.image_tag.as_deref(), Some("1.2"));
    }

    #[test]
    fn a_label_of_a_megabyte_does_not_hide_the_rest() {
        let mut labelled = config();
        labelled["Config"]["Labels"]["giant"] = json!("x".repeat(1 << 20));
        let container = read_of(&labelled, &host_config());
        assert_eq!((container.labels.as_ref().unwrap().len(), container.cut_labels), (1, 1));
        assert_eq!(container.name.as_deref(), Some("web"));
    }

    #[test]
    fn garbage_and_giants_are_errors() {
        let root = tempfile::tempdir().unwrap();
        assert!(matches!(read(root.path(), ID), Err(ReadError::Absent)));
        for bad in [&b""[..], b"{", b"null", b"[1]", b"{\"Name\": 7}", b"\0\0\0"] {
            write(root.path(), bad, b"{}");
            assert!(matches!(read(root.path(), ID), Err(ReadError::Garbage(_))), "{bad:?}");
        }
        let giant = format!("{{\"Name\": \"{}\"}}", "x".repeat(5 << 20));
        write(root.path(), giant.as_bytes(), b"{}");
        assert!(matches!(read(root.path(), ID), Err(ReadError::TooLarge { .. })));
        write(root.path(), config().to_string().as_bytes(), b"");
        assert!(matches!(read(root.path(), ID), Err(ReadError::Garbage(_))));
    }
}

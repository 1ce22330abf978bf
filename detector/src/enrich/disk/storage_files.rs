//! What Podman and CRI-O share on disk: the containers/storage library's lists of containers and images.

use std::path::Path;

use serde::Deserialize;

use super::docker_files::nanoseconds;
use crate::{
    enrich::bounded_read::{ReadError, read_in},
    event::{ContainerMetadata, Runtime},
};

/// Bytes of one of the lists that are read.
const BOUND: usize = 32 << 20;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StoredContainer {
    id: String,
    names: Option<Vec<String>>,
    image: String,
    /// JSON in a text.
    metadata: String,
    created: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct StoredMetadata {
    image_name: String,
    image_id: String,
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StoredImage {
    id: String,
    digest: String,
    names: Option<Vec<String>>,
}

fn list<T: for<'a> Deserialize<'a>>(folder: &Path, name: &str) -> Result<Vec<T>, ReadError> {
    let bytes = read_in(folder, name, BOUND)?;
    serde_json::from_slice(&bytes).map_err(|error| ReadError::Garbage(error.to_string()))
}

/// Names and image of the container `id` in the storage `root`, driver overlay or vfs.
pub(super) fn read(root: &Path, id: &str, runtime: Runtime) -> Result<ContainerMetadata, ReadError> {
    let mut last = ReadError::Absent;
    for driver in ["overlay", "vfs", "btrfs", "zfs"] {
        let folder = root.join(format!("{driver}-containers"));
        // Containers whose layers are gone at the next boot have a list of their own.
        for name in ["containers.json", "volatile-containers.json"] {
            let containers = match list::<StoredContainer>(&folder, name) {
                Ok(containers) => containers,
                Err(ReadError::Absent) => continue,
                Err(error) => {
                    last = error;
                    continue;
                }
            };
            if let Some(found) = containers.into_iter().find(|container| container.id == id) {
                let images = list(&root.join(format!("{driver}-images")), "images.json");
                return Ok(describe(&found, &images.unwrap_or_default(), runtime));
            }
        }
    }
    Err(last)
}

fn describe(from: &StoredContainer, images: &[StoredImage], runtime: Runtime) -> ContainerMetadata {
    let mut container = ContainerMetadata::new(&from.id, runtime);
    let metadata: StoredMetadata = serde_json::from_str(&from.metadata).unwrap_or_default();
    // CRI-O's name here is made of those of container and pod; the container's own comes from its annotations.
    let named = Some(metadata.name).filter(|name| !name.is_empty());
    let named = named.or_else(|| from.names.as_ref().and_then(|names| names.first().cloned()));
    container.name = named.filter(|_| runtime == Runtime::Podman);
    let id = Some(metadata.image_id).filter(|id| !id.is_empty()).unwrap_or_else(|| from.image.clone());
    let image = images.iter().find(|image| image.id == id);
    // Podman names the image as it was found; an image without a name is known by its id.
    let written = [Some(metadata.image_name), image.and_then(|image| image.names.as_ref()?.first().cloned())];
    let written = written.into_iter().flatten().find(|name| !name.is_empty()).unwrap_or_else(|| id.clone());
    if !written.is_empty() {
        container.set_image(&written);
        if container.image_repository.is_none() {
            container.image_repository = Some(String::new());
        }
        container.image_tag.get_or_insert_default();
    }
    container.image_id = Some(id).filter(|id| !id.is_empty());
    if let Some(image) = image
        && !image.digest.is_empty()
    {
        container.image_digest = Some(image.digest.clone());
    }
    container.started_ns = nanoseconds(&from.created);
    container
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use serde_json::json;

    use super::read;
    use crate::{enrich::bounded_read::ReadError, event::Runtime};

    const ID: &str = "38a82b277c4de2b6834e536f0b2f4d375e90c9817bde714cb1d198693a3806ee";
    const IMAGE: &str = "f9263c105f39c3577b434fbc8358114ccd6f389f90042788f5a9e606842fdab9";
    const DIGEST: &str = "sha256:5f75f2dacd08c5bc817ca4ea2461135f1f2f6f2598c0fdbd8e9342b65facbbaf";

    fn write(root: &Path, list: &str) {
        let metadata = json!({"image-name": "localhost:5000/y/bb:2", "image-id": IMAGE, "name": "web"});
        let containers = json!([
            {"id": "other", "names": ["x"], "image": "i"},
            {"id": ID, "names": ["web"], "image": IMAGE, "metadata": metadata.to_string(),
             "created": "2026-11-22T04:39:48.665279013Z"},
        ]);
        let images = json!([{"id": IMAGE, "digest": DIGEST, "names": ["localhost:5000/y/bb:2"]}]);
        fs::create_dir_all(root.join("overlay-containers")).unwrap();
        fs::create_dir_all(root.join("overlay-images")).unwrap();
        fs::write(root.join("overlay-containers").join(list), containers.to_string()).unwrap();
        fs::write(root.join("overlay-images/images.json"), images.to_string()).unwrap();
    }

    #[test]
    fn a_container_of_podman_is_read() {
        for list in ["containers.json", "volatile-containers.json"] {
            let root = tempfile::tempdir().unwrap();
            write(root.path(), list);
            let container = read(root.path(), ID, Runtime::Podman).unwrap();
            assert_eq!(container.name.as_deref(), Some("web"));
            assert_eq!(container.image.as_deref(), Some("localhost:5000/y/bb:2"));
            assert_eq!(container.image_repository.as_deref(), Some("localhost:5000/y/bb"));
            assert_eq!(container.image_tag.as_deref(), Some("2"));
            assert_eq!(container.image_id.as_deref(), Some(IMAGE));
            assert_eq!(container.image_digest.as_deref(), Some(DIGEST));
        }
    }

    #[test]
    fn the_name_of_cri_o_is_left_to_its_annotations() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "containers.json");
        assert_eq!(read(root.path(), ID, Runtime::CriO).unwrap().name, None);
    }

    #[test]
    fn what_is_not_there_or_not_json() {
        let root = tempfile::tempdir().unwrap();
        assert!(matches!(read(root.path(), ID, Runtime::Podman), Err(ReadError::Absent)));
        write(root.path(), "containers.json");
        assert!(matches!(read(root.path(), "none", Runtime::Podman), Err(ReadError::Absent)));
        fs::write(root.path().join("overlay-containers/containers.json"), "[{]").unwrap();
        assert!(matches!(read(root.path(), ID, Runtime::Podman), Err(ReadError::Garbage(_))));
    }
}
